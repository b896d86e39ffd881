from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.exception import UnityActionException

VECTOR = ObservationSpec((3,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "vector")
IMAGE = ObservationSpec((1, 4, 5), (DimensionProperty.NONE,) * 3, ObservationType.DEFAULT, "image")
SPEC = BehaviorSpec([VECTOR, IMAGE], ActionSpec(2, (3, 2)))


def decision_steps() -> DecisionSteps:
    return DecisionSteps(
        obs=[np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 1, 4, 5), np.float32)],
        reward=np.array([0.5, -1.0], np.float32),
        agent_id=np.array([17, -4], np.int32),
        action_mask=[np.array([[0, 0, 1], [1, 0, 0]], bool), np.array([[0, 1], [0, 0]], bool)],
        group_id=np.array([0, 9], np.int32),
        group_reward=np.array([0.0, 2.0], np.float32),
    )


def test_decision_steps_are_a_mapping_from_agent_to_row() -> None:
    steps = decision_steps()
    assert len(steps) == 2
    assert list(steps) == [17, -4]
    assert steps.agent_id_to_index == {17: 0, -4: 1}
    assert -4 in steps
    assert 3 not in steps
    step = steps[-4]
    assert step.agent_id == -4
    assert step.reward == -1.0
    assert step.group_id == 9
    assert step.group_reward == 2.0
    np.testing.assert_array_equal(step.obs[0], [3, 4, 5])
    assert step.obs[1].shape == (1, 4, 5)
    assert step.action_mask is not None
    np.testing.assert_array_equal(step.action_mask[0], [True, False, False])
    with pytest.raises(KeyError, match="99"):
        steps[99]


def test_decision_steps_without_masks_give_steps_without_masks() -> None:
    steps = decision_steps()
    steps.action_mask = None
    assert steps[17].action_mask is None


def test_terminal_steps_are_a_mapping_from_agent_to_row() -> None:
    steps = TerminalSteps(
        obs=[np.ones((2, 3), np.float32)],
        reward=np.array([1.0, 2.0], np.float32),
        interrupted=np.array([False, True]),
        agent_id=np.array([5, 6], np.int32),
        group_id=np.array([0, 1], np.int32),
        group_reward=np.array([0.0, 3.0], np.float32),
    )
    assert list(steps.keys()) == [5, 6]
    np.testing.assert_array_equal(steps[6].obs[0], [1, 1, 1])
    assert steps[6].interrupted is True
    assert steps[5].interrupted is False
    assert (steps[6].reward, steps[6].group_id, steps[6].group_reward) == (2.0, 1, 3.0)
    with pytest.raises(KeyError):
        steps[7]


def test_empty_steps_have_the_shapes_of_the_spec() -> None:
    decisions, terminals = DecisionSteps.empty(SPEC), TerminalSteps.empty(SPEC)
    for steps in (decisions, terminals):
        assert len(steps) == 0
        assert [column.shape for column in steps.obs] == [(0, 3), (0, 1, 4, 5)]
        assert all(column.dtype == np.float32 for column in steps.obs)
        assert steps.reward.shape == steps.group_reward.shape == (0,)
        assert steps.agent_id.dtype == steps.group_id.dtype == np.int32
    assert decisions.action_mask is None
    assert terminals.interrupted.dtype == np.bool_


def test_action_tuple_casts_and_adds_an_empty_partner() -> None:
    continuous = ActionTuple(continuous=np.ones((4, 2), np.float64))
    assert continuous.continuous.dtype == np.float32
    assert continuous.discrete.shape == (4, 0)
    assert continuous.discrete.dtype == np.int32
    discrete = ActionTuple(discrete=np.ones((4, 3), np.int64))
    assert discrete.discrete.dtype == np.int32
    assert discrete.continuous.shape == (4, 0)
    assert discrete.continuous.dtype == np.float32
    assert discrete.discrete_dtype == np.int32


def test_adding_to_an_action_tuple_keeps_the_other_kind() -> None:
    action = ActionTuple()
    assert action.continuous is None
    assert action.discrete is None
    action.add_discrete(np.array([[1], [2]]))
    action.add_continuous(np.array([[0.5, 0.5], [1.0, 1.0]]))
    np.testing.assert_array_equal(action.discrete, [[1], [2]])
    np.testing.assert_array_equal(action.continuous, [[0.5, 0.5], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("spec", "discrete", "continuous", "text"),
    [
        (ActionSpec.create_continuous(3), False, True, "Continuous: 3, Discrete: ()"),
        (ActionSpec.create_discrete((3, 2)), True, False, "Continuous: 0, Discrete: (3, 2)"),
        (ActionSpec.create_hybrid(1, (4,)), False, False, "Continuous: 1, Discrete: (4,)"),
        (ActionSpec(0, ()), False, False, "Continuous: 0, Discrete: ()"),
    ],
)
def test_kinds_of_action_specs(spec: ActionSpec, discrete: bool, continuous: bool, text: str) -> None:
    assert spec.is_discrete() is discrete
    assert spec.is_continuous() is continuous
    assert str(spec) == text
    assert spec.discrete_size == len(spec.discrete_branches)


def test_action_specs_are_equal_by_content() -> None:
    assert ActionSpec(2, (3,)) == ActionSpec(2, [3])  # type: ignore[arg-type]
    assert hash(ActionSpec(2, (3,))) == hash(ActionSpec(2, [3]))  # type: ignore[arg-type]
    assert ActionSpec(2, (3,)) != ActionSpec(2, (4,))
    assert ActionSpec(2, ()) != ActionSpec(1, ())


def test_empty_action_is_zero() -> None:
    action = SPEC.action_spec.empty_action(5)
    assert action.continuous.shape == (5, 2)
    assert action.discrete.shape == (5, 2)
    assert not action.continuous.any()
    assert not action.discrete.any()


@pytest.mark.parametrize("rng", [None, np.random.default_rng(3)])
def test_random_action_covers_its_range_and_never_leaves_it(rng: np.random.Generator | None) -> None:
    np.random.seed(3)
    action = ActionSpec(2, (3, 1, 5)).random_action(2000, rng)
    assert action.continuous.dtype == np.float32
    assert action.discrete.dtype == np.int32
    assert action.continuous.min() >= -1.0
    assert action.continuous.max() < 1.0
    assert action.continuous.min() < -0.95
    assert action.continuous.max() > 0.95
    assert [sorted(set(column)) for column in action.discrete.T.tolist()] == [[0, 1, 2], [0], [0, 1, 2, 3, 4]]


def test_random_action_uses_the_global_seed_of_numpy() -> None:
    np.random.seed(11)
    first = SPEC.action_spec.random_action(8)
    np.random.seed(11)
    second = SPEC.action_spec.random_action(8)
    np.testing.assert_array_equal(first.continuous, second.continuous)
    np.testing.assert_array_equal(first.discrete, second.discrete)


def test_random_action_of_no_agents_keeps_the_widths() -> None:
    action = SPEC.action_spec.random_action(0)
    assert action.continuous.shape == (0, 2)
    assert action.discrete.shape == (0, 2)


def test_valid_actions_pass() -> None:
    action = SPEC.action_spec.empty_action(3)
    assert SPEC.action_spec._validate_action(action, 3, "Ball") is action


@pytest.mark.parametrize(
    ("action", "kind", "expected", "found"),
    [
        (ActionTuple(np.zeros((2, 2)), np.zeros((3, 2))), "continuous", "(3, 2)", "(2, 2)"),
        (ActionTuple(np.zeros((3, 2)), np.zeros((3, 1))), "discrete", "(3, 2)", "(3, 1)"),
        (ActionTuple(np.zeros((3, 2))), "discrete", "(3, 2)", "(3, 0)"),
        (ActionTuple(), "continuous", "(3, 2)", "nothing"),
    ],
)
def test_wrong_actions_are_refused_by_name(action: ActionTuple, kind: str, expected: str, found: str) -> None:
    with pytest.raises(UnityActionException) as caught:
        SPEC.action_spec._validate_action(action, 3, "Ball?team=0")
    message = str(caught.value)
    assert "Ball?team=0" in message
    assert kind in message
    assert expected in message
    assert found in message


def test_behavior_mapping_is_live_and_read_only() -> None:
    specs: dict[str, BehaviorSpec] = {}
    mapping = BehaviorMapping(specs)
    assert len(mapping) == 0
    specs["Ball"] = SPEC
    assert list(mapping) == ["Ball"]
    assert mapping["Ball"] is SPEC
    assert dict(mapping.items()) == {"Ball": SPEC}
    with pytest.raises(TypeError):
        mapping["Other"] = SPEC  # type: ignore[index]
    with pytest.raises(KeyError):
        mapping["Other"]


def test_dimension_properties_are_flags_with_the_numbers_of_the_protocol() -> None:
    assert [int(member) for member in DimensionProperty.__members__.values()] == [0, 1, 2, 4]
    both = DimensionProperty.NONE | DimensionProperty.VARIABLE_SIZE
    assert DimensionProperty.VARIABLE_SIZE in both
    assert ObservationType(1) is ObservationType.GOAL_SIGNAL


def test_action_specs_by_the_names_of_the_game() -> None:
    arm, gripper = ActionSpec.make_continuous(2), ActionSpec.make_discrete(3, 2)
    assert (arm, gripper) == (ActionSpec.create_continuous(2), ActionSpec.create_discrete((3, 2)))
    both = ActionSpec.combine(gripper, arm, ActionSpec(1, (4,)))
    assert both == ActionSpec.create_hybrid(3, (3, 2, 4))
    assert (both.num_continuous_actions, both.num_discrete_actions) == (3, 3)
    assert both.sum_of_discrete_branch_sizes == 9
    assert ActionSpec.combine() == ActionSpec(0, ())
