"""The wire: both sides' ``UnityEnvironment`` step the same game, which costs next to nothing."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.contestants import ROOT, Contestant
from benchmarks.race import Result, race

NAME = "wire"


def write_launcher(folder: Path, agents: int) -> Path:
    """An executable, as a build is one, that plays the game with our interpreter.

    Args:
        folder: where it goes.
        agents: agents of the game.
    """
    command = shlex.join([sys.executable, "-m", "benchmarks.wire_game", "--agents", str(agents)])
    launcher = folder / "game.x86_64"
    launcher.write_text(f'#!/bin/sh\ncd {shlex.quote(str(ROOT))} && exec {command} "$@"\n')
    launcher.chmod(0o755)
    return launcher


def measure(
    agents: int,
    peer_python: Path | None,
    num_rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> Result:
    """Race with a game of `agents` agents.

    Args:
        agents: agents that ask for a decision at every step.
        peer_python: interpreter of the peer, None to measure our side only.
        num_rounds: rounds per side.
        seconds: least duration of a round.
        say: takes progress, a line at a time.

    Raises:
        ContestantError: a contestant's process ended.
    """
    with tempfile.TemporaryDirectory(prefix="wire-") as folder:
        arguments = ("--environment", write_launcher(Path(folder), agents), "--agents", agents)
        starts = {"ours": partial(Contestant, sys.executable, "benchmarks.wire_steps", *arguments)}
        if peer_python is not None:
            peer = partial(Contestant, peer_python, "benchmarks.wire_steps", *arguments)
            starts = {"peer": peer, **starts}
        sides = race(starts, num_rounds, seconds, say)
    return Result(NAME, agents, sides["ours"], sides.get("peer"))
