"""How a side is measured: the same counts and the same formula for both.

Training alternates between collecting and learning. A cycle ends with an update; a round is as many
whole cycles as a given number of seconds takes, so that it starts and ends right after an update.

Collected and learned-from agent-steps are counted apart, because with many agents they may differ for a
long time: where experience counts only once its segment is complete, a run of 1000 agents first gathers
hundreds of thousands of agent-steps that are learned from later. The rate at which training proceeds
once the two are equal is the inverse of what one agent-step costs on its whole way,

    rate = 1 / (collecting_seconds / collected + update_seconds / learned).

Where as much is learned from as is collected, this is agent-steps by wall time. All wall time of a
round is in one of the two terms.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

PHASES = ("environment", "inference", "update", "other")
"""Stepping the environment; choosing actions; from complete segments to new weights; everything else,
which is mostly sorting steps into segments."""


def no_seconds() -> dict[str, float]:
    """Zero seconds in every phase."""
    return dict.fromkeys(PHASES, 0.0)


@dataclass
class Round:
    """What happened in a number of whole cycles.

    Attributes:
        collected: agent-steps taken in the environment.
        learned: agent-steps that updates learned from.
        cycles: number of updates.
        seconds: wall time by phase, adding up to the whole.
    """

    collected: int = 0
    learned: int = 0
    cycles: int = 0
    seconds: dict[str, float] = field(default_factory=no_seconds)

    def add(self, other: Round) -> None:
        """Add the counts and times of `other`."""
        self.collected += other.collected
        self.learned += other.learned
        self.cycles += other.cycles
        for phase in PHASES:
            self.seconds[phase] += other.seconds[phase]

    @property
    def costs(self) -> dict[str, float]:
        """Seconds per agent-step by phase."""
        rows = {phase: self.learned if phase == "update" else self.collected for phase in PHASES}
        return {phase: self.seconds[phase] / rows[phase] for phase in PHASES}

    @property
    def rate(self) -> float:
        """Agent-steps per second at which training proceeds; see the module's docstring."""
        return 1.0 / sum(self.costs.values())

    @property
    def shares(self) -> dict[str, float]:
        """Share of each phase in the cost of an agent-step, adding up to 1."""
        return {phase: cost * self.rate for phase, cost in self.costs.items()}


class Stopwatch:
    """Measures one cycle after the other, and hands over rounds.

    A contestant calls :meth:`finish_cycle` after every update; the call returns when the next cycle is
    to begin.

    Args:
        answer: takes the first cycle, the warm-up, and then every round.
        wait: blocks until a round is wanted; returns its least number of seconds, or raises to end.
    """

    def __init__(self, answer: Callable[[Round], None], wait: Callable[[], float]) -> None:
        self._answer = answer
        self._wait = wait
        self._round = Round()
        self._end = 0.0

    @property
    def is_round_over(self) -> bool:
        """Whether the next cycle that is finished ends a round."""
        return time.perf_counter() >= self._end

    def finish_cycle(self, cycle: Round) -> None:
        """Take note of a cycle; blocks between rounds."""
        self._round.add(cycle)
        if not self.is_round_over:
            return
        self._answer(self._round)
        self._round = Round()
        self._end = self._wait() + time.perf_counter()
