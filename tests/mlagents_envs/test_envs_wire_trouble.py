"""Conversations that go wrong, and who may take part in one."""

from __future__ import annotations

import socket
import threading
import time
from unittest import mock

import numpy as np
import pytest
from game_client import BEHAVIOR, GameClient, GameThread, agent, brain, step_message, vector
from wire_sessions import RESET, connected, is_free, is_pending, server_of, wait_until

from mlagents_envs.base_env import TerminalSteps
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import (
    UnityCommunicationException,
    UnityEnvironmentException,
    UnityObservationException,
    UnityTimeOutException,
    UnityWorkerInUseException,
)
from mlagents_envs.mock_communicator import MockCommunicator
from mlagents_envs.rpc_communicator import RpcCommunicator


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
