from __future__ import annotations

import logging
import struct
import uuid

import pytest
from sdk_helpers import CONTINUOUS, LoggingAgent

from mlagents_envs.exception import UnityEnvironmentException, UnitySideChannelException
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel
from mlagents_sdk import Academy, DecisionRequester, SdkEnvironment
from mlagents_sdk.side_channels.samplers import MultiRangeUniformSampler, sampler_from_state

CHANNEL_ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Recorder(SideChannel):
    """Keeps the strings it receives and fails on ``"bad"``."""

    def __init__(self, channel_id: uuid.UUID = CHANNEL_ID) -> None:
        super().__init__(channel_id)
        self.received: list[str] = []

    def on_message_received(self, msg: IncomingMessage) -> None:
        text = msg.read_string()
        if text == "bad":
            raise RuntimeError("cannot read this")
        self.received.append(text)

    def send(self, text: str) -> None:
        msg = OutgoingMessage()
        msg.write_string(text)
        self.queue_message_to_send(msg)


def frame(channel_id: uuid.UUID, text: str) -> bytes:
    payload = struct.pack("<i", len(text)) + text.encode("ascii")
    return channel_id.bytes_le + struct.pack("<i", len(payload)) + payload


def environment(*channels: SideChannel) -> tuple[SdkEnvironment, LoggingAgent]:
    academy = Academy()
    agent = LoggingAgent(academy, CONTINUOUS)
    DecisionRequester(agent, 1)
    agent.enable()
    return SdkEnvironment(academy, lambda: None, side_channels=channels), agent


def test_parameters_reach_the_episode_that_begins_with_the_same_reset() -> None:
    channel = EnvironmentParametersChannel()
    env, agent = environment(channel)
    parameters = agent.academy.environment_parameters
    seen: list[float] = []
    fired: list[float] = []
    parameters.register_callback("mass", fired.append)
    agent.on_episode_begin = lambda: seen.append(parameters.get_with_default("mass", 1.0))  # type: ignore[method-assign]
    env.reset()
    channel.set_float_parameter("mass", 2.5)
    env.reset()
    channel.set_float_parameter("mass", 4.0)
    env.step()
    agent.end_episode()
    assert seen == [1.0, 2.5, 4.0]
    assert fired == [2.5, 4.0]
    assert parameters.keys() == ["mass"]
    channel.set_uniform_sampler_parameters("mass", 0.0, 1.0, seed=3)
    env.step()
    assert fired == [2.5, 4.0]  # samplers fire nothing


def test_samplers_draw_anew_and_repeat_with_the_seed() -> None:
    def draws(seed: int) -> list[list[float]]:
        channel = EnvironmentParametersChannel()
        env, agent = environment(channel)
        channel.set_uniform_sampler_parameters("u", 2.0, 4.0, seed)
        channel.set_gaussian_sampler_parameters("g", 10.0, 0.5, seed)
        channel.set_multirangeuniform_sampler_parameters("m", [(0.0, 1.0), (5.0, 8.0)], seed)
        env.reset()
        get = agent.academy.environment_parameters.get_with_default
        return [[get(key, 0.0) for _ in range(4000)] for key in "ugm"]

    first, again, other = draws(11), draws(11), draws(12)
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))
    uniform, gaussian, multi = first
    assert len(set(uniform)) == 4000
    assert all(2.0 <= value <= 4.0 for value in uniform)
    assert sum(uniform) / 4000 == pytest.approx(3.0, abs=0.05)
    mean = sum(gaussian) / 4000
    assert mean == pytest.approx(10.0, abs=0.05)
    assert (sum((value - mean) ** 2 for value in gaussian) / 4000) ** 0.5 == pytest.approx(0.5, rel=0.1)
    assert all(0.0 <= value <= 1.0 or 5.0 <= value <= 8.0 for value in multi)
    assert sum(value > 2.0 for value in multi) / 4000 == pytest.approx(0.75, abs=0.04)  # by length


def test_samplers_go_on_from_their_state() -> None:
    sampler = MultiRangeUniformSampler([(0.0, 1.0), (5.0, 8.0)], seed=2)
    for _ in range(5):
        sampler.sample()
    twin = sampler_from_state(sampler.get_state())
    assert [sampler.sample() for _ in range(20)] == [twin.sample() for _ in range(20)]


def test_intervals_of_no_length_are_points() -> None:
    sampler = MultiRangeUniformSampler([(1.0, 1.0), (2.0, 2.0)], seed=0)
    assert {sampler.sample() for _ in range(50)} == {1.0, 2.0}
    with pytest.raises(ValueError, match="at least one"):
        MultiRangeUniformSampler([], seed=0)


def test_statistics_arrive_with_the_next_exchange() -> None:
    channel = StatsSideChannel()
    env, agent = environment(channel)
    env.reset()
    agent.academy.stats_recorder.add("Goal/Correct", 1.0)
    agent.academy.stats_recorder.add("Goal/Correct", 0.5, StatsAggregationMethod.MOST_RECENT)
    assert not channel.stats
    env.step()
    assert channel.get_and_reset_stats() == {
        "Goal/Correct": [(1.0, StatsAggregationMethod.AVERAGE), (0.5, StatsAggregationMethod.MOST_RECENT)]
    }
    env.step()
    assert not channel.stats


def test_without_a_trainer_queued_messages_are_discarded() -> None:
    academy = Academy()
    academy.stats_recorder.add("x", 1.0)
    academy.environment_step()
    assert academy.side_channels.collect() == b""


def test_engine_settings_are_stored() -> None:
    channel = EngineConfigurationChannel()
    env, agent = environment(channel)
    configuration = agent.academy.engine_configuration
    channel.set_configuration_parameters(320, 240, 3, 0.5, 60, 30)
    env.reset()
    assert (configuration.width, configuration.height, configuration.quality_level) == (320, 240, 3)
    assert configuration.time_scale == 1.0  # clamped
    assert (configuration.target_frame_rate, configuration.capture_frame_rate) == (60, 30)
    channel.set_configuration_parameters(time_scale=20.0)
    env.step()
    assert configuration.time_scale == 20.0
    assert configuration.quality_level == 3
    with pytest.warns(UserWarning, match="Unknown engine setting 9"):
        agent.academy._engine.on_message_received(IncomingMessage(struct.pack("<i", 9)))


def test_custom_channels_carry_messages_both_ways() -> None:
    trainer, game = Recorder(), Recorder()
    env, agent = environment(trainer)
    agent.academy.side_channels.register(game)
    trainer.send("hello")
    game.send("first")
    game.send("second")
    env.reset()
    assert game.received == ["hello"]
    assert trainer.received == ["first", "second"]


def test_registering_an_id_twice_is_refused() -> None:
    channels = Academy().side_channels
    first = Recorder()
    channels.register(first)
    with pytest.raises(UnitySideChannelException, match=str(CHANNEL_ID)):
        channels.register(Recorder())
    channels.unregister(first)
    channels.register(Recorder())


def test_unclaimed_messages_wait_for_one_call(caplog: pytest.LogCaptureFixture) -> None:
    channels = Academy().side_channels
    channels.process(frame(CHANNEL_ID, "early"))
    late = Recorder()
    channels.register(late)
    channels.process(b"")
    assert late.received == ["early"]

    unknown = uuid.UUID(int=5)
    channels.process(frame(unknown, "lost"))
    with caplog.at_level(logging.WARNING):
        channels.process(b"")
    assert str(unknown) in caplog.text
    too_late = Recorder(unknown)
    channels.register(too_late)
    channels.process(b"")
    assert too_late.received == []


def test_failing_handlers_are_logged_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    channels = Academy().side_channels
    recorder = Recorder()
    channels.register(recorder)
    with caplog.at_level(logging.ERROR):
        channels.process(frame(CHANNEL_ID, "bad") + frame(CHANNEL_ID, "good"))
    assert recorder.received == ["good"]
    assert "Recorder could not handle" in caplog.text


def test_truncated_frames_are_refused() -> None:
    with pytest.raises(UnityEnvironmentException, match="claims"):
        Academy().side_channels.process(frame(CHANNEL_ID, "text")[:-1])
