"""Images on the wire: compressed as their sensors say, and after decoding equal to those in process."""

from __future__ import annotations

import contextlib
import logging
import socket

import numpy as np
import pytest
from numpy.typing import NDArray
from wire_helpers import FULL, GameThread

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
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.command_pb2 import RESET
from mlagents_envs.communicator_objects.observation_pb2 import NONE, PNG
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.images import PNG_SIGNATURE
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_envs.rpc_utils import steps_from_proto
from mlagents_examples.balance_ball.visual import make_environment
from mlagents_sdk.sensors.compression import UNCOMPRESSED, CompressionSpec, CompressionType
from mlagents_sdk.wire.game import Game
from mlagents_sdk.wire.records import BehaviorEncoder

ONE = CompressionSpec(CompressionType.PNG)
VISUAL = "Visual3DBall?team=0"


def image_spec(name: str, channels: int) -> ObservationSpec:
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    return ObservationSpec(
        (channels, 4, 5), (DimensionProperty.NONE, moves, moves), ObservationType.DEFAULT, name
    )


VECTOR = ObservationSpec((3,), (DimensionProperty.NONE,), ObservationType.GOAL_SIGNAL, "b")
SPEC = BehaviorSpec(
    [image_spec("a", 3), VECTOR, image_spec("c", 3), image_spec("d", 8), image_spec("e", 1), VECTOR],
    ActionSpec.create_hybrid(1, (3, 2)),
)
COMPRESSIONS = [ONE, UNCOMPRESSED, UNCOMPRESSED, ONE.stacked(4, 2), ONE, UNCOMPRESSED]


def observations(n: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Of images only what a byte can tell."""
    return [
        rng.integers(0, 256, (n, *spec.shape)).astype(np.float32) / np.float32(255)
        if len(spec.shape) == 3
        else rng.normal(size=(n, *spec.shape)).astype(np.float32)
        for spec in SPEC.observation_specs
    ]


def assert_same(a: DecisionSteps | TerminalSteps, b: DecisionSteps | TerminalSteps) -> None:
    np.testing.assert_array_equal(a.agent_id, b.agent_id)
    np.testing.assert_array_equal(a.reward, b.reward)
    np.testing.assert_array_equal(a.group_id, b.group_id)
    for one, other in zip(a.obs, b.obs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=6e-8)  # means of equal colours may round


def test_records_with_compressed_images_among_other_observations_come_through() -> None:
    rng = np.random.default_rng(0)
    encoder = BehaviorEncoder(SPEC, COMPRESSIONS)
    for n, grouped in ((20, True), (1, False), (33, False)):
        ids, groups = np.arange(n, dtype=np.int32) * 77, np.full(n, 5 * grouped, np.int32)
        masks = [rng.random((n, size)) < 0.5 for size in (3, 2)]
        rewards = rng.normal(size=n).astype(np.float32)
        asking = DecisionSteps(observations(n, rng), rewards, ids, masks, groups, rewards * grouped)
        ended = TerminalSteps(
            observations(n, rng), rewards, rng.random(n) < 0.5, ids + 1, groups, rewards * grouped
        )
        records = UnityRLOutputProto.ListAgentInfoProto.FromString(encoder.encode(asking, ended)).value
        decisions, terminals = steps_from_proto(list(records), SPEC)
        assert_same(decisions, asking)
        assert_same(terminals, ended)
        np.testing.assert_array_equal(terminals.interrupted, ended.interrupted)
        for mask, expected in zip(decisions.action_mask or [], masks, strict=True):
            np.testing.assert_array_equal(mask, expected)


def test_compressed_observations_carry_their_specs_and_no_floats() -> None:
    rng = np.random.default_rng(0)
    zeros = np.zeros(1, np.float32)
    whole = np.zeros(1, np.int32)
    steps = DecisionSteps(observations(1, rng), zeros, whole, None, whole, zeros)
    data = BehaviorEncoder(SPEC, COMPRESSIONS).encode(steps, TerminalSteps.empty(SPEC))
    (info,) = UnityRLOutputProto.ListAgentInfoProto.FromString(data).value
    kinds = [PNG, NONE, NONE, PNG, PNG, NONE]
    mappings = [[], [], [], [0, 1, 2, 3, -1, -1, 4, 5, 6, 7, -1, -1], [], []]
    for proto, spec, kind, mapping in zip(
        info.observations, SPEC.observation_specs, kinds, mappings, strict=True
    ):
        assert tuple(proto.shape) == spec.shape
        assert tuple(proto.dimension_properties) == spec.dimension_property
        assert proto.name == spec.name
        assert proto.compression_type == kind
        assert list(proto.compressed_channel_mapping) == mapping
        assert proto.WhichOneof("observation_data") == ("compressed_data" if kind == PNG else "float_data")
    pngs = [info.observations[index].compressed_data.count(PNG_SIGNATURE) for index in (0, 3, 4)]
    assert pngs == [1, 4, 1]


def test_an_image_that_no_png_can_hold_names_its_sensor() -> None:
    rng = np.random.default_rng(0)
    columns = observations(1, rng)
    columns[3][0, 2, 1, 1] = 1.5
    zeros, whole = np.zeros(1, np.float32), np.zeros(1, np.int32)
    steps = DecisionSteps(columns, zeros, whole, None, whole, zeros)
    with pytest.raises(UnityObservationException, match="Sensor d: its values range from"):
        BehaviorEncoder(SPEC, COMPRESSIONS).encode(steps, TerminalSteps.empty(SPEC))


def first_observation(trainer: UnityRLCapabilitiesProto) -> AgentInfoProto:
    game = Game(make_environment(EnvironmentOptions(num_areas=2)), trainer)
    answer = UnityMessageProto.FromString(game.advance(UnityRLInputProto(command=RESET)))
    records = answer.unity_output.rl_output.agentInfos[VISUAL].value
    assert len(records) == 2
    return records[0].observations[0]


def test_trainers_get_stacked_images_as_they_can_read_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        full = first_observation(FULL)
        assert not caplog.records
        for missing in ("concatenatedPngObservations", "compressedChannelMapping"):
            caplog.clear()
            capabilities = UnityRLCapabilitiesProto()
            capabilities.CopyFrom(FULL)
            setattr(capabilities, missing, False)
            plain = first_observation(capabilities)
            assert plain.compression_type == NONE
            assert len(plain.float_data.data) == 12 * 84 * 84
            (record,) = caplog.records
            assert VISUAL in record.getMessage()
            assert "sent uncompressed" in record.getMessage()
    assert full.compression_type == PNG
    assert list(full.compressed_channel_mapping) == list(range(12))
    assert full.compressed_data.count(PNG_SIGNATURE) == 4
    assert len(full.compressed_data) < 12_000 < 12 * 84 * 84 * 4


def test_pictures_over_the_wire_equal_those_in_process() -> None:
    """A game played by ``UnityEnvironment``, and its twin in this process."""
    twin = make_environment(EnvironmentOptions(seed=3, num_areas=2))
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    game = GameThread(make_environment, port, timeout=20.0)
    with contextlib.closing(UnityEnvironment(base_port=port, seed=3, num_areas=2, timeout_wait=20)) as env:
        env.reset()
        twin.reset()
        rng = np.random.default_rng(0)
        ended = 0
        for _ in range(60):
            for wired, own in zip(env.get_steps(VISUAL), twin.get_steps(VISUAL), strict=True):
                assert_same(wired, own)
            ended += len(twin.get_steps(VISUAL)[1])
            actions = env.behavior_specs[VISUAL].action_spec.random_action(
                len(twin.get_steps(VISUAL)[0]), rng
            )
            for one in (env, twin):
                one.set_actions(VISUAL, actions)
                one.step()
        assert ended >= 1
        newest = twin.get_steps(VISUAL)[0].obs[0]
        assert (newest[:, 9:] != newest[:, 6:9]).any()
    assert game.join() is None
