"""One game from its first message to its last; every failure says which it was.

A wait for the game ends in one of these ways: it answers; its process ended; it never connected; it
connected and went silent during the handshake; no agent asked for a decision; it went silent later; it closed
the connection; or it announced its end. All but the first raise, each with its own sentence and with the end
of the player's log, where there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import Popen
from typing import NoReturn

from mlagents_envs.communicator.base import Communicator
from mlagents_envs.communicator.messages import (
    STATUS_CLOSING,
    STATUS_OK,
    GameMessage,
    initialization_reply,
    parse_message,
    read_message,
)
from mlagents_envs.communicator.server import ConnectionLostError
from mlagents_envs.communicator.versions import check_communication_version
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_rl_initialization_input_pb2 import (
    UnityRLInitializationInputProto,
)
from mlagents_envs.communicator_objects.unity_rl_initialization_output_pb2 import (
    UnityRLInitializationOutputProto,
)
from mlagents_envs.env_utils import PlayerProcess, describe_exit, player_log_path, tail_of_file
from mlagents_envs.exception import (
    UnityCommunicationException,
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityTimeOutException,
)
from mlagents_envs.rpc_communicator import RpcCommunicator

_LAST_MESSAGE_SECONDS = 0.2
"""A game that ends properly says so first; how long that message may still be on its way."""
_EXIT_SECONDS = 1.0
"""How long a game that closed its connection may take to end."""


class GameSession:
    """The conversation with one game.

    Args:
        name: the game, for messages.
        communicator: carries the messages.
        timeout: seconds to wait for the whole handshake, and for each step.
    """

    def __init__(self, name: str, communicator: Communicator, timeout: float) -> None:
        self._name = name
        self._communicator = communicator
        self._timeout = timeout
        self._process: Popen[bytes] | None = None
        self._log: Path | None = None
        self._doing = "before it connected"
        self._silence = self._never_connected
        self._exchanges = 0

    def watch(self, process: Popen[bytes], arguments: Sequence[str]) -> None:
        """Take charge of the game's process, which without this was started by somebody else.

        Args:
            process: the process.
            arguments: its arguments, which may name its log.
        """
        self._process = process
        self._log = player_log_path(arguments)

    def handshake(
        self, make_input: Callable[[str], UnityRLInitializationInputProto]
    ) -> UnityRLInitializationOutputProto:
        """Let the game introduce itself and answer; all of it within one timeout.

        Args:
            make_input: makes the answer, given the version of the game's package.

        Returns:
            What the game said of itself.

        Raises:
            UnityEnvironmentException: the game ended, or its version does not suit.
            UnityTimeOutException: it did not connect, or went silent.
        """
        if not isinstance(self._communicator, RpcCommunicator):
            inputs = UnityInputProto(rl_initialization_input=make_input(""))
            output = self._communicator.initialize(inputs, self._poll).rl_initialization_output
            check_communication_version(output)
            return output
        deadline = time.monotonic() + self._timeout
        first = parse_message(self._receive(deadline)).unity_output
        if not first.HasField("rl_initialization_output"):
            raise UnityCommunicationException(
                f"{self._name} connected, but did not introduce itself. Was it restarted while it was in use?"
            )
        output = first.rl_initialization_output
        self._doing = "during the handshake"
        self._silence = self._silent_in_handshake
        try:
            check_communication_version(output)
        except UnityEnvironmentException as error:
            raise UnityEnvironmentException(f"{error}{self._last_lines()}") from None
        self._communicator.reply(initialization_reply(make_input(output.package_version)))
        if read_message(self._receive(deadline)).status == STATUS_CLOSING:
            raise self._stopped(STATUS_CLOSING)
        self._doing = "before any agent asked for a decision"
        self._silence = self._no_agent
        return output

    def exchange(self, reply: bytes) -> GameMessage:
        """Answer the game and wait for what it says next.

        Args:
            reply: a serialised UnityMessageProto.

        Raises:
            UnityEnvironmentException: the game ended, or closed the connection.
            UnityCommunicatorStoppedException: it announced its end.
            UnityTimeOutException: it went silent.
            UnityCommunicationException: it sent something that is no message.
        """
        if isinstance(self._communicator, RpcCommunicator):
            self._communicator.reply(reply)
            message = read_message(self._receive(time.monotonic() + self._timeout))
        else:
            inputs = UnityMessageProto.FromString(reply).unity_input
            output = self._communicator.exchange(inputs, self._poll)
            envelope = UnityMessageProto(unity_output=output)
            envelope.header.status = STATUS_CLOSING if output is None else STATUS_OK
            message = read_message(envelope.SerializeToString())
        if message.status != STATUS_OK:
            raise self._stopped(message.status)
        if not message.has_step:
            raise UnityCommunicationException(
                f"{self._name} sent a message without a step, {self._doing}. Was it restarted?"
            )
        self._exchanges += 1
        self._doing = f"after {self._exchanges} steps"
        self._silence = self._silent_later
        return message

    def close(self, grace: float) -> None:
        """Tell the game to end and see to it that it does.

        Args:
            grace: seconds that its process may take before it is killed.
        """
        self._communicator.close()
        if isinstance(self._process, PlayerProcess):
            self._process.stop(grace)
        elif self._process is not None:  # started by a stand-in for launch_executable
            self._process.wait(grace)

    def _receive(self, deadline: float) -> bytes:
        assert isinstance(self._communicator, RpcCommunicator)
        try:
            return self._communicator.receive(deadline, self._poll)
        except UnityTimeOutException:
            raise UnityTimeOutException(f"{self._silence()}{self._last_lines()}") from None
        except ConnectionLostError:
            pass
        self._connection_lost()

    def _poll(self) -> None:
        """Raise when the process of the game has ended."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return
        if isinstance(self._communicator, RpcCommunicator):
            try:
                last = self._communicator.receive(time.monotonic() + _LAST_MESSAGE_SECONDS)
            except (UnityTimeOutException, ConnectionLostError):
                pass
            else:
                status = read_message(last).status
                if status not in (0, STATUS_OK):
                    raise self._stopped(status)
        raise UnityEnvironmentException(
            f"{self._name} ended {self._doing}. Environment shut down with return code "
            f"{describe_exit(code)}.{self._last_lines()}"
        )

    def _connection_lost(self) -> NoReturn:
        """The game went away while it was Python's turn: say how its process ended, if it did."""
        deadline = time.monotonic() + _EXIT_SECONDS
        while self._process is not None and time.monotonic() < deadline:
            self._poll()
            time.sleep(0.01)
        raise UnityEnvironmentException(
            f"{self._name} closed the connection {self._doing}, without saying why.{self._last_lines()}"
        )

    def _stopped(self, status: int) -> UnityCommunicatorStoppedException:
        return UnityCommunicatorStoppedException(
            f"{self._name} announced that it is shutting down (status {status}), {self._doing}."
            f"{self._last_lines()}"
        )

    def _never_connected(self) -> str:
        assert isinstance(self._communicator, RpcCommunicator)  # only those wait for a connection
        port = self._communicator.port
        advice = (
            "Its process is still running: it may need longer to start (timeout_wait), or it is no "
            "environment that looks for a trainer."
            if self._process is not None
            else "Nothing called the port: was Play pressed in the editor?"
        )
        return f"{self._name} did not connect to port {port} within {self._timeout:g} s. {advice}"

    def _silent_in_handshake(self) -> str:
        return (
            f"{self._name} connected, but did not finish the handshake within {self._timeout:g} s. "
            "It hangs, or it did not accept the answer; its log may say why."
        )

    def _no_agent(self) -> str:
        return (
            f"{self._name} connected, but no agent asked for a decision within {self._timeout:g} s. "
            "Check that the scene has agents, that they request decisions, and that their behavior type is "
            "not one that plays by itself."
        )

    def _silent_later(self) -> str:
        return (
            f"{self._name} sent nothing for {self._timeout:g} s, {self._doing}. It hangs, or no agent asks "
            "for decisions any more; if its steps take that long, raise timeout_wait."
        )

    def _last_lines(self) -> str:
        """The end of the player's log, ready to be put after a sentence."""
        where, lines = f"log ({self._log})", tail_of_file(self._log) if self._log is not None else []
        if not lines and isinstance(self._process, PlayerProcess):
            where, lines = "output", self._process.last_lines()
        if not lines:
            return ""
        return "\n".join([f"\nThe last lines of its {where}:", *(f"    {line}" for line in lines)])
