"""Side channels between our trainer side and a game that reads and writes with the original's classes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from wire_play import Play
from wire_scenarios import (
    CUSTOM_CHANNEL,
    ENGINE_CHANNEL,
    FLOAT_PROPERTIES_CHANNEL,
    PARAMETERS_CHANNEL,
    RAW_CHANNEL,
    UNKNOWN_CHANNEL,
)

from mlagents_envs.side_channel import IncomingMessage, OutgoingMessage, SideChannel
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel


class CustomChannel(SideChannel):
    """Reads one message with values of every type."""

    def __init__(self) -> None:
        super().__init__(uuid.UUID(CUSTOM_CHANNEL))
        self.read: list[Any] = []

    def on_message_received(self, msg: IncomingMessage) -> None:
        kinds = (msg.read_bool, msg.read_int32, msg.read_float32, msg.read_float32_list, msg.read_string)
        self.read.append([read() for read in kinds])
        self.read.append([msg.read_float32_list([9.0]), msg.read_string("default"), msg.read_bool(True)])
        self.read.append([msg.read_int32(77)])  # the message has ended

    def send(self) -> None:
        msg = OutgoingMessage()
        msg.write_bool(True)
        msg.write_int32(-(2**31))
        msg.write_float32(0.1)
        msg.write_float32_list([0.25, -1e30])
        msg.write_string("Grüße".encode("ascii", "replace").decode())
        self.queue_message_to_send(msg)


def test_side_channels_from_the_game(play: Callable[[str], Play], capfd: pytest.CaptureFixture[str]) -> None:
    game = play("side_channels")
    stats, properties, custom = StatsSideChannel(), FloatPropertiesChannel(), CustomChannel()
    raw = RawBytesChannel(uuid.UUID(RAW_CHANNEL))
    average, recent = StatsAggregationMethod.AVERAGE, StatsAggregationMethod.MOST_RECENT
    with game.environment(side_channels=[stats, properties, custom, raw]) as env:
        env.reset()
        assert stats.get_and_reset_stats() == {
            "Goals": [(2.5, average), (3.5, average)],
            "Level": [(7.0, recent)],
        }
        assert custom.read == [
            [True, -123_456, 0.15625, [1.5, -2.25, float(np.float32(3e-5))], "a word"],
            [[], "", False],
            [77],
        ]
        env.step()
        assert raw.get_and_clear_received_messages() == [b"\x00\xff raw", b""]
        assert properties.get_property("gravity") == -9.8125
        env.step()
        assert raw.get_and_clear_received_messages() == []
        env.step()
        assert properties.get_property("gravity") == -1.5
        assert stats.get_and_reset_stats() == {
            "Sum": [(1.0, StatsAggregationMethod.SUM)],
            "Spread": [(-4.0, StatsAggregationMethod.HISTOGRAM)],
        }
    assert UNKNOWN_CHANNEL in capfd.readouterr().out


def test_side_channels_to_the_game(play: Callable[[str], Play]) -> None:
    game = play("side_channels")
    engine, parameters = EngineConfigurationChannel(), EnvironmentParametersChannel()
    properties, raw = FloatPropertiesChannel(), RawBytesChannel(uuid.UUID(RAW_CHANNEL))
    custom, stats = CustomChannel(), StatsSideChannel()
    parameters.set_float_parameter("mass", 0.5)
    with game.environment(side_channels=[engine, parameters, properties, raw, custom, stats]) as env:
        engine.set_configuration_parameters(width=84, height=48, quality_level=3, time_scale=20.5)
        env.reset()
        engine.set_configuration_parameters(target_frame_rate=-1, capture_frame_rate=60)
        parameters.set_uniform_sampler_parameters("length", -1.5, 2.5, seed=3)
        parameters.set_gaussian_sampler_parameters("noise", 0.25, 4.0, seed=-4)
        parameters.set_multirangeuniform_sampler_parameters("gap", [(0, 1), (2.5, 3)], seed=5)
        env.step()
        properties.set_property("gravity", -9.8125)
        raw.send_raw_data(bytes(range(256)))
        raw.send_raw_data(b"")
        custom.send()
        env.step()
        env.step()
    first, second, third, fourth = (line["side_channel"] for line in game.commands)
    kind, fields = first[-1][1]
    assert kind == "type.googleapis.com/communicator_objects.TrainingEnvironmentInitialized"
    assert {"mlagents_envs_version", "mlagents_version", "python_version"} <= set(fields)
    assert first[:-1] == [
        [ENGINE_CHANNEL, [0, 84, 48]],
        [ENGINE_CHANNEL, [1, 3]],
        [ENGINE_CHANNEL, [2, 20.5]],
        [PARAMETERS_CHANNEL, ["mass", 0, 0.5]],
    ]
    assert second == [
        [ENGINE_CHANNEL, [3, -1]],
        [ENGINE_CHANNEL, [4, 60]],
        [PARAMETERS_CHANNEL, ["length", 1, 3, 0, [-1.5, 2.5]]],
        [PARAMETERS_CHANNEL, ["noise", 1, -4, 1, [0.25, 4.0]]],
        [PARAMETERS_CHANNEL, ["gap", 1, 5, 2, [0.0, 1.0, 2.5, 3.0]]],
    ]
    assert third == [
        [FLOAT_PROPERTIES_CHANNEL, ["gravity", -9.8125]],
        [RAW_CHANNEL, list(range(256))],
        [RAW_CHANNEL, []],
        [CUSTOM_CHANNEL, [True, -(2**31), float(np.float32(0.1)), [0.25, float(np.float32(-1e30))], "Gr??e"]],
    ]
    assert fourth == []
