"""Exchanges messages with a game over gRPC."""

from __future__ import annotations

import time

from mlagents_envs.communicator.base import Communicator, PollCallback
from mlagents_envs.communicator.messages import STATUS_OK, closing_reply, parse_message
from mlagents_envs.communicator.server import ExchangeServer, PortInUseError
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto
from mlagents_envs.exception import UnityTimeOutException, UnityWorkerInUseException

ANY_PORT = 0
"""Base port that stands for any free port."""

POLL_SECONDS = 0.1
"""How long a wait for the game lasts before the callback is called, which notices that the game died."""


class RpcCommunicator(Communicator):
    """Listens on a port of this machine until closed.

    Args:
        worker_id: index of the environment among those that run side by side.
        base_port: port of worker 0; the others follow. :data:`ANY_PORT` for any that is free.
        timeout_wait: seconds to wait for a message of the game.

    Attributes:
        port: the port that it listens on.
        is_open: whether it listens.
        timeout_wait: as given.

    Raises:
        UnityWorkerInUseException: the port is taken.
    """

    def __init__(self, worker_id: int = 0, base_port: int = 5005, timeout_wait: int = 30) -> None:
        super().__init__(worker_id, base_port)
        self.port = ANY_PORT if base_port == ANY_PORT else base_port + worker_id
        self.timeout_wait = timeout_wait
        self.is_open = False
        self.create_server()

    def create_server(self) -> None:
        """Begin to listen.

        Raises:
            UnityWorkerInUseException: the port is taken.
        """
        try:
            self._server = ExchangeServer(self.port)
        except PortInUseError as error:
            raise self._in_use() from error
        self.port = self._server.port
        self.is_open = True

    def check_port(self, port: int) -> None:
        """Check that nobody listens on ``port``.

        Raises:
            UnityWorkerInUseException: somebody does.
        """
        try:
            ExchangeServer(port).stop()
        except PortInUseError as error:
            raise self._in_use() from error

    def initialize(
        self, inputs: UnityInputProto, poll_callback: PollCallback | None = None
    ) -> UnityOutputProto:
        """Wait for the game to introduce itself, answer, and wait until it has understood.

        Raises:
            UnityTimeOutException: the whole takes longer than the time allowed.
            UnityCommunicationException: the game sent something else than a message.
        """
        deadline = time.monotonic() + self.timeout_wait
        first = self.receive(deadline, poll_callback)
        output = parse_message(first).unity_output
        self.reply(_message(inputs))
        self.receive(deadline, poll_callback)
        return output

    def exchange(
        self, inputs: UnityInputProto, poll_callback: PollCallback | None = None
    ) -> UnityOutputProto | None:
        """Answer the waiting call of the game and wait for the next.

        Returns:
            What the game said, None when it is shutting down.

        Raises:
            UnityTimeOutException: nothing came within the time allowed.
            UnityCommunicationException: the game sent something else than a message.
        """
        self.reply(_message(inputs))
        message = parse_message(self.receive(time.monotonic() + self.timeout_wait, poll_callback))
        return message.unity_output if message.header.status == STATUS_OK else None

    def reply(self, message: bytes) -> None:
        """Answer the waiting call of the game with a serialised UnityMessageProto."""
        self._server.reply(message)

    def receive(self, deadline: float, poll_callback: PollCallback | None = None) -> bytes:
        """The next message of the game, a serialised UnityMessageProto.

        Args:
            deadline: until when to wait, in seconds of the monotonic clock.
            poll_callback: called every :data:`POLL_SECONDS` of waiting.

        Raises:
            UnityTimeOutException: the deadline passed.
            ConnectionLostError: the game went away instead of taking the last reply.
            UnityCommunicationException: the call could not be handled.
        """
        while True:
            left = deadline - time.monotonic()
            message = self._server.receive(max(0.0, min(left, POLL_SECONDS)))
            if message is not None:
                return message
            if poll_callback is not None:
                poll_callback()
            if left <= 0:
                raise UnityTimeOutException(
                    f"No message came on port {self.port} within the {self.timeout_wait:g} s allowed."
                )

    def poll_for_timeout(self, poll_callback: PollCallback | None = None) -> bytes:
        """The next message, within the time allowed from now; see :meth:`receive`."""
        return self.receive(time.monotonic() + self.timeout_wait, poll_callback)

    def close(self) -> None:
        """Tell the game to stop and free the port; once is enough."""
        if self.is_open:
            self.is_open = False
            self._server.stop(closing_reply())

    def _in_use(self) -> UnityWorkerInUseException:
        error = UnityWorkerInUseException(self.worker_id)
        error.args = (f"{error} The port is {self.port}.",)
        return error


def _message(inputs: UnityInputProto) -> bytes:
    message = UnityMessageProto(unity_input=inputs)
    message.header.status = STATUS_OK
    return message.SerializeToString()
