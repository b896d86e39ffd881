"""Where wall time goes: environment, inference, update, and the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from mlagents_envs.timers import TimerNode

ENVIRONMENT: Final = 0
"""Waiting for environments, or running them in this process."""
INFERENCE: Final = 1
"""Choosing actions."""
UPDATE: Final = 2
"""Learning: values, advantages, gradient steps."""
OTHER: Final = 3
"""Everything else."""

PHASES: Final = ("environment", "inference", "update", "other")
"""Names of the phases, by number."""


class PhaseTimes(NamedTuple):
    """Time spent in each phase, in nanoseconds."""

    environment: int
    inference: int
    update: int
    other: int

    @property
    def total(self) -> int:
        """Time spent in all phases, in nanoseconds."""
        return sum(self)

    def since(self, earlier: PhaseTimes) -> PhaseTimes:
        """Time spent in each phase after ``earlier`` was taken."""
        return PhaseTimes(*(now - then for now, then in zip(self, earlier, strict=True)))

    def shares(self) -> dict[str, float]:
        """Percentage of the total per phase name; zeros if no time has passed."""
        total = self.total
        return {
            name: 100.0 * spent / total if total else 0.0 for name, spent in zip(PHASES, self, strict=True)
        }


class PhaseClock:
    """Accounts all wall time since construction to exactly one phase at a time.

    The loop calls :meth:`switch` at each border, which reads the clock once::

        before = clock.switch(INFERENCE)
        actions = policy.act(observations)
        clock.switch(before)

    Args:
        now_ns: clock in nanoseconds.
    """

    __slots__ = ("_counts", "_now_ns", "_phase", "_poured", "_poured_counts", "_since", "_summary", "_totals")

    def __init__(self, now_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._now_ns = now_ns
        self._totals = [0, 0, 0, 0]
        self._counts = [0, 0, 0, 0]
        self._phase: int = OTHER
        self._summary = self._poured = PhaseTimes(0, 0, 0, 0)
        self._poured_counts = (0, 0, 0, 0)
        self._since = now_ns()

    def switch(self, phase: int) -> int:
        """End the present phase and begin another.

        Args:
            phase: one of :data:`ENVIRONMENT`, :data:`INFERENCE`, :data:`UPDATE`, :data:`OTHER`.

        Returns:
            The phase that ended, to switch back to.
        """
        now = self._now_ns()
        ended = self._phase
        self._totals[ended] += now - self._since
        self._since = now
        self._counts[phase] += 1
        self._phase = phase
        return ended

    def times(self) -> PhaseTimes:
        """Time spent in each phase until this moment."""
        totals = self._totals.copy()
        totals[self._phase] += self._now_ns() - self._since
        return PhaseTimes(*totals)

    def shares(self) -> dict[str, float]:
        """Percentage of wall time per phase name since construction."""
        return self.times().shares()

    def summary_shares(self) -> dict[str, float]:
        """Percentage of wall time per phase name since the last call of this method."""
        times = self.times()
        earlier, self._summary = self._summary, times
        return times.since(earlier).shares()

    def pour_into(self, root: TimerNode) -> None:
        """Add the time since the last pouring to a tree of timers.

        The phases become ``env_step``, ``policy`` and ``trainer_advance`` under
        ``TrainerController.start_learning`` and ``TrainerController.advance``, whose totals are the whole;
        so these names must not be timed elsewhere as well. ``trainer_advance`` has ``_update_policy`` and
        ``process_trajectory``, which is everything else: storing experience, summaries, savings.

        Args:
            root: root of the tree.
        """
        times, counts = self.times(), tuple(self._counts)
        spent = times.since(self._poured)
        entered = [now - then for now, then in zip(counts, self._poured_counts, strict=True)]
        self._poured, self._poured_counts = times, (counts[0], counts[1], counts[2], counts[3])

        learning = root.get_child("TrainerController.start_learning")
        learning.total += spent.total * 1e-9
        learning.count = max(learning.count, 1)
        advance = learning.get_child("TrainerController.advance")
        _add(advance, spent.total, entered[ENVIRONMENT])
        _add(advance.get_child("env_step"), spent.environment, entered[ENVIRONMENT])
        _add(advance.get_child("policy"), spent.inference, entered[INFERENCE])
        trainer = advance.get_child("trainer_advance")
        _add(trainer, spent.update + spent.other, entered[OTHER])
        _add(trainer.get_child("process_trajectory"), spent.other, entered[OTHER])
        _add(trainer.get_child("_update_policy"), spent.update, entered[UPDATE])


def _add(node: TimerNode, nanoseconds: int, count: int) -> None:
    node.total += nanoseconds * 1e-9
    node.count += count
