"""How far a run is: a live display on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple, Self, TextIO

from mlagents.monitoring.phase_clock import PhaseClock, PhaseTimes
from mlagents.monitoring.progress_display import BehaviorProgress, PlainDisplay, TerminalDisplay

_WINDOW = 30.0  # seconds over which rates and shares are taken; long enough to hold several updates
_LOOKS_PER_DRAW = 10
_MAX_STRIDE = 1000  # calls without a look at the clock, however fast they come


class _Sample(NamedTuple):
    """State of the run at one moment."""

    time: float
    steps: dict[str, int]
    phases: PhaseTimes


class Progress:
    """Shows steps, speed, time to go, mean reward and where time goes.

    :meth:`update` is called at every environment step; it only stores two values and counts, and looks at
    the clock about ten times per drawing.

    Args:
        total_steps: steps at which each behavior is done. The mapping is kept, so that behaviors that
            turn up later may be added to it; one that is missing is shown without an end.
        clock: says where time goes.
        stream: where to show; standard output if None.
        now: clock in seconds.
    """

    def __init__(
        self,
        total_steps: Mapping[str, int],
        clock: PhaseClock,
        stream: TextIO | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._total_steps = total_steps
        self._clock = clock
        self._now = now
        stream = sys.stdout if stream is None else stream
        self._display: TerminalDisplay | PlainDisplay = (
            TerminalDisplay(stream) if TerminalDisplay.fits(stream) else PlainDisplay(stream)
        )
        self._latest: dict[str, tuple[int, float | None]] = {}
        self._samples: deque[_Sample] = deque()
        self._next_draw = 0.0
        self._last_look = 0.0
        self._stride = self._countdown = 1

    def start(self, initial: Mapping[str, int]) -> None:
        """Begin to show.

        Args:
            initial: steps that each behavior already has, zero or those of the run that is resumed.
        """
        self._latest = {behavior: (step, None) for behavior, step in initial.items()}
        self._last_look = self._now()
        self._next_draw = self._last_look + self._display.interval
        self._samples.append(self._sample(self._last_look))
        self._display.start()

    def update(self, behavior: str, step: int, mean_reward: float | None = None) -> None:
        """Tell how far a behavior is.

        Args:
            behavior: its name.
            step: its agent steps so far.
            mean_reward: mean return of recent episodes, None if there was none.
        """
        self._latest[behavior] = (step, mean_reward)
        self._countdown -= 1
        if self._countdown <= 0:
            self._look()

    def log(self, line: str) -> None:
        """Print a line; on a terminal it goes above the display."""
        self._display.log(line)

    def close(self) -> None:
        """Show the last state once more and leave it standing. Calling it again does nothing."""
        if self._samples:
            rows, shares = self._state(self._now())
            self._samples.clear()
            self._display.close(rows, shares)

    def __enter__(self) -> Self:
        """The progress itself, not yet started."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close, whatever happened."""
        self.close()

    def _look(self) -> None:
        """Draw if it is time; set after how many calls to look at the clock again."""
        now = self._now()
        elapsed = now - self._last_look
        wanted = self._display.interval / _LOOKS_PER_DRAW
        fitting = int(self._stride * wanted / elapsed) if elapsed > 0.0 else _MAX_STRIDE
        self._stride = self._countdown = max(1, min(fitting, 2 * self._stride, _MAX_STRIDE))
        self._last_look = now
        if self._samples and now >= self._next_draw:
            self._next_draw = now + self._display.interval
            self._display.draw(*self._state(now))

    def _sample(self, now: float) -> _Sample:
        return _Sample(now, {name: step for name, (step, _) in self._latest.items()}, self._clock.times())

    def _state(self, now: float) -> tuple[list[BehaviorProgress], dict[str, float]]:
        """Rows to show and shares of the phases, both measured over the last seconds."""
        sample = self._sample(now)
        while len(self._samples) > 1 and now - self._samples[1].time >= _WINDOW:
            self._samples.popleft()
        base = self._samples[0]
        self._samples.append(sample)
        rows = []
        for name, (step, mean_reward) in self._latest.items():
            span = now - base.time
            rate = (step - base.steps.get(name, 0)) / span if span > 0.0 else 0.0
            rows.append(BehaviorProgress(name, step, self._total_steps.get(name), rate, mean_reward))
        return rows, sample.phases.since(base.phases).shares()
