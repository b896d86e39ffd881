"""Long runs: nothing grows, and nothing that happens on the way does harm."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mlagents"))

from endurance_helpers import growth_over
from test_run_chaos import drill, go_through

__all__ = ["drill"]  # a fixture

pytestmark = pytest.mark.learning


def test_twenty_kills_of_environments_twice_and_more(drill) -> None:  # noqa: ANN001
    go_through(drill, kills=20, pause=2.0, hangs=("hang", "half"))


@pytest.mark.parametrize("threaded", [False, True])
def test_a_million_steps_with_two_environments_need_no_more_memory(tmp_path: Path, threaded: bool) -> None:
    growth = growth_over(tmp_path, steps=1_000_000, warm_up=100_000, threaded=threaded)
    assert growth < 0.05, growth
