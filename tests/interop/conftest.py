"""Interoperability with the original's published packages, in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from benchmarks.peer.install import DEFAULT_VENV, InstallError, install

if TYPE_CHECKING:
    from wire_play import Play

pytest.register_assert_rewrite("wire_play")  # its assertions shall explain themselves too
HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-interop"):
        return
    skip = pytest.mark.skip(reason="needs the original's packages; run with make test-interop")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def peer_python() -> Path:
    """Interpreter of the virtual environment with the original's packages, installed on first use."""
    try:
        return install(DEFAULT_VENV)
    except InstallError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def built_3dball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A launcher of our 3DBall, as a game."""
    path = tmp_path_factory.mktemp("builds") / "3DBall.x86_64"
    subprocess.run([sys.executable, "-m", "mlagents_sdk.cli.envs", "build", "3DBall", str(path)], check=True)
    return path


@pytest.fixture
def play(peer_python: Path, tmp_path: Path) -> Callable[[str], Play]:
    """Makes the scripted game of a name."""
    from wire_play import Play

    return lambda name: Play(peer_python, tmp_path, name)
