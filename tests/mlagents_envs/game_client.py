"""A scripted game: what an engine would say, made of the generated classes.

As a module it plays inside a thread of a test; as a program it is an executable that behaves, or
misbehaves, as its ``--script`` argument says.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import grpc

from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import ActionSpecProto, BrainParametersProto
from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.observation_pb2 import ObservationProto
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.communicator_objects.unity_to_external_pb2_grpc import UnityToExternalProtoStub

EXCHANGE = "/communicator_objects.UnityToExternalProto/Exchange"
BEHAVIOR = "Ball?team=0"
ALL_CAPABILITIES = UnityRLCapabilitiesProto(
    **dict.fromkeys(UnityRLCapabilitiesProto.DESCRIPTOR.fields_by_name, True)
)
OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),  # the server may not listen yet
    ("grpc.max_reconnect_backoff_ms", 50),
)


class TrainerClosedError(Exception):
    """The trainer answered with another status than 200."""


class GameClient:
    """Speaks the protocol from the side of the game.

    Args:
        port: port of the trainer.
    """

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(f"localhost:{port}", options=OPTIONS)
        grpc.channel_ready_future(self.channel).result(timeout=10)
        self.stub = UnityToExternalProtoStub(self.channel)  # type: ignore[no-untyped-call]

    def call(self, message: UnityMessageProto) -> UnityInputProto:
        reply: UnityMessageProto = self.stub.Exchange(message)
        if reply.header.status != 200:
            raise TrainerClosedError(reply.header.status)
        return reply.unity_input

    def call_raw(self, message: bytes) -> bytes:
        """Send bytes that need not be a message."""
        answer: bytes = self.channel.unary_unary(EXCHANGE)(message)
        return answer

    def introduce(self, communication: str = "1.5.0", package: str = "3.0.0") -> UnityInputProto:
        """First message; the trainer's answer."""
        message = UnityMessageProto(header={"status": 200})
        output = message.unity_output.rl_initialization_output
        output.name = "AcademySingleton"
        output.communication_version = communication
        output.package_version = package
        output.capabilities.CopyFrom(ALL_CAPABILITIES)
        return self.call(message)

    def ready(self) -> UnityInputProto:
        """Second message; the trainer's first command."""
        return self.call(UnityMessageProto(header={"status": 200}))

    def send(
        self,
        agents: dict[str, list[AgentInfoProto]],
        brains: Iterable[BrainParametersProto] = (),
        side_channel: bytes = b"",
    ) -> UnityInputProto:
        """One step; the trainer's next command."""
        return self.call(step_message(agents, brains, side_channel))

    def quit(self) -> None:
        self.stub.Exchange(UnityMessageProto(header={"status": 400}))


def step_message(
    agents: dict[str, list[AgentInfoProto]],
    brains: Iterable[BrainParametersProto] = (),
    side_channel: bytes = b"",
) -> UnityMessageProto:
    message = UnityMessageProto(header={"status": 200})
    for name, infos in agents.items():
        message.unity_output.rl_output.agentInfos[name].CopyFrom(
            UnityRLOutputProto.ListAgentInfoProto(value=infos)
        )
    message.unity_output.rl_output.side_channel = side_channel
    for brain in brains:
        message.unity_output.rl_initialization_output.brain_parameters.append(brain)
    return message


def brain(name: str = BEHAVIOR, continuous: int = 2, branches: Iterable[int] = ()) -> BrainParametersProto:
    branches = list(branches)
    spec = ActionSpecProto(
        num_continuous_actions=continuous,
        num_discrete_actions=len(branches),
        discrete_branch_sizes=branches,
    )
    return BrainParametersProto(brain_name=name, action_spec=spec)


def vector(values: Iterable[float], shape: Iterable[int] | None = None, name: str = "V") -> ObservationProto:
    values = list(values)
    shape = [len(values)] if shape is None else list(shape)
    return ObservationProto(
        shape=shape,
        float_data=ObservationProto.FloatData(data=values),
        dimension_properties=[1] * len(shape),
        name=name,
    )


def agent(agent_id: int = 0, values: Iterable[float] = (1.0, 2.0, 3.0), done: bool = False) -> AgentInfoProto:
    return AgentInfoProto(id=agent_id, reward=0.5, done=done, observations=[vector(values)])


class GameThread(threading.Thread):
    """Plays a script in a thread; what it raised is raised again by :meth:`finish`."""

    def __init__(self, port: int, script: Callable[[GameClient], object]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._script = script
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            client = GameClient(self._port)
            with client.channel:
                self._script(client)
        except (TrainerClosedError, grpc.RpcError):
            pass  # the trainer closed: the usual end
        except BaseException as error:
            self._error = error

    def finish(self) -> None:
        self.join(10)
        assert not self.is_alive()
        if self._error is not None:
            raise self._error


# ---------------------------------------------------------------------------------------------------------
# As a program


def play(client: GameClient, steps: int) -> None:
    """Handshake and some steps, each answered by the trainer."""
    client.introduce()
    client.ready()
    client.send({BEHAVIOR: [agent()]}, [brain()])
    for _ in range(steps):
        client.send({BEHAVIOR: [agent()]})


def hang() -> None:
    time.sleep(60)


def run_script(name: str, client: Callable[[], GameClient]) -> None:
    match name:
        case "hang-in-handshake":
            client().introduce()
            hang()
        case "die-in-handshake":
            client().introduce()
            os.kill(os.getpid(), signal.SIGSEGV)
        case "wrong-version":
            client().introduce(communication="2.0.0", package="9.0.0")
        case "no-agents":
            game = client()
            game.introduce()
            game.ready()
            hang()
        case "hang":
            play(client(), steps=2)
            hang()
        case "die":
            play(client(), steps=2)
            os.kill(os.getpid(), signal.SIGKILL)
        case "quit":
            game = client()
            play(game, steps=2)
            game.quit()
        case "play":
            play(client(), steps=10**9)
        case _:
            raise ValueError(name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mlagents-port", type=int, required=True)
    parser.add_argument("--script", required=True)
    parser.add_argument("-logFile", type=Path)
    options, others = parser.parse_known_args()
    log = options.logFile.open("w") if options.logFile else sys.stderr
    for line in range(30):
        print(f"log line {line}", file=log)
    print(f"playing {options.script}", *others, file=log, flush=True)
    with contextlib.suppress(TrainerClosedError, grpc.RpcError):
        run_script(options.script, lambda: GameClient(options.mlagents_port))


if __name__ == "__main__":
    main()
