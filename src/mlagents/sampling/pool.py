"""All environments of a run: who is stepping, who is ready, and who has to be started again."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any

from mlagents.sampling.process_worker import ProcessWorker
from mlagents.sampling.worker import EnvironmentWorker, StepBatch
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.exception import (
    UnityCommunicationException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityException,
    UnityTimeOutException,
)
from mlagents_envs.logging_util import get_logger

_LOGGER = get_logger(__name__)

MENDABLE = (
    UnityCommunicationException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityTimeOutException,
)
"""What a fresh start of the environment may mend. A bug in its code is none of it."""


@dataclass
class RestartQuota:
    """How often each environment may be started again.

    Attributes:
        lifetime: restarts per environment in all, -1 for any number.
        rate: restarts per environment and period, -1 for any number.
        period: that period, seconds.
    """

    lifetime: int = 10
    rate: int = 1
    period: float = 60.0
    _counts: dict[int, int] = field(default_factory=dict)
    _recent: dict[int, deque[float]] = field(default_factory=dict)

    def take(self, worker: int) -> bool:
        """Whether the worker may be started again now; counts it if so."""
        now = time.monotonic()
        recent = self._recent.setdefault(worker, deque())
        while recent and recent[0] <= now - self.period:
            recent.popleft()
        count = self._counts.get(worker, 0)
        if 0 <= self.lifetime <= count or 0 <= self.rate <= len(recent):
            return False
        self._counts[worker] = count + 1
        recent.append(now)
        return True

    def count(self, worker: int) -> int:
        """Restarts of a worker so far."""
        return self._counts.get(worker, 0)


class WorkerPool:
    """Starts, steps and restarts environments.

    Args:
        make: makes the worker of an index; it queues what the environment has to be told first.
        count: number of environments.
        quota: how often each may be started again.
        on_restart: called with the index of a worker that is started again, as soon as its old episodes
            are lost.

    Attributes:
        workers: by index.
    """

    def __init__(
        self,
        make: Callable[[int], EnvironmentWorker],
        count: int,
        quota: RestartQuota,
        on_restart: Callable[[int], None] = lambda worker: None,
    ) -> None:
        self._make = make
        self._quota = quota
        self._on_restart = on_restart
        self.workers: list[EnvironmentWorker] = []
        self._running: set[int] = set()
        self._was_reset = False
        self._mends = True
        try:
            for index in range(count):
                self.workers.append(make(index))
        except BaseException:
            self.close()
            raise

    @property
    def is_idle(self) -> bool:
        """Whether no environment is stepping."""
        return not self._running

    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of the behaviors announced so far by any environment, by behavior id."""
        specs: dict[str, BehaviorSpec] = {}
        for worker in self.workers:
            specs |= {name: spec for name, spec in worker.behavior_specs().items() if name not in specs}
        return specs

    def reset(self) -> list[StepBatch]:
        """Reset all environments, at the same time where they can, and wait for their first steps.

        Raises:
            UnityException: an environment cannot be reset for the first time, which is not tried again; or it
                failed later, once too often.
        """
        self._drain()
        self._mends = self._was_reset
        self._running.update(range(len(self.workers)))
        for index, worker in enumerate(self.workers):
            self._guard(index, worker.reset)
        batches = []
        for index in range(len(self.workers)):
            while index in self._running:
                batches += self._take(index) or []
        self._mends = self._was_reset = True
        return batches

    def submit(self, actions: Mapping[int, Mapping[str, ActionTuple]], workers: Sequence[int]) -> None:
        """Start a step of the given workers, with actions by worker and behavior id.

        Those that have been started again since they answered are still being reset; they are left alone.
        """
        for index in workers:
            if index not in self._running:
                self._running.add(index)
                self._guard(index, functools.partial(self.workers[index].submit, actions.get(index, {})))

    def receive(self, *, everyone: bool = True) -> tuple[list[StepBatch], list[int]]:
        """Wait for environments that step.

        An environment that fails is started again as the quota allows; its answer comes with a later
        call, and its episodes are lost.

        Args:
            everyone: wait for all of them, so that the order of things does not depend on their speed; else
                for at least one, and take all that have answered.

        Returns:
            What happened, and the indices of the workers that answered.

        Raises:
            UnityException: an environment failed once too often, or in a way that a restart cannot mend.
            EnvironmentFailure: an environment has a bug.
        """
        batches: list[StepBatch] = []
        answered: list[int] = []
        while not answered or (everyone and self._running):
            for index in self._ready(everyone=everyone):
                taken = self._take(index)
                if taken is not None:
                    batches += taken
                    answered.append(index)
        return batches, answered

    def _take(self, index: int) -> list[StepBatch] | None:
        """What a worker that steps has to say; None if it failed and was started again."""
        try:
            batches = self.workers[index].receive()
        except MENDABLE as error:
            self._restart(index, error)
            return None
        self._running.discard(index)
        return batches

    def _guard(self, index: int, action: Callable[[], object]) -> None:
        """Do something with a worker, and start it again if it fails."""
        try:
            action()
        except MENDABLE as error:
            self._restart(index, error)

    def _ready(self, *, everyone: bool) -> list[int]:
        """Workers to receive from: all that step, or those that need not be waited for."""
        running = sorted(self._running)
        processes = {
            index: worker for index in running if isinstance(worker := self.workers[index], ProcessWorker)
        }
        if everyone or len(processes) < len(running):
            return running
        deadline = min(worker.deadline for worker in processes.values())
        connections = [worker.line.connection for worker in processes.values()]
        found = wait(connections, timeout=max(0.0, deadline - time.monotonic()))
        ready = [index for index, worker in processes.items() if worker.line.connection in found]
        # where nobody answered, the one that is overdue says so itself
        return ready or [min(running, key=lambda index: processes[index].deadline)]

    def _restart(self, index: int, error: UnityException) -> None:
        """Put a new worker in the place of one that failed; it is being reset when this returns."""
        while True:
            if not self._mends or not self._quota.take(index):
                raise error
            _LOGGER.warning(
                "%s It is started again (restart %d); its running episodes are lost.",
                str(error).rstrip(".") + ".",
                self._quota.count(index),
            )
            self._running.add(index)
            self._discard(self.workers[index])
            self._on_restart(index)
            try:
                self.workers[index] = self._make(index)
                self.workers[index].reset()
            except MENDABLE as another:
                error = another
            else:
                return

    @staticmethod
    def _discard(worker: EnvironmentWorker) -> None:
        if isinstance(worker, ProcessWorker):
            worker.kill()
        else:
            with suppress(Exception):  # it is broken already
                worker.close()

    def _drain(self) -> None:
        """Wait for steps that nobody will ask for."""
        while self._running:
            self.receive()

    def get_state(self) -> dict[str, Any] | None:
        """States of all environments between two steps, None where one of them cannot be saved."""
        if self._running:
            return None
        states = []
        for index, worker in enumerate(self.workers):
            try:
                state = worker.get_state()
            except MENDABLE as error:
                self._restart(index, error)
                return None
            if state is None:
                return None
            states.append(state)
        return {"workers": states}

    def set_state(self, state: Mapping[str, Any]) -> bool:
        """Continue from a state of :meth:`get_state`; False where that is not possible."""
        states = state.get("workers")
        if not isinstance(states, list) or len(states) != len(self.workers):
            return False
        restored = [worker.set_state(each) for worker, each in zip(self.workers, states, strict=True)]
        self._was_reset = all(restored)
        return self._was_reset

    def close(self) -> None:
        """Close all environments, at the same time where they can."""
        for worker in self.workers:
            if isinstance(worker, ProcessWorker):
                worker.ask_to_close()
        for worker in self.workers:
            with suppress(Exception):  # closing the others matters more than why this one does not
                worker.close()
