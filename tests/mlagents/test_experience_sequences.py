"""Sequences for recurrent networks: cut from the start of segments, and whole across updates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from trainer_helpers import behavior_spec, decision_steps, few_examples, step_batch, terminal_steps

from mlagents.experience.sequences import cut_into_sequences
from mlagents.experience.store import RolloutStore
from mlagents.experience.targets import RewardStream, compute_targets
from mlagents.sampling.collector import Collector


def make_collector(length: int, time_horizon: int = 1000) -> Collector:
    return Collector(RolloutStore(behavior_spec(), 16, sequence_length=length), time_horizon)


def follow(collector: Collector, agents: list[int], ended: list[int] | None = None) -> None:
    ended = ended or []
    collector.observe(
        step_batch(decision_steps(agents, [0.0] * len(agents)), terminal_steps(ended, [0.0] * len(ended)))
    )


def test_sequences_of_two_agents_by_hand() -> None:
    collector = make_collector(length=2)
    follow(collector, [1, 2])  # rows 0, 1
    follow(collector, [1, 2])  # rows 2, 3
    follow(collector, [1], ended=[2])  # row 4
    follow(collector, [1, 2])  # rows 5, 6
    # agent 1 has rows 0, 2 | 4, 5: row 5 waits for its outcome, and row 4 for row 5
    assert_array_equal(collector.store.ready(), [True, True, True, True, False, False, False])
    assert_array_equal(cut_into_sequences(collector.store), [[0, 2], [1, 3]])
    follow(collector, [2], ended=[1])  # row 7; the episode of agent 1 is over
    assert_array_equal(cut_into_sequences(collector.store), [[0, 2], [1, 3], [4, 5]])


def test_time_horizon_closes_a_sequence() -> None:
    collector = make_collector(length=4, time_horizon=3)
    for _ in range(5):
        follow(collector, [1])
    # rows 0, 1, 2 are a segment; 3 waits for more
    assert_array_equal(collector.store.ready(), [True, True, True, False, False])
    assert_array_equal(cut_into_sequences(collector.store), [[0, 1, 2, -1]])


def test_reset_closes_a_sequence() -> None:
    collector = make_collector(length=4)
    for _ in range(3):
        follow(collector, [1])
    assert not collector.store.ready().any()
    collector.reset_worker(0)
    assert_array_equal(collector.store.ready(), [True, True, False])
    assert_array_equal(cut_into_sequences(collector.store), [[0, 1, -1, -1]])
    assert_array_equal(collector.keep_unready(), [-1, -1, -1, -1])


def test_rows_held_back_keep_their_links_and_place() -> None:
    collector = make_collector(length=3)
    store = collector.store
    for _ in range(6):
        follow(collector, [1])  # rows 0, 1, 2 | 3, 4, 5
    assert store.num_complete == 5
    assert store.has_ready(3)
    assert not store.has_ready(4)
    store.rewards[3:5] = [7.0, 8.0]
    moved = collector.keep_unready()
    assert_array_equal(moved, [-1, -1, -1, 0, 1, 2, -1])
    assert (store.num_rows, store.num_complete) == (3, 2)
    assert_array_equal(store.next_row[:3], [1, 2, -1])
    assert_array_equal(store.rewards[:2], [7.0, 8.0])
    assert not store.begins[:3].any()
    follow(collector, [1])
    follow(collector, [1])
    assert_array_equal(cut_into_sequences(store), [[0, 1, 2]])
    follow(collector, [], ended=[1])
    assert_array_equal(cut_into_sequences(store), [[0, 1, 2], [3, 4, -1]])


def test_targets_take_rows_that_are_ready_and_bootstrap_from_those_that_are_not() -> None:
    collector = make_collector(length=2)
    for _ in range(4):
        follow(collector, [1])
    store = collector.store
    rewards = np.array([1.0, 2.0, 4.0, 0.0], dtype=np.float32)
    values = np.array([[10.0], [20.0], [30.0], [40.0]], dtype=np.float32)
    targets = compute_targets(store, [RewardStream(rewards, 0.5)], values, np.zeros((0, 1), np.float32), 1.0)
    assert_array_equal(targets.rows, [0, 1])
    # row 2 waits: R_1 = 2 + ½ 30, R_0 = 1 + ½ R_1
    assert_array_equal(targets.returns[:, 0], [9.5, 17.0])


@few_examples
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([3, 4, 1000]))
def test_random_play_gives_every_row_once_in_order(seed: int, length: int, horizon: int) -> None:
    rng = np.random.default_rng(seed)
    collector = make_collector(length, horizon)
    store = collector.store
    taken: dict[int, list[tuple[int, int]]] = {}  # per agent, (number of its decision, place in sequence)
    time = dict.fromkeys(range(3), 0)
    starts: dict[int, set[int]] = {agent: {0} for agent in range(3)}
    alive: set[int] = set()
    for _ in range(60):
        ended = [agent for agent in sorted(alive) if rng.random() < 0.15]
        alive -= set(ended)
        deciding = [agent for agent in range(3) if rng.random() < 0.8]
        for agent in deciding:
            if agent not in alive:
                starts[agent].add(time[agent])
        numbers = [float(100 * time[agent] + agent) for agent in deciding]
        for agent in deciding:
            time[agent] += 1
        alive |= set(deciding)
        collector.observe(
            step_batch(decision_steps(deciding, numbers), terminal_steps(ended, [0.0] * len(ended)))
        )
        if rng.random() < 0.1:
            for sequence in cut_into_sequences(store):
                rows = sequence[sequence >= 0]
                assert len(rows)
                assert (sequence[len(rows) :] == -1).all()
                marks = store.observations[0][rows, 0].astype(int)
                agents, decisions = marks % 100, marks // 100
                assert (agents == agents[0]).all()
                assert_array_equal(np.diff(decisions), 1)
                assert not set(decisions[1:].tolist()) & starts[int(agents[0])]  # never two episodes
                taken.setdefault(int(agents[0]), []).extend((int(d), p) for p, d in enumerate(decisions))
            collector.keep_unready()
    for agent, rows_of_agent in taken.items():
        decisions = sorted(decision for decision, _ in rows_of_agent)
        assert decisions == list(range(len(decisions)))  # each once, none left out
        for decision, place in rows_of_agent:
            if decision in starts[agent]:
                assert place == 0
            elif horizon == 1000:  # no other reason to begin anew than a full sequence
                begin = max(start for start in starts[agent] if start <= decision)
                assert place == (decision - begin) % length


@pytest.mark.parametrize("length", [1, 3])
def test_without_sequences_every_complete_row_is_ready(length: int) -> None:
    collector = make_collector(length)
    for _ in range(3):
        follow(collector, [1])
    assert int(collector.store.ready().sum()) == (2 if length == 1 else 0)
