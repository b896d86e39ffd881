"""Starts a run with everything around it: writers, callbacks and a display of the progress."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from mlagents.monitoring.console import ConsoleWriter
from mlagents.monitoring.phase_clock import PhaseClock
from mlagents.monitoring.progress import Progress
from mlagents.monitoring.stats import StatsWriter
from mlagents.monitoring.writer_plugins import load_writers
from mlagents.run.callbacks import CallbackDispatcher
from mlagents.run.training_run import RunResult, TrainingRun
from mlagents.settings.run_options import RunOptions
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry import EnvironmentFactory


def launch(
    options: RunOptions,
    *,
    environment: BaseEnv | EnvironmentFactory | None = None,
    callbacks: Iterable[object] = (),
    writers: Sequence[StatsWriter] = (),
    quiet: bool = False,
) -> tuple[TrainingRun, RunResult]:
    """Train as the options say.

    Args:
        options: everything that the run is told.
        environment: environment to use instead of the one that the options name, or what builds it.
        callbacks: objects with some of the methods of :class:`~mlagents.run.callbacks.Callback`.
        writers: receive the statistics, beside those of the package and of plugins.
        quiet: print nothing and show no progress.

    Returns:
        The run, which is over, and what it came to.

    Raises:
        TrainerError: the results folder or a checkpoint does not allow the run.
        TrainerConfigError: the configuration does not fit the environment.
        UnityException: the environment failed.
        TypeError: a callback has none of the methods of one.
    """
    clock = PhaseClock()
    progress = None if quiet else ShownProgress(clock)
    watching = [*callbacks] if progress is None else [progress, *callbacks]
    dispatcher = CallbackDispatcher(watching)
    run = TrainingRun(
        options,
        environment=environment,
        writers=[*_connected(load_writers(options), progress), *writers, dispatcher.listener],
        clock=clock,
        on_begin=dispatcher.begin,
        on_step=dispatcher.step,
    )
    result: RunResult | None = None
    with progress.display if progress is not None else nullcontext():
        try:
            result = run.run()
        finally:
            dispatcher.end(run, result)
    return run, result


class ShownProgress:
    """Shows how far a run is; a callback of it.

    Args:
        clock: says where time goes.

    Attributes:
        display: the display; leaving it as a context manager closes it.
    """

    def __init__(self, clock: PhaseClock) -> None:
        self._total_steps: dict[str, int] = {}
        self.display = Progress(self._total_steps, clock)

    def on_begin(self, run: TrainingRun) -> None:
        """Begin to show."""
        print(f"Seed {run.seed}")
        self.display.start({b.name: b.trainer.step for b in run.behaviors.values()})

    def on_step(self, run: TrainingRun) -> None:
        """Tell how far the behaviors are."""
        for behavior in run.behaviors.values():
            if run.is_learning and behavior.name not in self._total_steps:  # behaviors may appear late
                self._total_steps[behavior.name] = behavior.trainer.settings.max_steps
            self.display.update(behavior.name, behavior.trainer.step, behavior.mean_return)


def _connected(writers: list[StatsWriter], progress: ShownProgress | None) -> list[StatsWriter]:
    """The writers, those for the console printing above the progress, or left out where all is quiet."""
    connected = []
    for writer in writers:
        if isinstance(writer, ConsoleWriter):
            if progress is None:
                continue
            writer.emit = progress.display.log
        connected.append(writer)
    return connected
