"""A whole conversation between the environment and a scripted game in a thread."""

from __future__ import annotations

import contextlib
import platform
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import pytest
from game_client import BEHAVIOR, GameClient, GameThread, agent, brain, step_message, vector
from google.protobuf.any_pb2 import Any as AnyMessage

import mlagents_envs
from mlagents_envs.base_env import ActionTuple, TerminalSteps
from mlagents_envs.communicator.server import ExchangeServer
from mlagents_envs.communicator_objects.training_analytics_pb2 import TrainingEnvironmentInitialized
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import (
    UnityActionException,
    UnityCommunicationException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityObservationException,
    UnityTimeOutException,
    UnityWorkerInUseException,
)
from mlagents_envs.mock_communicator import MockCommunicator
from mlagents_envs.rpc_communicator import RpcCommunicator
from mlagents_envs.side_channel.default_training_analytics_side_channel import (
    DefaultTrainingAnalyticsSideChannel,
)
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager

RESET, STEP = 1, 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether one could listen on the port again, on both loopback addresses."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen(1)
            except OSError as error:
                if error.errno != 99:  # no IPv6 here
                    return False
    return True


def server_of(env: UnityEnvironment) -> ExchangeServer:
    communicator = env._session._communicator
    assert isinstance(communicator, RpcCommunicator)
    return communicator._server


def is_pending(env: UnityEnvironment) -> bool:
    """Whether the game waits for a reply."""
    return server_of(env).is_pending


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


@contextlib.contextmanager
def connected(
    script: Callable[[GameClient], object],
    seed: int = 0,
    num_areas: int = 1,
    side_channels: list[SideChannel] | None = None,
) -> Iterator[UnityEnvironment]:
    """An environment that the script plays with, as if it were an editor."""
    port = free_port()
    game = GameThread(port, script)
    env = UnityEnvironment(
        base_port=port, timeout_wait=5, seed=seed, num_areas=num_areas, side_channels=side_channels
    )
    try:
        yield env
    finally:
        env.close()
        game.finish()
        assert is_free(port)


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


def test_data_that_is_wrong_is_named_and_a_reset_goes_on() -> None:
    replies: list[UnityInputProto] = []

    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [agent(1)]}, [brain()])
        game.send({BEHAVIOR: [agent(1, [1.0, float("nan"), 2.0])]})
        game.send({BEHAVIOR: [agent(1)]})
        game.send({BEHAVIOR: [agent(1, [1.0])]})
        lying = agent(1)
        lying.observations[0].shape[:] = [2]
        lying.observations[0].float_data.data[:] = [1.0] * 5
        replies.append(game.send({BEHAVIOR: [lying]}))

    with connected(script) as env:
        env.reset()
        with pytest.raises(RuntimeError, match=r"NaN values.*agent 1.*Ball\?team=0"):
            env.step()
        assert len(env.get_steps(BEHAVIOR)[0]) == 0
        env.reset()
        assert len(env.get_steps(BEHAVIOR)[0]) == 1
        with pytest.raises(UnityObservationException, match=r"\(1,\).*\(3,\)"):
            env.step()
        with pytest.raises(UnityObservationException, match=r"\(2,\).*\(3,\)"):
            env.step()


def test_a_first_message_whose_shape_lies_is_refused() -> None:
    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        lying = agent(1)
        lying.observations[0].shape[:] = [100, 100]
        game.send({BEHAVIOR: [lying]}, [brain()])

    with (
        connected(script) as env,
        pytest.raises(UnityObservationException, match=r"Ball\?team=0.*agent 1.*needs 10000 numbers"),
    ):
        env.reset()


@pytest.mark.parametrize("damage", ["cut", "random", "agents"])
def test_damaged_messages_are_refused(damage: str) -> None:
    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [agent()]}, [brain()])
        message = step_message({BEHAVIOR: [agent()]}).SerializeToString()
        if damage == "cut":
            game.call_raw(message[:-3])
        elif damage == "random":
            game.call_raw(np.random.default_rng(0).bytes(300))
        else:
            game.call_raw(message.replace(b"\x6a", b"\x6b"))  # a wire type that does not exist

    with connected(script) as env:
        env.reset()
        with pytest.raises(UnityCommunicationException, match=r"no message of the protocol|damaged"):
            env.step()


@pytest.mark.parametrize("first", [b"\x0a", b"", b"GET / HTTP/1.1"])
def test_a_stranger_is_refused(first: bytes) -> None:
    with (
        pytest.raises(UnityCommunicationException, match=r"no message of the protocol|did not introduce"),
        connected(lambda game: game.call_raw(first)),
    ):
        pass


def test_a_game_that_begins_anew_is_noticed() -> None:
    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [agent()]}, [brain()])
        game.introduce()

    with connected(script) as env:
        env.reset()
        with pytest.raises(UnityCommunicationException, match=r"without a step.*restarted"):
            env.step()


def test_large_messages_are_accepted() -> None:
    count = 16 * 2**20
    values = np.zeros(count, np.float32)
    values[-1] = 3.0
    large = agent(1, [])
    large.observations[0].CopyFrom(vector([], [count]))
    large.observations[0].float_data.MergeFromString(
        b"\x0a" + b"\x80\x80\x80\x20" + values.tobytes()  # 64 MiB
    )

    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [large]}, [brain()])

    with connected(script) as env:
        env.reset()
        (column,) = env.get_steps(BEHAVIOR)[0].obs
        assert column.shape == (1, count)
        assert column[0, -1] == 3.0


def test_a_second_game_is_turned_away() -> None:
    second_done = threading.Event()

    def script(game: GameClient) -> None:
        game.introduce()
        game.ready()
        game.send({BEHAVIOR: [agent()]}, [brain()])

    with connected(script) as env:
        port = server_of(env).port

        def intrude(game: GameClient) -> None:
            try:
                game.introduce()
            finally:
                second_done.set()

        wait_until(lambda: is_pending(env))
        intruder = GameThread(port, intrude)
        assert second_done.wait(5)
        intruder.finish()
        env.reset()
        assert len(env.get_steps(BEHAVIOR)[0]) == 1


def test_ports_that_were_asked_for_are_not_exchanged() -> None:
    taken = RpcCommunicator(worker_id=0, base_port=0)
    try:
        with pytest.raises(UnityWorkerInUseException, match=f"worker number 0.*The port is {taken.port}"):
            UnityEnvironment(base_port=taken.port)
        with pytest.raises(UnityWorkerInUseException, match="worker number 2") as caught:
            RpcCommunicator(worker_id=2, base_port=taken.port - 2)
        assert caught.value.worker_id == 2
    finally:
        taken.close()
    assert is_free(taken.port)


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_is_taken_when_it_is_on_either_address(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        other.listen(1)
        port = other.getsockname()[1]
        with pytest.raises(UnityWorkerInUseException):
            RpcCommunicator(base_port=port)


def test_only_this_machine_can_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    def reachable(host: str, port: int) -> bool:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return False
        return True

    outside = "127.0.0.2"  # stands for any address but the two
    communicator = RpcCommunicator(base_port=0)
    try:
        assert reachable("127.0.0.1", communicator.port)
        assert not reachable(outside, communicator.port)
    finally:
        communicator.close()
    monkeypatch.setenv("MLAGENTS_LISTEN_ADDRESS", "0.0.0.0")
    communicator = RpcCommunicator(base_port=0)
    try:
        assert reachable(outside, communicator.port)
    finally:
        communicator.close()


def test_the_communicator_can_be_used_alone() -> None:
    def script(game: GameClient) -> None:
        answer = game.introduce(package="2.0.0")
        assert answer.rl_initialization_input.seed == 4
        command = game.ready()
        assert command.rl_input.command == RESET
        game.send({BEHAVIOR: [agent(3)]})
        game.quit()

    communicator = RpcCommunicator(base_port=0, timeout_wait=5)
    game = GameThread(communicator.port, script)
    polls: list[int] = []
    inputs = UnityInputProto()
    inputs.rl_initialization_input.seed = 4
    output = communicator.initialize(inputs, lambda: polls.append(1))
    assert output.rl_initialization_output.package_version == "2.0.0"
    inputs = UnityInputProto()
    inputs.rl_input.command = RESET  # type: ignore[assignment]
    step = communicator.exchange(inputs)
    assert step is not None
    assert step.rl_output.agentInfos[BEHAVIOR].value[0].id == 3
    with pytest.raises(UnityWorkerInUseException):
        communicator.check_port(communicator.port)
    assert communicator.exchange(UnityInputProto()) is None
    communicator.close()
    game.finish()
    communicator.check_port(communicator.port)
    assert not communicator.is_open


def test_waiting_for_nobody_polls_until_the_deadline() -> None:
    communicator = RpcCommunicator(base_port=0, timeout_wait=1)
    polls: list[float] = []
    begin = time.monotonic()
    with pytest.raises(UnityTimeOutException, match=rf"port {communicator.port} within the 1 s"):
        communicator.poll_for_timeout(lambda: polls.append(time.monotonic()))
    assert 1.0 <= time.monotonic() - begin < 2.0
    assert 5 <= len(polls) <= 12
    communicator.close()


def test_an_editor_has_no_workers() -> None:
    with pytest.raises(UnityEnvironmentException, match="worker id is 1"):
        UnityEnvironment(worker_id=1)


@pytest.mark.parametrize("discrete", [False, True])
def test_stand_ins_for_the_communicator_work(discrete: bool) -> None:
    communicator = MockCommunicator(discrete_action=discrete)
    with (
        mock.patch("mlagents_envs.env_utils.launch_executable"),
        mock.patch.object(UnityEnvironment, "_get_communicator", return_value=communicator),
    ):
        env = UnityEnvironment(" ")
        env.reset()
        spec = env.behavior_specs["RealFakeBrain"]
        assert spec.action_spec.is_discrete() is discrete
        decision, terminal = env.get_steps("RealFakeBrain")
        assert isinstance(terminal, TerminalSteps)
        assert decision.agent_id.tolist() == [0, 1]
        assert terminal.agent_id.tolist() == [2]
        assert decision.obs[0].tolist() == [[1.0, 2.0, 3.0]] * 2
        env.set_actions("RealFakeBrain", spec.action_spec.random_action(2))
        env.step()
        assert not communicator.has_been_closed
        env.close()
        assert communicator.has_been_closed
