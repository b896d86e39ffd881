"""Lets contestants run in turn and sums up what they did."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.contestants import Contestant
from benchmarks.rounds import Round

PEER = "peer"
"""The original's published packages."""


@dataclass(frozen=True)
class Side:
    """The rounds of one contestant.

    Attributes:
        rounds: in the order in which they were run.
    """

    rounds: tuple[Round, ...]

    @property
    def rates(self) -> list[float]:
        """Agent-steps per second of each round."""
        return [finished.rate for finished in self.rounds]

    @property
    def rate(self) -> float:
        """Median over the rounds, agent-steps per second."""
        return statistics.median(self.rates)

    @property
    def shares(self) -> dict[str, float]:
        """Where the time of all rounds together went, by phase, adding up to 1."""
        total = Round()
        for finished in self.rounds:
            total.add(finished)
        return total.shares


@dataclass(frozen=True)
class Result:
    """What one line of the benchmark measured.

    Attributes:
        name: what was run.
        agents: number of agents.
        ours: our side.
        other: the side that it is held against, None where there is none.
        against: what the other side is.
    """

    name: str
    agents: int
    ours: Side
    other: Side | None = None
    against: str = PEER

    @property
    def ratio(self) -> float | None:
        """Median of ours by median of the other side's."""
        return None if self.other is None else self.ours.rate / self.other.rate


def race(
    starts: Mapping[str, Callable[[], Contestant]],
    num_rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> dict[str, Side]:
    """Warm up all contestants, then measure them in turn, round after round.

    A machine's speed drifts by tens of percent within minutes; turns make the drift common to all.

    Args:
        starts: starts each contestant, by name, in the order of their turns.
        num_rounds: rounds per contestant.
        seconds: least duration of a round; it lasts until the cycle in progress has ended.
        say: takes progress, a line at a time.

    Raises:
        ContestantError: a contestant's process ended.
    """
    finished: dict[str, list[Round]] = {name: [] for name in starts}
    with contextlib.ExitStack() as stack:
        running = {}
        for name, start in starts.items():
            running[name] = stack.enter_context(start())
            running[name].wait_until_warm()
        for number in range(num_rounds):
            for name, contestant in running.items():
                finished[name].append(contestant.run_round(seconds))
            rates = ", ".join(f"{name} {rounds[-1].rate:,.0f}" for name, rounds in finished.items())
            say(f"  round {number + 1} of {num_rounds}: {rates} agent-steps/s")
    return {name: Side(tuple(rounds)) for name, rounds in finished.items()}
