from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_helpers import assert_same_records, observation

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.observation_pb2 import NONE
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_sdk.wire.records import BehaviorEncoder
from mlagents_sdk.wire.wire_format import PADDED_VARINT_SIZE, padded_varints, varint

IMAGE = ObservationSpec(
    (3, 4, 5),
    (
        DimensionProperty.NONE,
        DimensionProperty.TRANSLATIONAL_EQUIVARIANCE,
        DimensionProperty.TRANSLATIONAL_EQUIVARIANCE,
    ),
    ObservationType.DEFAULT,
    "Camera",
)
GOAL = ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.GOAL_SIGNAL, "Göal")
ENTITIES = ObservationSpec(
    (6, 2), (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE), ObservationType.DEFAULT, "Entities"
)
EMPTY = ObservationSpec((0,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "Nothing")
SPEC = BehaviorSpec([IMAGE, GOAL, ENTITIES, EMPTY], ActionSpec.create_hybrid(1, (3, 2)))


def columns(spec: BehaviorSpec, n: int, seed: int, *, grouped: bool) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    return {
        "obs": [rng.normal(size=(n, *o.shape)).astype(np.float32) for o in spec.observation_specs],
        "reward": rng.normal(size=n).astype(np.float32),
        "agent_id": rng.integers(0, 2**31, n).astype(np.int32),
        "group_id": rng.integers(0, 300 if grouped else 1, n).astype(np.int32),
        "group_reward": (rng.normal(size=n) * grouped).astype(np.float32),
    }


def decisions(
    spec: BehaviorSpec, n: int, seed: int = 0, *, grouped: bool = False, masked: bool = False
) -> DecisionSteps:
    rng = np.random.default_rng(seed)
    masks = [rng.random((n, size)) < 0.5 * masked for size in spec.action_spec.discrete_branches]
    return DecisionSteps(action_mask=masks or None, **columns(spec, n, seed, grouped=grouped))  # type: ignore[arg-type]


def terminals(spec: BehaviorSpec, n: int, seed: int = 1, *, grouped: bool = False) -> TerminalSteps:
    interrupted = np.random.default_rng(seed).random(n) < 0.5
    return TerminalSteps(interrupted=interrupted, **columns(spec, n, seed, grouped=grouped))  # type: ignore[arg-type]


def parsed(data: bytes) -> list[AgentInfoProto]:
    return list(UnityRLOutputProto.ListAgentInfoProto.FromString(data).value)


@settings(deadline=None, max_examples=30)
@given(
    num_decisions=st.integers(0, 40),
    num_terminals=st.integers(0, 40),
    seed=st.integers(0, 1000),
    grouped=st.booleans(),
    masked=st.booleans(),
)
def test_every_value_survives(
    num_decisions: int, num_terminals: int, seed: int, grouped: bool, masked: bool
) -> None:
    asking = decisions(SPEC, num_decisions, seed, grouped=grouped, masked=masked)
    ended = terminals(SPEC, num_terminals, seed + 1, grouped=grouped)
    infos = parsed(BehaviorEncoder(SPEC).encode(asking, ended))
    assert_same_records([info for info in infos if info.done], ended, done=True)
    assert_same_records([info for info in infos if not info.done], asking, done=False)


def test_observations_carry_their_specs() -> None:
    (info,) = parsed(BehaviorEncoder(SPEC).encode(decisions(SPEC, 1), TerminalSteps.empty(SPEC)))
    for proto, spec in zip(info.observations, SPEC.observation_specs, strict=True):
        assert tuple(proto.shape) == spec.shape
        assert tuple(proto.dimension_properties) == spec.dimension_property
        assert proto.observation_type == spec.observation_type.value
        assert proto.name == spec.name
        assert proto.compression_type == NONE
        assert proto.WhichOneof("observation_data") == "float_data"
    assert observation(info, 0).shape == (3, 4, 5)


def test_buffers_are_reused_without_traces_of_earlier_records() -> None:
    encoder = BehaviorEncoder(SPEC)
    nobody = TerminalSteps.empty(SPEC)
    for n, grouped, masked in (
        (50, True, True),
        (2, False, False),
        (3, True, False),
        (60, False, True),
        (1, True, True),
    ):
        steps = decisions(SPEC, n, seed=n, grouped=grouped, masked=masked)
        infos = parsed(encoder.encode(steps, nobody))
        assert_same_records(infos, steps, done=False)
        assert all(bool(info.action_mask) is masked for info in infos)


def test_columns_of_any_memory_layout_are_read_right() -> None:
    steps = decisions(SPEC, 4)
    steps.obs[0] = np.asfortranarray(steps.obs[0])
    steps.obs[1] = steps.obs[1].astype(np.float64)[:, ::-1]
    expected = [steps.obs[0].copy(), steps.obs[1].copy()]
    infos = parsed(BehaviorEncoder(SPEC).encode(steps, TerminalSteps.empty(SPEC)))
    for row, info in enumerate(infos):
        np.testing.assert_array_equal(observation(info, 0), expected[0][row])
        np.testing.assert_array_equal(observation(info, 1), expected[1][row].astype(np.float32))


def test_steps_of_nobody_are_no_bytes() -> None:
    assert BehaviorEncoder(SPEC).encode(decisions(SPEC, 0), TerminalSteps.empty(SPEC)) == b""


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**31 - 1, "ffffffff07")],
)
def test_varints(value: int, expected: str) -> None:
    assert varint(value).hex() == expected
    padded = padded_varints(np.array([value], dtype=np.int32)).astype(np.uint8).tobytes()
    assert len(padded) == PADDED_VARINT_SIZE
    assert sum((byte & 0x7F) << 7 * index for index, byte in enumerate(padded)) == value
    assert [byte >> 7 for byte in padded] == [1, 1, 1, 1, 0]
