"""Several environments: who is waited for, and what happens to those that fail."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from mlagents.sampling.pool import RestartQuota, WorkerPool
from mlagents.sampling.process_worker import ProcessWorker, WorkerCrash
from mlagents.sampling.worker import EnvironmentWorker, InlineWorker, StepBatch
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec
from mlagents_envs.exception import UnityObservationException, UnityTimeOutException
from mlagents_envs.registry import EnvironmentOptions, make_environment
from mlagents_envs.side_channel.side_channel import SideChannel


def build(channels: Sequence[SideChannel], seed: int = 0) -> BaseEnv:
    return make_environment("Basic", EnvironmentOptions(seed=seed, side_channels=tuple(channels)))


def process(index: int) -> ProcessWorker:
    return ProcessWorker(functools.partial(build, seed=index), "Basic", index)


class FakeWorker:
    """Answers as it is told, for the tests of the quota."""

    def __init__(self, index: int, errors: list[Exception]) -> None:
        self._index = index
        self._errors = errors

    @property
    def index(self) -> int:
        return self._index

    def reset(self) -> None:
        pass

    def submit(self, actions: Mapping[str, ActionTuple]) -> None:
        pass

    def receive(self) -> list[StepBatch]:
        if self._errors:
            raise self._errors.pop(0)
        return []

    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        return {}

    def get_state(self) -> dict[str, Any] | None:
        return None

    def set_state(self, state: dict[str, Any]) -> bool:
        return False

    def close(self) -> None:
        pass


def fake(*errors: Exception) -> Callable[[int], EnvironmentWorker]:
    left = list(errors)
    return lambda index: FakeWorker(index, left)


def step_once(pool: WorkerPool) -> None:
    pool.submit({}, [0])
    pool.receive()


def test_failures_within_the_quota_are_survived() -> None:
    restarted: list[int] = []
    crash = WorkerCrash(0, "Game", "died")
    pool = WorkerPool(
        fake(crash, UnityTimeOutException("slow"), crash), 1, RestartQuota(2, -1), restarted.append
    )
    with pytest.raises(WorkerCrash, match=r"Environment 0 \(Game\) died"):
        step_once(pool)
    assert restarted == [0, 0]


@pytest.mark.parametrize("quota", [RestartQuota(0, -1), RestartQuota(-1, 0), RestartQuota(-1, 1, 1e6)])
def test_quotas(quota: RestartQuota) -> None:
    pool = WorkerPool(fake(*[UnityTimeOutException("slow")] * 2), 1, quota)
    with pytest.raises(UnityTimeOutException):
        step_once(pool)


def test_the_quota_of_a_period_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("mlagents.sampling.pool.time.monotonic", lambda: now[0])
    quota = RestartQuota(-1, 1, 60.0)
    assert quota.take(0)
    now[0] += 59.0
    assert not quota.take(0)
    assert quota.take(1)  # each environment has its own
    now[0] += 2.0
    assert quota.take(0)
    assert quota.count(0) == 2


def test_what_a_restart_cannot_mend_is_not_tried_again() -> None:
    restarted: list[int] = []
    pool = WorkerPool(fake(UnityObservationException("NaN")), 1, RestartQuota(), restarted.append)
    with pytest.raises(UnityObservationException):
        step_once(pool)
    assert restarted == []


def test_processes_that_are_killed_come_back_and_the_others_do_not_notice() -> None:
    restarted: list[int] = []
    pool = WorkerPool(process, 2, RestartQuota(-1, -1), restarted.append)
    try:
        batches = pool.reset()
        assert sorted(batch.worker for batch in batches) == [0, 1]
        assert set(pool.behavior_specs()) == {"Basic?team=0"}
        rng = np.random.default_rng(0)
        for step in range(60):
            if step in {20, 40}:
                victim = pool.workers[step // 20 - 1]
                assert isinstance(victim, ProcessWorker)
                assert victim.pid is not None
                os.kill(victim.pid, signal.SIGKILL)
            actions: dict[int, dict[str, ActionTuple]] = {}
            for batch in batches:
                spec = pool.workers[batch.worker].behavior_specs()[batch.behavior_id]
                random_action = spec.action_spec.random_action(len(batch.decision), rng)
                actions.setdefault(batch.worker, {})[batch.behavior_id] = random_action
            pool.submit(actions, [0, 1])
            batches, answered = pool.receive()
            assert sorted(answered) == [0, 1]
            assert pool.is_idle
        assert restarted == [0, 1]
    finally:
        pool.close()


def test_those_that_are_ready_need_not_wait_for_the_others() -> None:
    pool = WorkerPool(process, 2, RestartQuota())
    try:
        pool.reset()
        slow = pool.workers[1]
        assert isinstance(slow, ProcessWorker)
        assert slow.pid is not None
        os.kill(slow.pid, signal.SIGSTOP)
        pool.submit({}, [0, 1])
        for _ in range(3):
            _, answered = pool.receive(everyone=False)
            assert answered == [0]
            assert not pool.is_idle
            pool.submit({}, [0])
        assert pool.get_state() is None  # one of them is stepping
        os.kill(slow.pid, signal.SIGCONT)
        answered_by_all: set[int] = set()
        while not pool.is_idle:
            answered_by_all |= set(pool.receive(everyone=False)[1])
        assert answered_by_all == {0, 1}
    finally:
        pool.close()


def test_states_of_all() -> None:
    pool = WorkerPool(lambda index: InlineWorker(build([], seed=index), "Basic", index), 2, RestartQuota())
    pool.reset()
    state = pool.get_state()
    assert state is not None
    assert len(state["workers"]) == 2
    assert pool.set_state(state)
    assert not pool.set_state({"workers": state["workers"][:1]})
    pool.close()
