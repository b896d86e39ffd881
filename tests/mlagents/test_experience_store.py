"""The columns of the rollout store: growth, links, and what survives an update."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from trainer_helpers import behavior_spec

from mlagents.experience.store import RolloutStore
from mlagents_envs.base_env import ActionSpec

SPEC = behavior_spec(ActionSpec.create_hybrid(2, (3, 2)), sizes=(2, 1))


def observations(*numbers: float) -> list[np.ndarray]:
    """Observations that can be told apart: ``x`` becomes ``[x, x + 0.5]`` and ``[-x]``."""
    x = np.array(numbers, dtype=np.float32)
    return [np.stack([x, x + 0.5], axis=1), -x[:, None]]


def append(store: RolloutStore, *numbers: float, slots: list[int] | None = None, tick: int = 0) -> int:
    count = len(numbers)
    slots_array = np.array(slots if slots is not None else range(count), dtype=np.int64)
    return store.append(observations(*numbers), slots_array, np.full(count, 4, dtype=np.int32), tick)


def filled(capacity: int = 8) -> RolloutStore:
    """Five rows: 0 and 1 complete and linked to 3 and 4, 2 abandoned, 3 and 4 incomplete."""
    store = RolloutStore(SPEC, capacity)
    append(store, 10, 11, 12, slots=[0, 1, 2], tick=1)
    append(store, 13, 14, slots=[1, 0], tick=2)
    rows = np.array([0, 1])
    store.next_row[rows] = [4, 3]
    store.complete[rows] = True
    store.trace_cut[1] = True
    store.num_complete = 2
    store.rewards[rows] = [0.25, 0.5]
    for column in (store.continuous_actions, store.log_probs, store.discrete_actions):
        column[:5] = np.arange(5)[:, None]
    store.allowed_actions[3:5, 1] = False
    store.abandon(np.array([2]))
    return store


def test_append_writes_consecutive_rows_in_the_given_order() -> None:
    store = RolloutStore(SPEC, 8)
    assert append(store, 1, 2, slots=[7, 3], tick=5) == 0
    assert append(store, 3, slots=[9], tick=6) == 2
    assert store.num_rows == 3
    assert_array_equal(store.observations[0][:3], [[1, 1.5], [2, 2.5], [3, 3.5]])
    assert_array_equal(store.observations[1][:3], [[-1], [-2], [-3]])
    assert_array_equal(store.agent_slot[:3], [7, 3, 9])
    assert_array_equal(store.tick[:3], [5, 5, 6])
    assert_array_equal(store.group_id[:3], [4, 4, 4])


def test_new_rows_are_incomplete_unlinked_and_allow_everything() -> None:
    store = RolloutStore(SPEC, 2)
    append(store, 1, 2, 3)
    assert not store.complete[:3].any()
    assert (store.next_row[:3] == -1).all()
    assert (store.bootstrap_row[:3] == -1).all()
    assert not store.trace_cut[:3].any()
    assert store.allowed_actions[:3].all()
    assert store.allowed_actions.shape[1] == 5
    assert store.log_probs.shape[1] == 4


@pytest.mark.parametrize("capacity", [5, 6])
def test_growth_keeps_all_columns(capacity: int) -> None:
    store, reference = filled(capacity), filled(64)
    append(store, 20, 21, 22)
    append(reference, 20, 21, 22)
    assert store.capacity >= 8
    state, expected = store.get_state(), reference.get_state()
    for name in RolloutStore._ROW_COLUMNS:
        assert_array_equal(state[name], expected[name], err_msg=name)
    for column, other in zip(state["observations"], expected["observations"], strict=True):
        assert_array_equal(column, other)


def test_growth_at_least_doubles() -> None:
    store = RolloutStore(SPEC, 4)
    append(store, 1, 2, 3, 4)
    assert store.capacity == 4
    append(store, 5)
    assert store.capacity == 8
    append(store, *range(100))
    assert store.capacity == 105


def test_keep_unready_moves_open_rows_to_the_front() -> None:
    store = filled()
    moved = store.keep_unready()
    # rows 0 and 1 are complete, 2 is abandoned; 3 and 4 stay, in order; "no row" maps to itself
    assert_array_equal(moved, [-1, -1, -1, 0, 1, -1])
    assert moved[-1] == -1
    assert (store.num_rows, store.num_complete) == (2, 0)
    assert_array_equal(store.observations[0][:2, 0], [13, 14])
    assert_array_equal(store.observations[1][:2, 0], [-13, -14])
    assert_array_equal(store.agent_slot[:2], [1, 0])
    assert_array_equal(store.tick[:2], [2, 2])
    assert_array_equal(store.continuous_actions[:2, 0], [3, 4])
    assert_array_equal(store.discrete_actions[:2, 1], [3, 4])
    assert_array_equal(store.log_probs[:2, 3], [3, 4])


def test_keep_unready_resets_links_and_masks_for_rows_to_come() -> None:
    store = filled()
    store.add_bootstrap(observations(70), np.array([0]))
    store.keep_unready()
    assert store.num_bootstrap == 0
    append(store, 30, 31, 32, slots=[5, 6, 7])
    assert (store.next_row[:5] == -1).all()
    assert (store.bootstrap_row[:5] == -1).all()
    assert not store.complete[:5].any()
    assert not store.trace_cut[:5].any()
    # masks of rows that were kept stay; rows that follow allow everything again
    assert_array_equal(store.allowed_actions[:5, 1], [False, False, True, True, True])


def test_keep_unready_of_an_empty_store() -> None:
    store = RolloutStore(SPEC, 4)
    assert_array_equal(store.keep_unready(), [-1])
    assert store.num_rows == 0


def test_abandoned_rows_keep_their_link_until_the_update() -> None:
    store = RolloutStore(SPEC, 4)
    append(store, 1)
    append(store, 2)
    store.next_row[0] = 1
    store.complete[0] = True
    store.abandon(np.array([1]))
    assert store.next_row[0] == 1
    assert not store.complete[1]
    store.keep_unready()
    assert store.num_rows == 0


def test_bootstrap_observations_grow_and_stay_linked() -> None:
    store = RolloutStore(SPEC, 256)
    append(store, *range(200))
    for begin in range(0, 150, 3):
        rows = np.arange(begin, begin + 3) + 20
        store.add_bootstrap(observations(*(1000.0 + rows)), rows)
    assert store.num_bootstrap == 150
    for row in (20, 83, 84, 169):
        where = store.bootstrap_row[row]
        assert_array_equal(store.bootstrap_observations[0][where], [1000 + row, 1000.5 + row])
        assert_array_equal(store.bootstrap_observations[1][where], [-1000 - row])
    assert store.bootstrap_row[19] == store.bootstrap_row[170] == -1


def test_more_bootstraps_at_once_than_twice_the_capacity() -> None:
    store = RolloutStore(SPEC, 256)
    append(store, *range(200))
    store.add_bootstrap(observations(*range(200)), np.arange(200))
    assert_array_equal(store.bootstrap_observations[0][:200, 0], np.arange(200))


@pytest.mark.parametrize("dirty", [False, True])
def test_state_round_trip(dirty: bool) -> None:
    store = filled()
    store.add_bootstrap(observations(70, 71), np.array([0, 1]))
    other = RolloutStore(SPEC, 2)
    if dirty:  # whatever was in the other store must not show through
        append(other, *range(9))
        other.complete[:] = other.trace_cut[:] = True
        other.next_row[:] = other.bootstrap_row[:] = 3
        other.allowed_actions[:] = False
    other.set_state(store.get_state())
    assert (other.num_rows, other.num_complete, other.num_bootstrap) == (5, 2, 2)
    for continued in (store, other):
        append(continued, 40, 41)
        continued.add_bootstrap(observations(72), np.array([5]))
    state, expected = other.get_state(), store.get_state()
    for name in RolloutStore._ROW_COLUMNS:
        assert state[name].dtype == expected[name].dtype
        assert_array_equal(state[name], expected[name], err_msg=name)
    for key in ("observations", "bootstrap_observations"):
        for column, reference in zip(state[key], expected[key], strict=True):
            assert_array_equal(column, reference)
