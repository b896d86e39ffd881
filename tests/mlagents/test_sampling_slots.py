"""Agent ids become slots: always the same one for the same agent, never shared."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from trainer_helpers import few_examples

from mlagents.sampling.slots import SlotTable

BALL = "Ball?team=0"


def ids(*agents: int) -> np.ndarray:
    return np.array(agents, dtype=np.int32)


def test_slots_are_dense_in_order_of_appearance() -> None:
    table = SlotTable()
    assert_array_equal(table.lookup(BALL, 0, "decision", ids(50, 7, 9)), [0, 1, 2])
    assert_array_equal(table.lookup(BALL, 0, "decision", ids(9, 3, 50)), [2, 3, 0])
    assert table.num_slots == 4


def test_same_ids_in_another_order_are_not_answered_from_the_cache() -> None:
    table = SlotTable()
    table.lookup(BALL, 0, "decision", ids(1, 2, 3))
    assert_array_equal(table.lookup(BALL, 0, "decision", ids(3, 1, 2)), [2, 0, 1])
    assert_array_equal(table.lookup(BALL, 0, "decision", ids(1, 2, 3)), [0, 1, 2])
    assert_array_equal(table.lookup(BALL, 0, "terminal", ids(2)), [1])
    assert_array_equal(table.lookup(BALL, 0, "decision", ids(1, 2)), [0, 1])
    assert table.num_slots == 3


def test_environment_that_reuses_its_id_array_does_not_fool_the_cache() -> None:
    table = SlotTable()
    array = ids(1, 2)
    table.lookup(BALL, 0, "decision", array)
    array[:] = [2, 1]
    assert_array_equal(table.lookup(BALL, 0, "decision", array), [1, 0])


def test_workers_and_teams_with_the_same_ids_are_different_agents() -> None:
    table = SlotTable()
    first = table.lookup(BALL, 0, "decision", ids(0, 1)).copy()
    second = table.lookup(BALL, 1, "decision", ids(0, 1)).copy()
    third = table.lookup("Ball?team=1", 0, "decision", ids(0, 1)).copy()
    assert len({*first.tolist(), *second.tolist(), *third.tolist()}) == 6
    assert_array_equal(table.slots_of_worker(0), sorted([*first, *third]))
    assert_array_equal(table.slots_of_worker(1), second)
    assert table.slots_of_worker(2).tolist() == []
    assert table.describe(int(second[1])) == "agent 1 of Ball?team=0 in environment 1"
    assert table.describe(99) == "an unknown agent"


@few_examples
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from(["decision", "terminal"]),
            st.lists(st.integers(0, 5), unique=True, max_size=6),
        ),
        max_size=30,
    )
)
def test_any_sequence_of_batches_equals_a_dictionary(calls: list[tuple[int, str, list[int]]]) -> None:
    table, known = SlotTable(), {}
    for worker, kind, agents in calls:
        expected = [known.setdefault((worker, agent), len(known)) for agent in agents]
        assert table.lookup(BALL, worker, kind, np.array(agents, dtype=np.int32)).tolist() == expected
    assert table.num_slots == len(known)


def test_state_round_trip() -> None:
    table = SlotTable()
    table.lookup(BALL, 0, "decision", ids(4, 2))
    table.lookup(BALL, 1, "decision", ids(2))
    other = SlotTable()
    other.lookup(BALL, 0, "decision", ids(2, 4))
    other.set_state(table.get_state())
    for each in (table, other):
        assert_array_equal(each.lookup(BALL, 0, "decision", ids(2, 4, 8)), [1, 0, 3])
        assert_array_equal(each.lookup(BALL, 1, "decision", ids(2)), [2])


def test_slots_that_are_freed_go_to_the_next_new_agents() -> None:
    table = SlotTable()
    table.lookup(BALL, 0, "decision", ids(1, 2))
    table.lookup(BALL, 1, "decision", ids(1, 2))
    table.free(np.array([False, True, True, False]))
    assert table.num_used == 2
    assert table.describe(1) == "an unknown agent"
    assert_array_equal(table.slots_of_worker(1), [3])
    other = SlotTable()
    other.set_state(table.get_state())
    for each in (table, other):
        # those who stayed keep theirs; one who comes back is new
        assert_array_equal(each.lookup(BALL, 0, "decision", ids(1, 9)), [0, 1])
        assert_array_equal(each.lookup(BALL, 1, "decision", ids(1, 2, 3)), [2, 3, 4])
        assert each.num_slots == each.num_used == 5
