"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with demonstrations (``demos``) and models (``models``) made by the original toolkit."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("MLAGENTS_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"recorded data is not at {folder}; set MLAGENTS_SHARED_DATA to its folder")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-interop", action="store_true", help="also run the tests with the original's packages"
    )
    parser.addoption("--run-learning", action="store_true", help="also run the tests that train for minutes")
