"""When behaviors learn: between two steps of collecting, or in a thread beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from mlagents.algorithms.trainer import LearnsBeside, UpdateJob
from mlagents.monitoring.phase_clock import UPDATE, PhaseClock
from mlagents.run.behavior_run import BehaviorRun

_IMAGE_DIMENSIONS = 3
LAG = "Policy/Lag"
"""Tag of the mean lag of the policy that acted, in updates."""


class _Running(NamedTuple):
    """An update that runs beside collection, since ``step``."""

    behavior: BehaviorRun
    job: UpdateJob[Any]
    future: Future[None]
    step: int


class Learner:
    """Makes the updates of all behaviors of a run.

    Behaviors with ``threaded`` learn in one thread beside collection, if their trainer can: the experience of
    an update is taken aside, collecting goes on with the weights of before, and the new ones come between
    two steps. An update that is due waits for the one before it, so that whoever acts is at most one update
    behind; how far on average is logged as ``Policy/Lag``. PyTorch works outside Python's lock, and so do
    environments that have a process of their own.

    Nothing of a trainer may be saved or exported while its update runs: call :meth:`settle` before.

    Args:
        clock: what the run waits for here counts as update.
        learning: False where nobody learns.
        num_threads: threads that PyTorch may use for an update from images while nothing else runs. For all
            else a second thread costs more than it helps, because the matrices are small.
    """

    def __init__(self, clock: PhaseClock, *, learning: bool = True, num_threads: int = 1) -> None:
        self._clock = clock
        self._learning = learning
        self._num_threads = num_threads
        self._running: dict[str, _Running] = {}
        self._spans: dict[str, tuple[int, int]] = {}
        self._executor: ThreadPoolExecutor | None = None

    def runs_beside(self, behavior: BehaviorRun) -> bool:
        """Whether the behavior is updated in the thread."""
        trainer = behavior.trainer
        return self._learning and trainer.settings.threaded and isinstance(trainer, LearnsBeside)

    def learn(self, behaviors: Iterable[BehaviorRun]) -> None:
        """Finish updates that are ready, and begin or make those that are due; between two steps.

        Raises:
            Exception: whatever an update raised.
        """
        for behavior in behaviors:
            due = behavior.trainer.is_update_due()
            running = self._running.get(behavior.name)
            if running is not None and (due or running.future.done()):
                self._finish(running)
            if due:
                previous = self._clock.switch(UPDATE)
                if self.runs_beside(behavior):
                    self._begin(behavior)
                else:
                    with self._threads_for(behavior):
                        behavior.update()
                self._clock.switch(previous)
            elif not behavior.trainer.is_training:
                behavior.trainer.forget()

    @contextmanager
    def _threads_for(self, behavior: BehaviorRun) -> Iterator[None]:
        observations = behavior.trainer.spec.observation_specs
        if all(len(each.shape) < _IMAGE_DIMENSIONS for each in observations):
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(self._num_threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def settle(self) -> None:
        """Wait for all updates that run, and finish them.

        Raises:
            Exception: whatever an update raised.
        """
        for running in list(self._running.values()):
            self._finish(running)

    def close(self) -> None:
        """Wait for the thread to end; results that nobody took are lost."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
        self._running.clear()

    def _begin(self, behavior: BehaviorRun) -> None:
        trainer, name = behavior.trainer, behavior.name
        assert isinstance(trainer, LearnsBeside)
        step = trainer.step
        behavior.reporter.add_stat(LAG, self._lag(name, step))
        job = trainer.begin_update()
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, "learner", torch.set_num_threads, (1,))
        self._running[name] = _Running(behavior, job, self._executor.submit(job.run), step)

    def _lag(self, name: str, step: int) -> float:
        """Part of the steps since the last update began whose actions came from the weights before it."""
        begun, finished = self._spans.get(name, (step, step))
        return (finished - begun) / (step - begun) if step > begun else 0.0

    def _finish(self, running: _Running) -> None:
        behavior = running.behavior
        del self._running[behavior.name]
        previous = self._clock.switch(UPDATE)
        running.future.result()
        running.job.finish(behavior.reporter.add_stat)
        self._spans[behavior.name] = running.step, behavior.trainer.step
        self._clock.switch(previous)
