"""Environments in processes of their own: the same columns as in this process, and every way to die."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlagents.sampling.process_worker import ProcessWorker, WorkerCrash
from mlagents.sampling.worker import EnvironmentWorker, InlineWorker, StepBatch
from mlagents.settings.errors import EnvironmentFailure
from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.exception import UnityEnvironmentException, UnityException
from mlagents_envs.registry import EnvironmentOptions, make_environment
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel


def build(channels: Sequence[SideChannel], name: str = "3DBall", seed: int = 7) -> BaseEnv:
    return make_environment(name, EnvironmentOptions(seed=seed, num_areas=3, side_channels=tuple(channels)))


@pytest.fixture(scope="module")
def worker() -> Iterator[ProcessWorker]:
    made = ProcessWorker(build, "3DBall", 1, timeout=60.0)
    made.reset()
    made.receive()
    yield made
    made.close()


def play(worker: EnvironmentWorker, steps: int) -> list[Any]:
    """What a worker reports under pseudo-random actions."""
    rng = np.random.default_rng(0)
    worker.reset()
    batches = worker.receive()
    seen: list[Any] = []
    for _ in range(steps):
        seen.append([copied(batch) for batch in batches])
        specs = worker.behavior_specs()
        worker.submit(
            {
                b.behavior_id: specs[b.behavior_id].action_spec.random_action(len(b.decision), rng)
                for b in batches
            }
        )
        batches = worker.receive()
    return seen


def copied(batch: StepBatch) -> list[Any]:
    decision, terminal = batch.decision, batch.terminal
    columns = [*decision.obs, decision.reward, decision.agent_id, decision.group_id, decision.group_reward]
    columns += decision.action_mask or []
    columns += [*terminal.obs, terminal.reward, terminal.interrupted, terminal.agent_id, terminal.group_id]
    return [batch.behavior_id, *(np.array(column) for column in columns)]


@pytest.mark.parametrize("name", ["3DBall", "Basic"])
def test_columns_equal_those_of_this_process(name: str) -> None:
    builder = functools.partial(build, name=name)
    remote = ProcessWorker(builder, name, 0)
    try:
        ours, theirs = play(InlineWorker(builder([]), name), 150), play(remote, 150)
    finally:
        remote.close()
    assert sum(len(batch) for step in ours for batch in step) == sum(len(b) for step in theirs for b in step)
    for mine, other in zip(ours, theirs, strict=True):
        for one, two in zip(mine, other, strict=True):
            assert one[0] == two[0]
            for left, right in zip(one[1:], two[1:], strict=True):
                np.testing.assert_array_equal(left, right)


def test_state_is_saved_and_restored(worker: ProcessWorker) -> None:
    state = worker.get_state()
    assert state is not None
    (behavior_id,) = worker.behavior_specs()
    actions = {behavior_id: ActionTuple(continuous=np.full((3, 2), 0.3, dtype=np.float32))}

    def go() -> list[Any]:
        worker.submit(actions)
        return copied(worker.receive()[0])

    first = [go() for _ in range(5)]
    assert worker.set_state(state)
    for one, two in zip(first, [go() for _ in range(5)], strict=True):
        for left, right in zip(one[1:], two[1:], strict=True):
            np.testing.assert_array_equal(left, right)


def test_a_restored_worker_needs_no_reset(worker: ProcessWorker) -> None:
    state = worker.get_state()
    assert state is not None
    other = ProcessWorker(build, "3DBall", 0)
    try:
        assert other.set_state(state)
        (behavior_id,) = other.behavior_specs()
        other.submit({behavior_id: ActionTuple(continuous=np.zeros((3, 2), dtype=np.float32))})
        assert len(other.receive()[0].decision) == 3
    finally:
        other.close()


class ChangingEnv:
    """Wraps an environment: other numbers of agents, statistics, bugs, hangs, on request."""

    def __init__(self, channels: Sequence[SideChannel], trouble: str) -> None:
        import uuid

        from mlagents_envs.side_channel.outgoing_message import OutgoingMessage

        self._inner = build(channels, seed=1)
        self._trouble = trouble
        self._steps = 0
        self._message = OutgoingMessage
        self._channels = {str(c.channel_id): c for c in channels}
        self._stats = str(uuid.UUID("a1d8f7b7-cec8-50f9-b78b-d3e165a78520"))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._inner, name)

    def step(self) -> None:
        self._steps += 1
        if self._trouble == "bug":
            raise KeyError("a mistake of the author")
        if self._trouble == "on purpose":
            raise UnityEnvironmentException("the game says no")
        if self._trouble == "hang":
            time.sleep(60)
        if self._trouble == "exit":
            os._exit(3)
        if self._trouble == "stats":
            from mlagents_envs.side_channel.incoming_message import IncomingMessage

            message = self._message()
            message.write_string("score")
            message.write_float32(2.5)
            message.write_int32(0)
            self._channels[self._stats].on_message_received(IncomingMessage(bytes(message.buffer)))
        self._inner.step()


def troubled(trouble: str, timeout: float = 60.0, channels: Sequence[SideChannel] = ()) -> ProcessWorker:
    worker = ProcessWorker(functools.partial(ChangingEnv, trouble=trouble), "Troubled", 2, channels, timeout)
    worker.reset()
    worker.receive()
    return worker


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        ("bug", EnvironmentFailure, "Troubled failed to step: KeyError"),
        ("on purpose", UnityEnvironmentException, "the game says no"),
        ("exit", WorkerCrash, r"Environment 2 \(Troubled\) died with exit code 3"),
    ],
)
def test_what_goes_wrong_is_named(trouble: str, error: type[Exception], message: str) -> None:
    worker = troubled(trouble)
    try:
        worker.submit({})
        with pytest.raises(error, match=message) as caught:
            worker.receive()
        if trouble == "bug":
            assert "a mistake of the author" in "".join(caught.value.__cause__.__notes__)
    finally:
        worker.close()


def test_a_worker_that_hangs_is_given_up(tmp_path: Path) -> None:
    worker = troubled("hang", timeout=5.0)
    worker.submit({})
    started = time.monotonic()
    with pytest.raises(WorkerCrash, match="did not answer for 5 s"):
        worker.receive()
    assert time.monotonic() - started < 8.0
    worker.kill()
    assert worker.pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)


def test_a_killed_worker_leaves_no_memory_behind() -> None:
    worker = troubled("none")
    names = [columns.memory.name for columns in worker._columns.values()]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerCrash, match="died by signal 9"):
        play(worker, 3)
    worker.kill()
    for name in names:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name)


def test_side_channels_pass_through() -> None:
    stats, parameters = StatsSideChannel(), EnvironmentParametersChannel()
    worker = troubled("stats", channels=[stats, parameters])
    try:
        parameters.set_float_parameter("mass", 4.0)
        worker.submit({})
        assert parameters.message_queue == []
        worker.receive()
        assert [value for value, _ in stats.get_and_reset_stats()["score"]] == [2.5]
    finally:
        worker.close()


def test_environments_that_cannot_be_built_say_why() -> None:
    worker = ProcessWorker(functools.partial(build, name="3DBal"), "3DBal", 0)
    try:
        with pytest.raises(UnityException, match="no environment named '3DBal'"):
            play(worker, 1)
    finally:
        worker.close()


def test_scripts_without_a_guard_and_no_orphans(tmp_path: Path) -> None:
    """A script that starts a worker at its top level, and is killed: the worker ends by itself."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from mlagents.sampling.process_worker import ProcessWorker

            def build(channels):
                from mlagents_envs.registry import EnvironmentOptions, make_environment
                return make_environment("Basic", EnvironmentOptions())

            worker = ProcessWorker(build, "Basic", 0)
            worker.reset()
            batches = worker.receive()
            names = [columns.memory.name for columns in worker._columns.values()]
            print(worker.pid, len(batches), *names, flush=True)
            time.sleep(60)
            """
        )
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid, batches, name = process.stdout.readline().split()
        assert batches == "1"
        process.kill()
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline and (is_running(int(pid)) or Path("/dev/shm", name).exists()):
        time.sleep(0.1)
    assert not is_running(int(pid))
    assert not Path("/dev/shm", name).exists()


def is_running(pid: int) -> bool:
    """Whether a process is there and not merely waiting for its parent to take note of its end."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
