"""Who waits for actions, and what agents remember."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from trainer_helpers import ACTION_SPECS, behavior_spec, decision_steps, step_batch, terminal_steps

from mlagents.algorithms.acting_loop import ActingLoop
from mlagents.experience.store import RolloutStore
from mlagents.networks.acting import ActionColumns
from mlagents.sampling.collector import Collector
from mlagents.state_tree import to_arrays, to_tensors
from mlagents_envs.base_env import ActionTuple


class Echo:
    """Acts with what it observes, and remembers the sum of all observations of the episode."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []

    def act(self, observations: list[NDArray[np.float32]], columns: ActionColumns) -> ActionTuple:
        seen = observations[0][:, :1]
        self.batches.append(seen[:, 0].tolist())
        columns.continuous[...] = seen
        columns.log_probs[...] = -seen
        columns.discrete[...] = seen.astype(np.int32)
        for memory in (columns.memory, columns.critic_memory):
            if memory is not None:
                memory += seen
        return ActionTuple(np.repeat(seen, 2, axis=1), columns.discrete.copy())


def make_loop(memory_size: int = 0, critic_memory_size: int = 0) -> ActingLoop:
    spec = behavior_spec(ACTION_SPECS["hybrid"])
    store = RolloutStore(spec, 8, memory_size=memory_size, critic_memory_size=critic_memory_size)
    return ActingLoop("Ball", spec, Collector(store, 100), Echo())


def observe(
    loop: ActingLoop, agents: list[int], seen: list[float], worker: int = 0, ended: list[int] | None = None
) -> int:
    ended = ended or []
    terminal = terminal_steps(ended, [0.0] * len(ended))
    return loop.observe(step_batch(decision_steps(agents, seen), terminal, worker=worker))


def answers(loop: ActingLoop) -> dict[int, list[float]]:
    return {worker: action.continuous[:, 0].tolist() for worker, _, action in loop.act(0)}


@pytest.mark.parametrize(
    ("reset", "expected"), [(0, {1: [30, 40], 2: [50]}), (1, {0: [10], 2: [50]}), (2, {0: [10], 1: [30, 40]})]
)
def test_reset_of_one_worker_leaves_the_others_their_own_actions(
    reset: int, expected: dict[int, list[float]]
) -> None:
    loop = make_loop()
    store = loop.collector.store
    observe(loop, [1], [10])
    observe(loop, [1, 2], [30, 40], worker=1)
    observe(loop, [1], [50], worker=2)
    loop.reset_worker(reset)
    assert answers(loop) == expected
    everyone = [10, 30, 40, 50]
    answered = {value for values in expected.values() for value in values}
    acted = [value in answered for value in everyone]
    assert_array_equal(store.continuous_actions[:4, 0], np.where(acted, everyone, 0))
    assert_array_equal(store.discrete_actions[:4, 1], np.where(acted, everyone, 0))
    assert_array_equal(store.log_probs[:4, 2], np.where(acted, np.negative(everyone), 0))
    observe(loop, [1], [60], worker=reset)
    assert answers(loop) == {reset: [60]}


def test_those_who_wait_keep_their_rows_over_an_update() -> None:
    loop = make_loop()
    observe(loop, [1, 2], [1, 2])
    answers(loop)
    assert observe(loop, [1, 2], [3, 4]) == 2
    observe(loop, [1], [5], worker=1)
    loop.keep_unready()
    assert loop.collector.store.num_rows == 3
    assert answers(loop) == {0: [3, 4], 1: [5]}
    assert_array_equal(loop.collector.store.continuous_actions[:3, 0], [3, 4, 5])
    assert loop.act(0) == []


def test_memories_are_noted_before_acting_and_zero_at_the_start_of_an_episode() -> None:
    loop = make_loop(memory_size=2, critic_memory_size=3)
    store = loop.collector.store
    observe(loop, [7, 8], [1, 10])
    answers(loop)
    observe(loop, [8, 7], [20, 2])  # in another order
    assert_array_equal(store.memory[2:4, 0], [10, 1])  # noted at once: an update may come before acting
    answers(loop)
    observe(loop, [7, 8], [4, 40], ended=[8])  # 8 ends one episode and begins the next
    assert_array_equal(store.memory[4:6], [[3, 3], [0, 0]])
    assert_array_equal(store.critic_memory[4:6], [[3, 3, 3], [0, 0, 0]])
    answers(loop)
    observe(loop, [], [], ended=[7])
    observe(loop, [9, 8, 7], [0, 0, 0])  # 9 is new
    assert_array_equal(store.memory[6:9, 1], [0, 40, 0])


def test_agents_of_a_worker_that_was_reset_remember_nothing() -> None:
    loop = make_loop(memory_size=2)
    observe(loop, [1], [1])
    observe(loop, [1], [2], worker=1)
    answers(loop)
    loop.reset_worker(0)
    first = loop.collector.store.num_rows
    observe(loop, [1], [0])
    observe(loop, [1], [0], worker=1)
    assert_array_equal(loop.collector.store.memory[first : first + 2, 0], [0, 2])


@pytest.mark.parametrize("waiting", [False, True])
def test_saved_loop_continues_alike(waiting: bool) -> None:
    loop, other = (make_loop(memory_size=2, critic_memory_size=2) for _ in range(2))
    observe(loop, [1, 2], [1, 2])
    answers(loop)
    if waiting:
        observe(loop, [2, 1], [3, 4])
        observe(loop, [1], [9], worker=1)
    other.set_state(to_arrays(to_tensors(loop.get_state())))
    results = []
    for each in (loop, other):
        first = answers(each)
        observe(each, [1, 2], [5, 6], ended=[1])
        store = each.collector.store
        results.append((first, answers(each), store.memory[: store.num_rows].tolist()))
    assert results[0] == results[1]
    assert bool(results[0][0]) == waiting
    assert max(map(max, results[0][2])) > 0


def test_state_of_other_memories_is_refused() -> None:
    with pytest.raises(ValueError, match="remember 2 numbers, but 4"):
        make_loop(memory_size=2).set_state(make_loop(memory_size=4).get_state())
