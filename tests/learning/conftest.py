"""Learning tests train for real, minutes each; they run only when asked for."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-learning"):
        return
    skip = pytest.mark.skip(reason="trains for minutes; run with make test-learning")
    for item in items:
        if "learning" in item.keywords:
            item.add_marker(skip)
