from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.communicator_objects.agent_action_pb2 import AgentActionProto
from mlagents_envs.exception import UnityActionException
from mlagents_sdk.wire.actions import decode_actions

HYBRID = ActionSpec.create_hybrid(2, (3, 4))


def test_actions_become_columns() -> None:
    items = [
        AgentActionProto(continuous_actions=[0.1 * row, -0.5], discrete_actions=[row, 3]) for row in range(3)
    ]
    actions = decode_actions("B", HYBRID, items, 3)
    assert actions.continuous.dtype == np.float32
    assert actions.discrete.dtype == np.int32
    expected = np.array([[0.1 * row, -0.5] for row in range(3)], dtype=np.float32)
    np.testing.assert_array_equal(actions.continuous, expected)
    np.testing.assert_array_equal(actions.discrete, [[0, 3], [1, 3], [2, 3]])


def test_missing_actions_are_zero_and_surplus_ones_left_out() -> None:
    items = [AgentActionProto(continuous_actions=[1.0, 2.0], discrete_actions=[1, 1])]
    actions = decode_actions("B", HYBRID, items, 3)
    assert actions.continuous.tolist() == [[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]]
    assert actions.discrete.tolist() == [[1, 1], [0, 0], [0, 0]]
    assert decode_actions("B", HYBRID, items * 4, 2).continuous.shape == (2, 2)
    assert decode_actions("B", HYBRID, [], 2).discrete.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("spec", "values", "continuous", "discrete"),
    [
        (ActionSpec.create_continuous(2), [0.5, -1.0], [[0.5, -1.0]], [[]]),
        (ActionSpec.create_discrete((3, 2)), [2.0, 1.0], [[]], [[2, 1]]),
    ],
)
def test_the_field_of_early_trainers_is_read(
    spec: ActionSpec, values: list[float], continuous: list[list[float]], discrete: list[list[int]]
) -> None:
    actions = decode_actions("B", spec, [AgentActionProto(vector_actions_deprecated=values)], 1)
    assert actions.continuous.tolist() == continuous
    assert actions.discrete.tolist() == discrete


@pytest.mark.parametrize(
    "item",
    [
        AgentActionProto(continuous_actions=[1.0], discrete_actions=[1, 1]),
        AgentActionProto(continuous_actions=[1.0, 1.0], discrete_actions=[1]),
        AgentActionProto(continuous_actions=[1.0, 1.0, 1.0], discrete_actions=[1, 1]),
        AgentActionProto(vector_actions_deprecated=[1.0]),
        AgentActionProto(),
    ],
)
def test_another_number_of_actions_is_refused(item: AgentActionProto) -> None:
    good = AgentActionProto(continuous_actions=[1.0, 2.0], discrete_actions=[1, 1])
    with pytest.raises(UnityActionException, match="Behavior B: the trainer sent"):
        decode_actions("B", HYBRID, [item, good], 2)


def test_agents_without_actions_need_none() -> None:
    actions = decode_actions("B", ActionSpec(0, ()), [AgentActionProto()], 1)
    assert actions.continuous.shape == (1, 0)
    assert actions.discrete.shape == (1, 0)
