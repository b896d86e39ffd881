"""Code of others that hears what happens in a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlagents.monitoring.stats import StatsSummary, StatsWriter

if TYPE_CHECKING:
    from mlagents.run.training_run import RunResult, TrainingRun

EVENTS = ("on_begin", "on_step", "on_summary", "on_checkpoint", "on_end")


class Callback:
    """Hears what happens in a run; override what you need.

    An object of any other class will do as well, if it has some of these methods. All are called in the
    thread that runs the environments. What they raise ends the run, after everything was saved;
    ``run.stop()`` ends it politely.
    """

    def on_begin(self, run: TrainingRun) -> None:
        """The environment is there and training begins.

        Args:
            run: the run; its ``behaviors``, ``seed``, ``folder`` and ``options`` are of interest.
        """

    def on_step(self, run: TrainingRun) -> None:
        """All environments took a step; keep it short."""

    def on_summary(self, run: TrainingRun, behavior: str, step: int, statistics: Mapping[str, float]) -> None:
        """A summary was written.

        Args:
            run: the run.
            behavior: which behavior it is of.
            step: its agent-steps, the label of the summary.
            statistics: value by tag, such as ``Environment/Cumulative Reward``.
        """

    def on_checkpoint(self, run: TrainingRun, behavior: str, step: int, path: Path) -> None:
        """A numbered checkpoint was written.

        Args:
            run: the run.
            behavior: which behavior it is of.
            step: its agent-steps.
            path: the ``.pt`` file; the model lies beside it.
        """

    def on_end(self, run: TrainingRun, result: RunResult | None) -> None:
        """The run is over and everything is saved.

        Args:
            run: the run.
            result: what it came to; None where an error ended it.
        """


class CallbackDispatcher:
    """Tells callbacks what happens in one run.

    Args:
        callbacks: objects with some of the methods of :class:`Callback`.

    Attributes:
        listener: statistics writer of the run that notes summaries for :meth:`step`.
    """

    def __init__(self, callbacks: Iterable[object]) -> None:
        callbacks = list(callbacks)
        self._methods = {name: [getattr(c, name) for c in callbacks if hasattr(c, name)] for name in EVENTS}
        for callback in callbacks:
            if not any(hasattr(callback, name) for name in EVENTS):
                raise TypeError(
                    f"A {type(callback).__name__} is no callback: it has none of {', '.join(EVENTS)}."
                )
        self.listener = _SummaryNotes()
        self._seen: dict[str, int] = {}

    def begin(self, run: TrainingRun) -> None:
        """Tell that training begins."""
        self._tell("on_begin", run)

    def step(self, run: TrainingRun) -> None:
        """Tell of a step, and of summaries and checkpoints since the last one."""
        for behavior, step, statistics in self.listener.take():
            self._tell("on_summary", run, behavior, step, statistics)
        for name, step, path in self._note_checkpoints(run):
            self._tell("on_checkpoint", run, name, step, path)
        self._tell("on_step", run)

    def end(self, run: TrainingRun, result: RunResult | None) -> None:
        """Tell of the last checkpoints, and that the run is over."""
        for name, step, path in self._note_checkpoints(run):
            self._tell("on_checkpoint", run, name, step, path)
        self._tell("on_end", run, result)

    def _tell(self, event: str, *arguments: Any) -> None:  # noqa: ANN401 - those of the event
        for method in self._methods[event]:
            method(*arguments)

    def _note_checkpoints(self, run: TrainingRun) -> list[tuple[str, int, Path]]:
        """Checkpoints that were written since the last call."""
        new = []
        for behavior in run.behaviors.values():
            records = behavior.keeper.records
            if records and records[-1].steps > max(behavior.first_step, self._seen.get(behavior.name, 0)):
                self._seen[behavior.name] = records[-1].steps
                new.append((behavior.name, records[-1].steps, Path(records[-1].weights_path)))
        return new


class _SummaryNotes(StatsWriter):
    """Keeps summaries until they are taken.

    Callbacks are not called from here: what a writer raises is only logged.
    """

    def __init__(self) -> None:
        self._notes: list[tuple[str, int, dict[str, float]]] = []

    def write_stats(self, category: str, values: dict[str, StatsSummary], step: int) -> None:
        statistics = {tag: summary.aggregated_value for tag, summary in values.items()}
        self._notes.append((category, step, statistics))

    def take(self) -> list[tuple[str, int, dict[str, float]]]:
        notes, self._notes = self._notes, []
        return notes
