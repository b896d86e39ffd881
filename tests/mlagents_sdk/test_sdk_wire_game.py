from __future__ import annotations

import logging
import struct
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
from sdk_helpers import CONTINUOUS, NAME, LoggingAgent, continuous
from wire_helpers import (
    DISCRETE,
    FULL,
    HYBRID,
    GameThread,
    OneAgent,
    Trainer,
    assert_same_records,
    closing,
    infos,
    make_wanderers,
    ok,
    quit_,
    reset,
    step,
)

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_envs.side_channel.default_training_analytics_side_channel import (
    DefaultTrainingAnalyticsSideChannel,
)
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel
from mlagents_sdk import Academy, BehaviorParameters, DecisionRequester, SdkEnvironment

WALKER, CHOOSER = HYBRID.fully_qualified_name, DISCRETE.fully_qualified_name


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    trainer = Trainer()
    yield trainer
    trainer.stop()


def random_actions(env: BaseEnv, rng: np.random.Generator) -> dict[str, ActionTuple]:
    """Actions for all behaviors that ask, unless the trainer happens to forget one."""
    actions = {}
    for name, spec in env.behavior_specs.items():
        asked = len(env.get_steps(name)[0])
        if asked and rng.random() < 0.9:
            actions[name] = spec.action_spec.random_action(asked, rng)
    return actions


@pytest.mark.parametrize("num_areas", [1, 7])
def test_both_seams_tell_the_same_with_the_same_seed_and_actions(trainer: Trainer, num_areas: int) -> None:
    parameters = EnvironmentParametersChannel()
    options = EnvironmentOptions(seed=5, num_areas=num_areas, side_channels=(parameters,))
    env = make_wanderers(options)
    twin = EnvironmentParametersChannel()
    manager = SideChannelManager([twin])
    rng = np.random.default_rng(1)
    game = GameThread(make_wanderers, trainer.port)

    message = trainer.begin(seed=5, num_areas=num_areas)
    env.reset()
    kinds = set()
    for index in range(300):
        for name in (WALKER, CHOOSER):
            told = infos(message, name)
            steps = env.get_steps(name) if name in env.behavior_specs else ([], [])
            if not len(steps[0]) + len(steps[1]):
                assert told == []
                continue
            assert_same_records([info for info in told if not info.done], steps[0], done=False)
            assert_same_records([info for info in told if info.done], steps[1], done=True)
            kinds.update((info.done, info.max_step_reached, any(info.action_mask)) for info in told)
        for channel in (parameters, twin) if index % 20 == 10 else ():
            channel.set_float_parameter("start", index / 100)
        data = bytes(manager.generate_side_channel_messages())
        if index in (40, 41, 170):
            env.reset()
            message = trainer.tell(reset(data))
        else:
            actions = random_actions(env, rng)
            for name, columns in actions.items():
                env.set_actions(name, columns)
            env.step()
            message = trainer.tell(step(actions, data))
    assert kinds == {
        (False, False, False),
        (False, False, True),
        (True, False, False),
        (True, True, False),
    }
    trainer.answer(closing())
    assert game.join() is None


def test_the_handshake_introduces_the_game_and_brings_seed_and_areas(trainer: Trainer) -> None:
    factory = OneAgent()
    game = GameThread(factory, trainer.port, environment_args=("--level", "2"))
    greeting = trainer.welcome(seed=77, num_areas=4)
    assert greeting.header.status == 200
    introduction = greeting.unity_output.rl_initialization_output
    assert introduction.name == "AcademySingleton"
    assert introduction.communication_version == "1.5.0"
    assert int(introduction.package_version.split(".")[0]) >= 3  # images are channels first
    assert introduction.capabilities == FULL
    assert not introduction.brain_parameters
    ready = trainer.receive()
    assert ready.header.status == 200
    assert not ready.HasField("unity_output")
    assert factory.options == EnvironmentOptions(seed=77, num_areas=4, environment_args=("--level", "2"))
    trainer.answer(closing())
    assert game.join() is None
    assert factory.closed == 1


def test_no_number_of_areas_is_the_scenes_own(trainer: Trainer) -> None:
    factory = OneAgent()
    game = GameThread(factory, trainer.port)
    trainer.welcome(num_areas=0)
    trainer.receive()
    assert factory.options is not None
    assert factory.options.num_areas is None
    trainer.answer(closing())
    assert game.join() is None


def test_a_behavior_is_announced_once_with_its_first_records(trainer: Trainer) -> None:
    game = GameThread(make_wanderers, trainer.port)
    message = trainer.begin(num_areas=3)
    seen: list[str] = []
    for _ in range(12):
        output = message.unity_output
        for parameters in output.rl_initialization_output.brain_parameters:
            assert parameters.is_training
            assert parameters.brain_name not in seen
            assert len(infos(message, parameters.brain_name)) > 0
            seen.append(parameters.brain_name)
            spec = parameters.action_spec
            sizes = spec.num_continuous_actions, spec.num_discrete_actions, list(spec.discrete_branch_sizes)
            assert sizes == ((2, 2, [3, 2]) if parameters.brain_name == WALKER else (0, 1, [4]))
            assert not parameters.vector_action_size_deprecated
        assert all(name in seen for name in output.rl_output.agentInfos)
        message = trainer.tell(step())
    assert seen == [WALKER, CHOOSER]
    trainer.answer(quit_())
    assert trainer.receive().header.status == 400
    trainer.answer(closing())
    assert game.join() is None


def test_a_step_without_actions_acts_with_zeros_and_a_first_step_resets(trainer: Trainer) -> None:
    factory = OneAgent()
    game = GameThread(factory, trainer.port)
    trainer.welcome()
    trainer.receive()
    trainer.tell(step())
    trainer.tell(step({NAME: continuous(0.5)}))
    trainer.tell(step())
    trainer.answer(closing())
    assert game.join() is None
    assert factory.agents[0].actions == [[0.5], [0.0]]


def test_reset_in_the_middle_of_an_episode_leaves_no_record_of_it(trainer: Trainer) -> None:
    factory = OneAgent()
    game = GameThread(factory, trainer.port)
    trainer.begin()
    agent = factory.agents[0]
    agent.on_action = lambda: agent.add_reward(1.0)
    trainer.tell(step({NAME: continuous(1.0)}))
    agent.log.clear()
    message = trainer.tell(reset())
    assert agent.log == ["a begin", "a act", "a observe"]
    (info,) = infos(message, NAME)
    assert (info.done, info.reward) == (False, 1.0)  # that of the act that finishes the step
    assert agent.actions[-1] == [0.0]
    trainer.answer(closing())
    assert game.join() is None


def test_too_few_actions_are_filled_with_zeros_after_one_warning(
    trainer: Trainer, caplog: pytest.LogCaptureFixture
) -> None:
    factory = OneAgent(num_agents=3)
    game = GameThread(factory, trainer.port)
    trainer.begin()
    with caplog.at_level(logging.WARNING):
        trainer.tell(step({NAME: continuous(1.0, 2.0)}))
        trainer.tell(step({NAME: continuous(3.0), "Nobody?team=0": continuous(1.0)}))
        trainer.tell(step({NAME: continuous(4.0, 5.0, 6.0, 7.0), "Nobody?team=0": continuous(1.0)}))
    trainer.answer(closing())
    assert game.join() is None
    assert [agent.actions for agent in factory.agents] == [
        [[1.0], [3.0], [4.0]],
        [[2.0], [0.0], [5.0]],
        [[0.0], [0.0], [6.0]],
    ]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "3 agents asked for a decision but the trainer sent 2" in messages[0]
    assert "Nobody?team=0" in messages[1]


def test_side_channels_work_over_the_wire(trainer: Trainer, caplog: pytest.LogCaptureFixture) -> None:
    factory = OneAgent()
    raw_id = uuid.UUID(int=7)
    late_id = uuid.UUID(int=8)
    engine, parameters = EngineConfigurationChannel(), EnvironmentParametersChannel()
    stats, floats, raw = StatsSideChannel(), FloatPropertiesChannel(), RawBytesChannel(raw_id)
    late, analytics = RawBytesChannel(late_id), DefaultTrainingAnalyticsSideChannel()
    manager = SideChannelManager([engine, parameters, stats, floats, raw, late, analytics])

    game = GameThread(factory, trainer.port)
    trainer.welcome()
    trainer.receive()
    academy = factory.agents[0].academy
    game_floats, game_raw = FloatPropertiesChannel(), RawBytesChannel(raw_id)
    academy.side_channels.register(game_floats)
    academy.side_channels.register(game_raw)
    seen: list[float] = []
    factory.agents[0].on_episode_begin = lambda: seen.append(  # type: ignore[method-assign]
        academy.environment_parameters.get_with_default("mass", 1.0)
    )

    engine.set_configuration_parameters(time_scale=20.0, quality_level=5)
    parameters.set_float_parameter("mass", 2.5)
    floats.set_property("speed", 0.5)
    raw.send_raw_data(b"\x00\xff")
    late.send_raw_data(b"early")
    analytics.environment_initialized()
    with caplog.at_level(logging.WARNING):
        trainer.tell(reset(bytes(manager.generate_side_channel_messages())))
        assert seen == [2.5]  # side channels come before the command
        assert academy.engine_configuration.time_scale == 20.0
        assert academy.engine_configuration.quality_level == 5
        assert game_floats.get_property("speed") == 0.5
        assert game_raw.get_and_clear_received_messages() == [b"\x00\xff"]

        game_late = RawBytesChannel(late_id)
        academy.side_channels.register(game_late)
        academy.stats_recorder.add("Goals", 3.0, StatsAggregationMethod.SUM)
        game_floats.set_property("speed", 0.25)
        game_raw.send_raw_data(b"back")
        message = trainer.tell(step())
        assert game_late.get_and_clear_received_messages() == [b"early"]
        assert caplog.records == []  # analytics are accepted and ignored

    manager.process_side_channel_message(message.unity_output.rl_output.side_channel)
    assert stats.get_and_reset_stats() == {"Goals": [(3.0, StatsAggregationMethod.SUM)]}
    assert floats.get_property("speed") == 0.25
    assert raw.get_and_clear_received_messages() == [b"back"]
    assert trainer.tell(step()).unity_output.rl_output.side_channel == b""
    trainer.answer(closing())
    assert game.join() is None


def test_malformed_side_channel_bytes_end_the_game_with_a_reason(trainer: Trainer) -> None:
    game = GameThread(OneAgent(), trainer.port)
    trainer.begin()
    last = trainer.tell(step(side_channel=struct.pack("<16si", b"x" * 16, 99)))
    assert last.header.status == 400
    assert "claims 99 bytes" in last.header.message
    trainer.answer(closing())
    assert isinstance(game.join(), UnityEnvironmentException)


def test_a_failing_environment_tells_the_trainer(trainer: Trainer) -> None:
    factory = OneAgent()
    game = GameThread(factory, trainer.port)
    trainer.begin()

    def fail() -> None:
        raise ZeroDivisionError("by the user")

    factory.agents[0].on_action = fail
    last = trainer.tell(step())
    assert (last.header.status, last.header.message) == (400, "ZeroDivisionError: by the user")
    trainer.answer(closing())
    assert isinstance(game.join(), ZeroDivisionError)
    assert factory.closed == 1


def test_an_environment_that_cannot_be_built_tells_the_trainer(trainer: Trainer) -> None:
    def factory(options: EnvironmentOptions) -> BaseEnv:
        raise FileNotFoundError("no scene")

    game = GameThread(factory, trainer.port)
    trainer.welcome()
    last = trainer.receive()
    assert (last.header.status, last.header.message) == (400, "FileNotFoundError: no scene")
    trainer.answer(closing())
    assert isinstance(game.join(), FileNotFoundError)


def test_wrong_actions_end_the_game_with_a_reason(trainer: Trainer) -> None:
    game = GameThread(OneAgent(), trainer.port)
    trainer.begin()
    two = ActionTuple(continuous=np.zeros((1, 2), dtype=np.float32))
    last = trainer.tell(step({NAME: two}))
    assert "sent 2 continuous actions" in last.header.message
    trainer.answer(closing())
    assert isinstance(game.join(), UnityActionException)


def test_agents_that_never_ask_are_not_told_of(trainer: Trainer) -> None:
    def factory(options: EnvironmentOptions) -> BaseEnv:
        academy = Academy()
        loud, silent = (
            LoggingAgent(academy),
            LoggingAgent(academy, BehaviorParameters("Silent", action_spec=CONTINUOUS.action_spec)),
        )
        DecisionRequester(loud, 1)
        loud.enable()
        silent.enable()
        return SdkEnvironment(academy, lambda: None)

    game = GameThread(factory, trainer.port)
    message = trainer.begin()
    assert list(message.unity_output.rl_output.agentInfos) == [NAME]
    trainer.answer(ok())  # a step in which nobody is told anything
    assert isinstance(trainer.receive(), UnityMessageProto)
    trainer.answer(closing())
    assert game.join() is None
