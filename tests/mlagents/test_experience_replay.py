"""The ring: what it remembers, how rows are linked, and what happens when it is full."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainer_helpers import behavior_spec, decision_steps, few_examples, step_batch, terminal_steps

from mlagents.experience.replay import ReplayStore
from mlagents.experience.replay_sequences import follow_sequences, sequence_starts
from mlagents.sampling.collector import Collector
from mlagents_envs.base_env import ActionSpec


def make_store(capacity: int, *, length: int = 1, keeps_all_ends: bool = False) -> ReplayStore:
    return ReplayStore(behavior_spec(), capacity, sequence_length=length, keeps_all_ends=keeps_all_ends)


class Agents:
    """Agents whose observations are unique numbers, and a plain list of all that happened to them."""

    def __init__(self, store: ReplayStore, count: int) -> None:
        self.collector = Collector(store, 1000)
        self.count = count
        self.open: dict[int, float] = {}
        self.number = 0.0
        self.transitions: dict[float, tuple[float, float | None, bool]] = {}
        """By observation: reward, next observation if it is kept, and whether the episode ended."""

    def step(self, ends: dict[int, bool], silent: set[int]) -> None:
        """One step: some episodes end (True: interrupted), some agents say nothing."""
        store = self.collector.store
        speaking = [agent for agent in range(self.count) if agent not in silent]
        ended = [agent for agent in speaking if agent in ends]
        finals, rewards, observations, terminal_rewards = [], [], [], []
        for agent in ended:
            self.number += 1.0
            finals.append(self.number)
            terminal_rewards.append(self.number / 7.0)
            if agent in self.open:
                kept = ends[agent] or store.keeps_all_ends
                self.transitions[self.open.pop(agent)] = (
                    self.number / 7.0,
                    self.number if kept else None,
                    not ends[agent],
                )
        for agent in speaking:
            self.number += 1.0
            observations.append(self.number)
            rewards.append(self.number / 7.0)
            if agent in self.open:
                self.transitions[self.open[agent]] = (self.number / 7.0, self.number, False)
            self.open[agent] = self.number
        self.collector.observe(
            step_batch(
                decision_steps(speaking, observations, rewards),
                terminal_steps(ended, finals, terminal_rewards, [ends[agent] for agent in ended]),
            )
        )


steps = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 4), st.booleans(), max_size=3),
        st.sets(st.integers(0, 4), max_size=4),
    ),
    min_size=1,
    max_size=60,
)


@few_examples
@given(steps, st.integers(12, 40), st.booleans())
def test_every_remembered_transition_is_one_that_happened(
    script: list[tuple[dict[int, bool], set[int]]], capacity: int, keeps_all_ends: bool
) -> None:
    store = make_store(capacity, keeps_all_ends=keeps_all_ends)
    agents = Agents(store, 5)
    for ends, silent in script:
        agents.step(ends, silent)
        rows = np.flatnonzero(store.complete[: store.num_rows])
        assert store.num_stored == len(rows)
        for row in rows.tolist():
            observation = float(store.observations[0][row, 0])
            reward, following, done = agents.transitions[observation]
            assert store.rewards[row] == np.float32(reward)
            assert store.done[row] == done
            next_row = store.next_row[row]
            if following is None:
                assert next_row == -1
            else:
                assert store.observations[0][next_row, 0] == following
    if store.capacity == capacity:
        total = len(agents.transitions)
        # all but rows in progress, final observations and what does not fit at the end of the ring
        assert store.num_stored >= min(total, capacity // 2 - 10)


@few_examples
@given(steps, st.integers(12, 40), st.sampled_from([2, 3]))
def test_sequences_are_consecutive_decisions_from_the_beginning_of_the_episode(
    script: list[tuple[dict[int, bool], set[int]]], capacity: int, length: int
) -> None:
    store = make_store(capacity, length=length)
    agents = Agents(store, 5)
    for ends, silent in script:
        agents.step(ends, silent)
    values = store.observations[0][:, 0]
    decisions = np.flatnonzero(store.agent_slot[: store.num_rows] >= 0)
    for row in decisions.tolist():
        previous = store.previous_row[row]
        assert store.begins[row] == (previous < 0) == (store.position[row] == 0)
        if previous >= 0 and store.next_row[previous] == row:
            assert store.position[row] == store.position[previous] + 1
    starts = sequence_starts(store)
    assert set(starts) == {
        row for row in decisions if store.complete[row] and store.position[row] % length == 0
    }
    found = follow_sequences(store, starts, 2)
    for rows, mask, before in zip(found.rows, found.mask, found.before, strict=True):
        count = int(mask.sum())
        assert count >= 1
        assert mask[:count].all()
        for place in range(count):
            observation = float(values[rows[place]])
            _, following, _ = agents.transitions[observation]
            if following is not None:
                assert values[rows[place + 1]] == following
        assert (rows[count + 1 :] == rows[0]).all()
        kept = before[before >= 0]
        assert len(kept) == 0 or before[-1] >= 0
        chain = [*kept.tolist(), int(rows[0])]
        for one, other in pairwise(chain):
            assert agents.transitions[float(values[one])][1] == values[other]


def test_positions_begin_anew_with_each_episode_and_ignore_the_time_horizon() -> None:
    store = make_store(64, length=3)
    agents = Agents(store, 1)
    agents.collector.time_horizon = 2
    for step in range(12):
        agents.step({0: True} if step == 5 else {}, set())
    decisions = np.flatnonzero(store.agent_slot[: store.num_rows] >= 0)
    assert store.position[decisions].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6]
    assert store.position[sequence_starts(store)].tolist() == [0, 3, 0, 3]


def test_a_sequence_whose_beginning_was_overwritten_is_out_of_use() -> None:
    """D14: the ring forgets by sequences."""
    store = make_store(20, length=4)
    agents = Agents(store, 1)
    for _ in range(30):
        agents.step({}, set())
    starts = sequence_starts(store)
    assert (store.position[starts] % 4 == 0).all()
    oldest = store.position[store.complete].min()
    assert oldest % 4  # rows of a broken sequence are there
    assert store.position[starts].min() > oldest


def test_draws_are_uniform_over_known_outcomes() -> None:
    store = make_store(40)
    agents = Agents(store, 3)
    for step in range(30):
        agents.step({0: True} if step % 4 == 0 else {}, set())
    known = np.flatnonzero(store.complete)
    rng = np.random.default_rng(0)
    drawn = np.concatenate([store.sample(64, rng) for _ in range(300)])
    counts = np.bincount(drawn, minlength=40)
    assert set(np.flatnonzero(counts)) == set(known)
    expected = len(drawn) / len(known)
    assert (abs(counts[known] - expected) < 5 * np.sqrt(expected)).all()


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing is stored"):
        make_store(8).sample(1, np.random.default_rng(0))


def test_an_agent_that_stays_away_for_a_round_begins_anew() -> None:
    store = make_store(12)
    agents = Agents(store, 2)
    agents.step({}, set())
    for _ in range(20):
        agents.step({}, {1})
    before = store.num_complete
    collector = agents.collector
    assert collector.open_row.tolist()[1] == -1
    collector.observe(step_batch(decision_steps([1], [500.0], [3.0])))
    assert store.num_complete == before  # its reward belongs to a decision that is gone
    row = int(collector.open_row[1])
    assert store.begins[row]
    assert store.observations[0][row, 0] == 500.0


def test_agents_that_wait_never_overwrite_each_other() -> None:
    """Many agents in a short ring: it grows instead."""
    store = make_store(8)
    agents = Agents(store, 20)
    for _ in range(6):
        agents.step({}, set())
    assert store.capacity >= 40
    assert store.num_stored > 20


def test_abandoned_rows_are_never_learned_from_but_end_what_was_before() -> None:
    store = make_store(64, length=2)
    agents = Agents(store, 2)
    for _ in range(3):
        agents.step({}, set())
    abandoned = agents.collector.open_row.copy()
    agents.collector.reset_worker(0)
    agents.open.clear()
    agents.step({}, set())
    assert not store.complete[abandoned].any()
    previous = np.flatnonzero(np.isin(store.next_row[: store.num_rows], abandoned))
    assert len(previous) == 2
    assert store.complete[previous].all()
    assert store.position[agents.collector.open_row].tolist() == [0, 0]
    for _ in range(80):  # the ring overwrites abandoned rows, and nobody is taken for lost
        agents.step({}, set())
        assert (agents.collector.open_row >= 0).all()
        assert not store.begins[agents.collector.open_row].any()


def test_images_are_kept_as_bytes() -> None:
    spec = behavior_spec(ActionSpec.create_continuous(1), ((3, 4, 4), 2))
    store = ReplayStore(spec, 10)
    image = (np.arange(48, dtype=np.float32) / np.float32(255)).reshape(1, 3, 4, 4)
    vector = np.array([[0.5, -1.0]], dtype=np.float32)
    for _ in range(13):
        row = store.append([image, vector], np.array([0]), np.zeros(1, dtype=np.int32), 0)
        store.complete[row] = True
    raw = store.raw_observations(np.array([row]))
    assert raw[0].dtype == np.uint8
    np.testing.assert_array_equal(store.observations[0][np.array([row])], image)
    np.testing.assert_array_equal(raw[1], vector)


@few_examples
@given(steps, st.integers(0, 30))
def test_a_restored_ring_goes_on_like_the_one_that_was_saved(
    script: list[tuple[dict[int, bool], set[int]]], more: int
) -> None:
    store = make_store(16, length=2)
    agents = Agents(store, 4)
    for ends, silent in script:
        agents.step(ends, silent)
    other = make_store(16, length=2)
    twin = Agents(other, 4)
    state = agents.collector.get_state()
    twin.collector.set_state({**state, "store": {k: _copied(v) for k, v in state["store"].items()}})
    twin.number, twin.open = agents.number, dict(agents.open)
    for step in range(more):
        for each in (agents, twin):
            each.step({step % 4: bool(step % 3)} if step % 5 == 0 else {}, {(step + 1) % 4})
    for mine, theirs in zip(_leaves(store), _leaves(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    rng, rng_2 = np.random.default_rng(1), np.random.default_rng(1)
    if store.num_stored:
        np.testing.assert_array_equal(store.sample(9, rng), other.sample(9, rng_2))


def _copied(value: object) -> object:
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def _leaves(store: ReplayStore) -> list[np.ndarray]:
    state = store.get_state()
    observations = state.pop("observations")
    used = state["complete"] | (state["agent_slot"] >= 0)
    return [*(np.asarray(v) for v in state.values()), *(column[used] for column in observations)]
