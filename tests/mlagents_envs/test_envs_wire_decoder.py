"""Encoded agents become columns: against a plain reading of the same messages, object by object."""

from __future__ import annotations

import io
import math
import random

import numpy as np
import pytest
from game_client import agent, brain, vector
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mlagents_envs.base_env import BehaviorSpec, DimensionProperty, ObservationType
from mlagents_envs.communicator.action_writer import encode_actions
from mlagents_envs.communicator.sensor_format import make_behavior_spec, sensor_formats
from mlagents_envs.communicator.steps_decoder import Steps, StepsDecoder
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.observation_pb2 import PNG, ObservationProto
from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.exception import UnityCommunicationException, UnityException, UnityObservationException
from mlagents_envs.rpc_utils import steps_from_proto

ListAgentInfo = UnityRLOutputProto.ListAgentInfoProto
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
int32 = st.integers(-(2**31), 2**31 - 1)


def decoder_for(
    info: AgentInfoProto, brain_parameters: BrainParametersProto | None = None, package: str = ""
) -> StepsDecoder:
    formats = sensor_formats("B", info, package)
    return StepsDecoder("B", make_behavior_spec(brain_parameters or brain(), formats), formats)


def decode(
    infos: list[AgentInfoProto], brain_parameters: BrainParametersProto | None = None, package: str = ""
) -> Steps:
    decoder = decoder_for(infos[0], brain_parameters, package)
    return decoder.decode(ListAgentInfo(value=infos).SerializeToString())


def png(pixels: NDArray[np.uint8]) -> bytes:
    """``(h, w)`` or ``(h, w, 3)``."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@st.composite
def agent_lists(draw: st.DrawFn) -> tuple[list[AgentInfoProto], tuple[int, ...]]:
    shapes = draw(st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=0, max_size=3))
    branches = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
    infos = []
    for _ in range(draw(st.integers(1, 6))):
        info = AgentInfoProto(
            reward=draw(finite),
            done=draw(st.booleans()),
            max_step_reached=draw(st.booleans()),
            id=draw(int32),
            group_id=draw(int32),
            group_reward=draw(finite),
            action_mask=draw(
                st.one_of(
                    st.just([]),
                    st.lists(st.booleans(), min_size=sum(branches), max_size=sum(branches)),
                    st.lists(st.booleans(), max_size=3),
                )
            ),
        )
        for index, shape in enumerate(shapes):
            size = math.prod(shape)
            values = draw(st.lists(finite, min_size=size, max_size=size))
            observation = vector(values, shape, name=f"sensor {index}")
            if len(shape) == 3:  # which axis has the channels is another test's matter
                observation.dimension_properties[:] = [1, 2, 2]
            info.observations.append(observation)
        infos.append(info)
    return infos, branches


@settings(max_examples=200, deadline=None)
@given(agent_lists())
def test_columns_hold_what_the_messages_say(case: tuple[list[AgentInfoProto], tuple[int, ...]]) -> None:
    infos, branches = case
    decision, terminal = decode(infos, brain(continuous=1, branches=branches))
    asking = [info for info in infos if not info.done]
    ended = [info for info in infos if info.done]
    for steps, expected in ((decision, asking), (terminal, ended)):
        assert steps.agent_id.dtype == steps.group_id.dtype == np.int32
        assert steps.reward.dtype == steps.group_reward.dtype == np.float32
        assert steps.agent_id.tolist() == [info.id for info in expected]
        assert steps.group_id.tolist() == [info.group_id for info in expected]
        assert steps.reward.tolist() == [info.reward for info in expected]
        assert steps.group_reward.tolist() == [info.group_reward for info in expected]
        assert len(steps.obs) == len(infos[0].observations)
        for index, column in enumerate(steps.obs):
            assert column.dtype == np.float32
            assert column.shape == (len(expected), *infos[0].observations[index].shape)
            given_data = [list(info.observations[index].float_data.data) for info in expected]
            assert [row.ravel().tolist() for row in column] == given_data
    assert terminal.interrupted.dtype == np.bool_
    assert terminal.interrupted.tolist() == [info.max_step_reached for info in ended]
    check_masks(decision.action_mask, asking, branches)


def check_masks(
    found: list[NDArray[np.bool_]] | None, infos: list[AgentInfoProto], branches: tuple[int, ...]
) -> None:
    if not infos or not branches:
        assert found is None
        return
    assert found is not None
    assert [mask.shape for mask in found] == [(len(infos), size) for size in branches]
    for row, info in enumerate(infos):
        whole = list(info.action_mask)
        expected = whole if len(whole) == sum(branches) else [False] * sum(branches)
        assert np.concatenate([mask[row] for mask in found]).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 5),
    st.integers(0, 3),
    st.lists(st.sampled_from([0, 1, 127, 128, 20000, 2**31 - 1, -1]), max_size=3),
)
def test_actions_are_written_as_protobuf_would(rows: int, num_continuous: int, choices: list[int]) -> None:
    rng = np.random.default_rng(rows)
    continuous = rng.normal(size=(rows, num_continuous)).astype(np.float32)
    discrete = np.tile(np.array(choices, dtype=np.int32), (rows, 1))
    expected = UnityRLInputProto.ListAgentActionProto()
    for row in range(rows):
        both = [*continuous[row].tolist(), *map(float, discrete[row].tolist())]
        expected.value.add(
            vector_actions_deprecated=both,
            continuous_actions=continuous[row].tolist(),
            discrete_actions=discrete[row].tolist(),
        )
    assert encode_actions(continuous, discrete) == expected.SerializeToString()


def test_actions_may_be_any_view() -> None:
    wide = np.arange(12, dtype=np.float32).reshape(3, 4)
    choices = np.arange(6, dtype=np.int64).reshape(3, 2)[:, ::-1]
    plain = encode_actions(wide[:, ::2].copy(), choices.astype(np.int32).copy())
    assert encode_actions(wide[:, ::2], choices) == plain


def test_one_agent_may_end_an_episode_and_begin_the_next() -> None:
    decision, terminal = decode([agent(7, [1.0], done=True), agent(7, [2.0])])
    assert decision[7].obs[0].tolist() == [2.0]
    assert terminal[7].obs[0].tolist() == [1.0]


def test_the_batch_of_nobody_is_empty() -> None:
    decoder = decoder_for(agent(values=[1.0, 2.0]))
    decision, terminal = decoder.decode(b"")
    assert decision.obs[0].shape == terminal.obs[0].shape == (0, 2)


def test_unusual_encodings_are_understood() -> None:
    """Lists that are not packed, data in two pieces and unknown fields are all legal."""
    shape = b"\x08\x02"  # 1 shape, a value of its own
    floats = b"\x22\x05\x0d" + np.float32(1.5).tobytes() + b"\x22\x06\x0a\x04" + np.float32(2.5).tobytes()
    observation = shape + floats + b"\x78\x01"  # 15, unknown
    body = b"\x50\x09" + b"\x6a" + bytes([len(observation)]) + observation + b"\x58\x01\x58\x00"
    decoder = decoder_for(agent(values=[0.0, 0.0]), brain(continuous=0, branches=[2]))
    decision, _ = decoder.decode(b"\x0a" + bytes([len(body)]) + body)
    assert decision.agent_id.tolist() == [9]
    assert decision.obs[0].tolist() == [[1.5, 2.5]]
    assert decision.action_mask is not None
    assert decision.action_mask[0].tolist() == [[True, False]]


@pytest.mark.parametrize(("value", "kind"), [(math.nan, "NaN"), (math.inf, "Infinite")])
def test_what_is_not_finite_is_refused_with_its_place(value: float, kind: str) -> None:
    infos = [agent(3, [1.0, 2.0]), agent(4, [1.0, value])]
    with pytest.raises(RuntimeError, match=f"The observations provided had {kind}.*'V'.*agent 4.*'B'"):
        decode(infos)
    infos = [agent(3), agent(4)]
    infos[1].reward = value
    with pytest.raises(RuntimeError, match=f"The rewards provided had {kind}.*agent 4"):
        decode(infos)
    infos[1].reward = 0.0
    infos[0].group_reward = value
    with pytest.raises(RuntimeError, match=f"The group_rewards provided had {kind}.*agent 3"):
        decode(infos)


def test_large_finite_values_are_accepted() -> None:
    largest = float(np.finfo(np.float32).max)
    decision, _ = decode([agent(0, [largest, largest]), agent(1, [largest, largest])])
    assert decision.obs[0].max() == largest


def test_lies_about_shapes_are_refused_with_their_place() -> None:
    decoder = decoder_for(agent(values=[1.0, 2.0]))

    def refuse(info: AgentInfoProto, pattern: str) -> None:
        with pytest.raises(UnityObservationException, match=pattern):
            decoder.decode(ListAgentInfo(value=[agent(1, [1.0, 2.0]), info]).SerializeToString())

    refuse(agent(5, [1.0]), r"Observation 0 \('V'\) of agent 5.*'B' has the shape \(1,\).*\(2,\)")
    refuse(AgentInfoProto(id=6, observations=[vector([1.0], [2])]), "agent 6.*needs 2 numbers, but has 1")
    refuse(AgentInfoProto(id=6, observations=[vector([1.0] * 9, [2])]), "agent 6.*needs 2.*but has 9")
    refuse(AgentInfoProto(id=8), "0 observations of agent 8.*1 were announced")
    both = AgentInfoProto(id=9, observations=[vector([1.0, 2.0]), vector([1.0, 2.0])])
    refuse(both, "2 observations of agent 9")
    compressed = AgentInfoProto(id=2, observations=[ObservationProto(shape=[2], compression_type=PNG)])
    refuse(compressed, "agent 2.*compressed; only images")


@pytest.mark.parametrize("shape", [[10**9, 10**9], [2**40], [-1], [3]])
def test_a_behavior_cannot_announce_a_shape_without_its_data(shape: list[int]) -> None:
    info = AgentInfoProto(id=3, observations=[vector([1.0, 2.0], [0])])
    info.observations[0].shape[:] = [min(size, 2**31 - 1) for size in shape]
    with pytest.raises(UnityObservationException, match=r"'B' cannot be used.*agent 3"):
        sensor_formats("B", info)


def test_columns_are_not_made_before_the_data_is_there() -> None:
    decoder = decoder_for(agent(values=[0.0] * 1_000_000))
    many = ListAgentInfo(value=[AgentInfoProto(id=index) for index in range(50_000)])
    with pytest.raises(UnityObservationException, match="0 observations of agent 0"):
        decoder.decode(many.SerializeToString())


def test_damaged_bytes_never_do_harm() -> None:
    rng = random.Random(0)
    infos = [agent(index, [3e38, 1e-38, 3.0], done=index == 1) for index in range(3)]
    for info in infos:
        info.action_mask[:] = [True, False]
        info.observations.append(vector([0.0] * 4, [1, 2, 2], name="image"))
    decoder = decoder_for(infos[0], brain(branches=[2]))
    whole = ListAgentInfo(value=infos).SerializeToString()
    outcomes = set()
    for _ in range(5000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        if rng.random() < 0.3:
            del damaged[rng.randrange(len(damaged)) :]
        try:
            decoder.decode(bytes(damaged))
            outcomes.add("read")
        except (UnityException, RuntimeError) as error:
            outcomes.add(type(error).__name__)
    assert outcomes == {"read", "RuntimeError", "UnityCommunicationException", "UnityObservationException"}


def test_random_bytes_are_refused() -> None:
    decoder = decoder_for(agent())
    rng = random.Random(1)
    for size in range(1, 200):
        with pytest.raises((UnityCommunicationException, UnityObservationException)):
            decoder.decode(b"\x0a" + rng.randbytes(size))


# ---------------------------------------------------------------------------------------------------------
# Images


def image_agent(observation: ObservationProto, agent_id: int = 0) -> AgentInfoProto:
    return AgentInfoProto(id=agent_id, observations=[vector([1.0]), observation])


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 3)])
def test_compressed_images_of_either_layout_become_channels_first(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in range(2))
    infos = [
        image_agent(
            ObservationProto(
                shape=shape, compression_type=PNG, compressed_data=png(pixels), dimension_properties=[1, 2, 2]
            ),
            index,
        )
        for index, pixels in enumerate((first, second))
    ]
    infos[0].done = True
    decision, terminal = decode(infos)
    expected = [(pixels.transpose(2, 0, 1) / np.float32(255)) for pixels in (first, second)]
    np.testing.assert_array_equal(terminal.obs[1][0], expected[0])
    np.testing.assert_array_equal(decision.obs[1][0], expected[1])
    assert decision.obs[1].flags.c_contiguous


def test_stacked_compressed_images_follow_their_mapping() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in range(3)]
    data = b"".join(map(png, images))
    stacked = np.concatenate([image.transpose(2, 0, 1) for image in images]) / np.float32(255)
    nine = ObservationProto(shape=[9, 4, 5], compression_type=PNG, compressed_data=data)
    decision, _ = decode([image_agent(nine)])
    np.testing.assert_array_equal(decision.obs[1][0], stacked)
    mapped = ObservationProto(
        shape=[4, 4, 5],
        compression_type=PNG,
        compressed_data=png(images[0]) + png(images[1]),
        compressed_channel_mapping=[0, 1, 2, 3, -1, -1],
    )
    decision, _ = decode([image_agent(mapped)])
    np.testing.assert_array_equal(decision.obs[1][0], stacked[:4])
    grey = ObservationProto(
        shape=[2, 4, 5],
        compression_type=PNG,
        compressed_data=png(images[0]) + png(images[1]),
        compressed_channel_mapping=[0, 0, 0, 1, 1, 1],
    )
    decision, _ = decode([image_agent(grey)])
    expected = np.stack([stacked[:3].mean(axis=0), stacked[3:6].mean(axis=0)])
    np.testing.assert_allclose(decision.obs[1][0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("properties", "package", "is_channels_first"),
    [
        ([1, 2, 2], "1.9.1-preview", True),
        ([2, 2, 1], "4.0.0", False),
        ([], "2.3.0-exp.3", False),
        ([], "3.0.0", True),
        ([0, 0, 0], "1.0.8", False),
        ([0, 0, 0], "3.0.0-exp.1", True),
    ],
)
def test_plain_images_are_read_as_their_game_means_them(
    properties: list[int], package: str, is_channels_first: bool
) -> None:
    values = np.arange(60, dtype=np.float32)
    shape = (3, 4, 5) if is_channels_first else (4, 5, 3)
    observation = vector(values.tolist(), shape)
    observation.dimension_properties[:] = properties
    decoder = decoder_for(image_agent(observation), package=package)
    decision, _ = decoder.decode(ListAgentInfo(value=[image_agent(observation)] * 2).SerializeToString())
    expected = values.reshape(shape)
    if not is_channels_first:
        expected = expected.transpose(2, 0, 1)
    assert decoder.spec.observation_specs[1].shape == (3, 4, 5)
    np.testing.assert_array_equal(decision.obs[1][1], expected)
    if properties == [2, 2, 1]:
        translational = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
        expected_properties = (DimensionProperty.NONE, translational, translational)
        assert decoder.spec.observation_specs[1].dimension_property == expected_properties


def test_agents_may_mix_plain_and_compressed_images() -> None:
    pixels = np.full((4, 5, 3), 51, dtype=np.uint8)
    compressed = ObservationProto(shape=[4, 5, 3], compression_type=PNG, compressed_data=png(pixels))
    plain = vector([0.25] * 60, [4, 5, 3])
    plain.dimension_properties[:] = [2, 2, 1]
    decision, _ = decode([image_agent(compressed, 0), image_agent(plain, 1)])
    assert decision.obs[1].shape == (2, 3, 4, 5)
    assert np.unique(decision.obs[1][0]) == pytest.approx([0.2])
    assert np.unique(decision.obs[1][1]) == pytest.approx([0.25])


def test_a_broken_image_is_named() -> None:
    pixels = np.zeros((4, 5, 3), dtype=np.uint8)
    good = ObservationProto(shape=[3, 4, 5], compression_type=PNG, compressed_data=png(pixels), name="cam")
    bad = ObservationProto(shape=[3, 4, 5], compression_type=PNG, compressed_data=b"no image", name="cam")
    with pytest.raises(UnityObservationException, match=r"Observation 1 \('cam'\) of agent 4.*'B'.*no PNG"):
        decode([image_agent(good, 3), image_agent(bad, 4)])
    small = ObservationProto(shape=[3, 4, 5], compression_type=PNG, compressed_data=png(pixels[:2]))
    with pytest.raises(UnityObservationException, match=r"agent 4.*\(3, 2, 5\).*\(3, 4, 5\)"):
        decode([image_agent(good, 3), image_agent(small, 4)])


# ---------------------------------------------------------------------------------------------------------
# The functions of old


def test_steps_from_proto_does_the_same() -> None:
    infos = [agent(index, [float(index)], done=index == 1) for index in range(3)]
    spec = make_behavior_spec(brain(), sensor_formats("B", infos[0]))
    decision, terminal = steps_from_proto(infos, spec)
    assert decision.agent_id.tolist() == [0, 2]
    assert decision.obs[0].tolist() == [[0.0], [2.0]]
    assert terminal.agent_id.tolist() == [1]
    decision, terminal = steps_from_proto([], spec)
    assert len(decision) == len(terminal) == 0


def test_steps_from_proto_refuses_another_spec() -> None:
    spec: BehaviorSpec = make_behavior_spec(brain(), sensor_formats("B", agent(values=[1.0, 2.0])))
    with pytest.raises(UnityObservationException, match=r"\(3,\).*\(2,\)"):
        steps_from_proto([agent(values=[1.0, 2.0, 3.0])], spec)
    with pytest.raises(UnityObservationException, match=r"2 observations of agent 0.*1 were announced"):
        steps_from_proto([AgentInfoProto(observations=[vector([1.0, 2.0])] * 2)], spec)


def test_specs_carry_what_sensors_declare() -> None:
    observation = vector([0.0] * 6, [3, 2], name="entities")
    observation.dimension_properties[:] = [4, 1]
    observation.observation_type = 1  # type: ignore[assignment]
    spec = make_behavior_spec(brain(), sensor_formats("B", AgentInfoProto(observations=[observation])))
    (found,) = spec.observation_specs
    assert found.name == "entities"
    assert found.shape == (3, 2)
    assert found.dimension_property == (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)
    assert found.observation_type is ObservationType.GOAL_SIGNAL
