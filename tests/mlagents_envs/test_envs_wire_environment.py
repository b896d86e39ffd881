"""A whole conversation between the environment and a scripted game in a thread."""

from __future__ import annotations

import platform
import threading
import uuid

import numpy as np
import pytest
from game_client import BEHAVIOR, GameClient, agent, brain, step_message
from google.protobuf.any_pb2 import Any as AnyMessage
from wire_sessions import RESET, STEP, connected, is_pending, wait_until

import mlagents_envs
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.communicator_objects.training_analytics_pb2 import TrainingEnvironmentInitialized
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.exception import (
    UnityActionException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
)
from mlagents_envs.side_channel.default_training_analytics_side_channel import (
    DefaultTrainingAnalyticsSideChannel,
)
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager


def test_the_handshake_says_what_the_protocol_demands() -> None:
    received: list[UnityInputProto] = []

    def script(game: GameClient) -> None:
        received.append(game.introduce(package="2.3.0-exp.3"))
        received.append(game.ready())

    with connected(script, seed=7, num_areas=3) as env:
        assert all(value for _, value in env.academy_capabilities.ListFields())
        assert env.academy_capabilities.multiAgentGroups
        assert len(env.behavior_specs) == 0
    answer = received[0].rl_initialization_input
    assert (answer.seed, answer.num_areas) == (7, 3)
    assert (answer.communication_version, answer.package_version) == ("1.5.0", "1.1.0")
    assert len(answer.capabilities.ListFields()) == 7


def test_packages_of_version_1_0_are_told_an_early_version() -> None:
    announced: list[str] = []

    def script(game: GameClient) -> None:
        answer = game.introduce(communication="1.0.0", package="1.0.8")
        announced.append(answer.rl_initialization_input.package_version)
        game.ready()

    with connected(script):
        pass
    assert announced == ["0.20.0"]


@pytest.mark.parametrize("version", ["2.0.0", "0.15.0", "", "API-15"])
def test_other_versions_are_refused_at_once(version: str) -> None:
    with (
        pytest.raises(UnityEnvironmentException, match=rf"'{version}'.*package has the version 3\.0\.0"),
        connected(lambda game: game.introduce(communication=version)),
    ):
        pass


def test_steps_and_actions_travel_both_ways() -> None:
    replies: list[UnityInputProto] = []

    def script(game: GameClient) -> None:
        game.introduce()
        replies.append(game.ready())
        ended = agent(2, [9.0], done=True)
        ended.max_step_reached = True
        replies.append(game.send({BEHAVIOR: [agent(1, [1.0]), agent(2, [2.0])]}, [brain(branches=[3])]))
        replies.append(game.send({BEHAVIOR: [ended, agent(2, [3.0]), agent(4, [4.0])]}))
        replies.append(game.send({BEHAVIOR: []}))
        replies.append(game.send({}))

    with connected(script) as env:
        env.reset()
        decision, terminal = env.get_steps(BEHAVIOR)
        assert decision.agent_id.tolist() == [1, 2]
        assert len(terminal) == 0
        env.set_actions(BEHAVIOR, ActionTuple(np.zeros((2, 2)), np.zeros((2, 1))))
        env.set_actions(BEHAVIOR, ActionTuple(np.array([[0.5, 1.0], [1.5, 2.0]]), np.array([[1], [2]])))
        env.step()
        decision, terminal = env.get_steps(BEHAVIOR)
        assert decision.agent_id.tolist() == [2, 4]
        assert terminal.agent_id.tolist() == [2]
        assert terminal[2].interrupted is True
        env.set_action_for_agent(BEHAVIOR, 4, ActionTuple(np.ones((1, 2)), np.full((1, 1), 2)))
        env.step()
        assert [len(steps) for steps in env.get_steps(BEHAVIOR)] == [0, 0]
        env.step()
        assert [len(steps) for steps in env.get_steps(BEHAVIOR)] == [0, 0]
    commands = [reply.rl_input for reply in replies]
    assert [command.command for command in commands] == [RESET, STEP, STEP, STEP]
    first = commands[1].agent_actions[BEHAVIOR].value
    assert [list(action.continuous_actions) for action in first] == [[0.5, 1.0], [1.5, 2.0]]
    assert [list(action.discrete_actions) for action in first] == [[1], [2]]
    assert [list(action.vector_actions_deprecated) for action in first] == [[0.5, 1.0, 1.0], [1.5, 2.0, 2.0]]
    second = commands[2].agent_actions[BEHAVIOR].value
    assert [list(action.continuous_actions) for action in second] == [[0.0, 0.0], [1.0, 1.0]]
    assert [list(action.discrete_actions) for action in second] == [[0], [2]]
    assert not commands[3].agent_actions  # nobody waits


def test_agents_without_actions_get_zeros_and_actions_are_used_once() -> None:
    replies: list[UnityInputProto] = []

    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        replies.extend(game.send({BEHAVIOR: [agent()]}, [brain()]) for _ in range(4))

    with connected(script) as env:
        env.step()  # the first step resets
        env.set_actions(BEHAVIOR, ActionTuple(np.ones((1, 2))))
        env.step()
        env.step()
        env.step()
    actions = [reply.rl_input.agent_actions[BEHAVIOR].value[0].continuous_actions for reply in replies]
    assert [list(action) for action in actions] == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


def test_setting_one_agents_action_leaves_the_users_arrays_alone() -> None:
    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [agent(0), agent(1)]}, [brain()])

    with connected(script) as env:
        env.reset()
        mine = np.ones((2, 2), np.float32)
        env.set_actions(BEHAVIOR, ActionTuple(mine))
        env.set_action_for_agent(BEHAVIOR, 1, ActionTuple(np.full((1, 2), 5.0)))
        assert mine.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_wrong_actions_are_refused() -> None:
    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [agent(5)]}, [brain()])

    with connected(script) as env:
        env.reset()
        with pytest.raises(UnityActionException, match=r"no behavior 'Else'.*Ball\?team=0"):
            env.set_actions("Else", ActionTuple(np.zeros((1, 2))))
        with pytest.raises(UnityActionException, match="no behavior 'Else'"):
            env.get_steps("Else")
        with pytest.raises(UnityActionException, match=r"\(1, 2\)"):
            env.set_actions(BEHAVIOR, ActionTuple(np.zeros((2, 2))))
        with pytest.raises(UnityActionException, match="nothing"):
            env.set_actions(BEHAVIOR, ActionTuple())
        with pytest.raises(IndexError, match="Agent 3"):
            env.set_action_for_agent(BEHAVIOR, 3, ActionTuple(np.zeros((1, 2))))
        with pytest.raises(UnityActionException, match=r"\(1, 2\)"):
            env.set_action_for_agent(BEHAVIOR, 5, ActionTuple(np.zeros((2, 2))))


def test_behaviors_may_appear_at_any_step() -> None:
    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({"A": [agent()], "B": []}, [brain("A"), brain("B", 1)])
        game.send({"A": [agent()], "B": [agent(3, [1.0])], "unannounced": [agent()]})
        game.send({"A": [agent(1, [1.0])]}, [brain("A", 4)])

    with connected(script) as env:
        env.reset()
        specs = env.behavior_specs
        assert list(specs) == ["A"]
        env.step()
        assert list(specs) == ["A", "B"]
        assert specs["B"].observation_specs[0].shape == (1,)
        assert len(env.get_steps("B")[0]) == 1
        env.step()
        assert specs["A"].action_spec.continuous_size == 4  # announced anew
        assert specs["A"].observation_specs[0].shape == (1,)
        assert len(env.get_steps("B")[0]) == 0


def test_side_channels_travel_both_ways() -> None:
    received: list[bytes] = []
    channel_id = uuid.uuid4()

    def script(game: GameClient) -> None:
        properties = FloatPropertiesChannel()
        properties.set_property("gravity", 9.5)
        raw = RawBytesChannel(channel_id)
        raw.send_raw_data(b"hello")
        data = bytes(SideChannelManager([properties, raw]).generate_side_channel_messages())
        game.introduce()
        received.append(game.ready().rl_input.side_channel)
        received.append(game.send({BEHAVIOR: [agent()]}, [brain()], data).rl_input.side_channel)
        game.send({BEHAVIOR: [agent()]})

    properties, raw = FloatPropertiesChannel(), RawBytesChannel(channel_id)
    channels: list[SideChannel] = [properties, raw]
    with connected(script, side_channels=channels) as env:
        assert len(channels) == 2  # the list of the user is his own
        raw.send_raw_data(b"before the reset")
        env.reset()
        assert properties.get_property("gravity") == 9.5
        assert raw.get_and_clear_received_messages() == [b"hello"]
        properties.set_property("scale", 2.0)
        env.step()
    assert b"before the reset" in received[0]
    assert b"scale" in received[1]
    assert b"before" not in received[1]


def test_the_game_is_told_who_trains() -> None:
    received: list[bytes] = []

    def script(game: GameClient) -> None:
        game.introduce()
        received.append(game.ready().rl_input.side_channel)
        game.send({BEHAVIOR: [agent()]}, [brain()])

    with connected(script) as env:
        env.reset()
    envelope = AnyMessage.FromString(received[0][20:])
    event = TrainingEnvironmentInitialized()
    assert envelope.Unpack(event)
    assert event.python_version == platform.python_version()
    assert event.mlagents_envs_version == mlagents_envs.__version__
    with connected(script, side_channels=[DefaultTrainingAnalyticsSideChannel()]) as env:
        env.reset()
    assert received[1] == b""  # somebody else tells


def test_a_quitting_game_is_told_apart() -> None:
    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [agent()]}, [brain()])
        game.quit()

    with connected(script) as env:
        env.reset()
        with pytest.raises(UnityCommunicatorStoppedException, match=r"shutting down \(status 400\)"):
            env.step()
        with pytest.raises(UnityEnvironmentException, match="closed"):
            env.step()
        with pytest.raises(UnityEnvironmentException, match="closed"):
            env.reset()
        env.close()
        env.close()


def test_a_lost_connection_is_noticed_at_once() -> None:
    gone = threading.Event()

    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        message = step_message({BEHAVIOR: [agent()]}, [brain()])
        call = game.stub.Exchange.future(message)
        gone.wait(5)
        call.cancel()

    with connected(script) as env:
        env.reset()
        gone.set()
        wait_until(lambda: not is_pending(env))
        with pytest.raises(UnityEnvironmentException, match="editor closed the connection after 1 steps"):
            env.step()
