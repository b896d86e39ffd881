"""The connection to a trainer: the environment calls, the trainer answers."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError

from mlagents_envs.communicator_objects.capabilities_pb2 import UnityRLCapabilitiesProto
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto
from mlagents_envs.exception import UnityException
from mlagents_sdk.wire.messages import bare_message, closing_message, greeting
from mlagents_sdk.wire.protocol import EXCHANGE, STATUS_OK, incompatibility

HOST = "localhost"
HANDSHAKE_TIMEOUT = 60.0
"""Seconds in which a trainer has to answer the first message."""

_FAREWELL_TIMEOUT = 1.0  # seconds; a trainer may be too busy to answer the last message
_RETRY_INTERVAL = 0.1  # seconds between attempts to find a trainer

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # the trainer is on this machine, whatever the proxy settings say
    ("grpc.enable_retries", 0),  # a step must not be carried out twice
    ("grpc.use_local_subchannel_pool", 1),  # several environments in one process stay apart
)


class NoTrainerException(UnityException):
    """Nobody listens on the port, or whoever does is no trainer that suits."""


class TrainerLeftException(UnityException):
    """The trainer closed the connection, or it broke; the environment has nothing left to do."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a trainer says in the handshake.

    Attributes:
        seed: seed for the environment.
        num_areas: number of training areas, None where the trainer says nothing.
        capabilities: optional features of the protocol that the trainer has.
        communication_version: protocol version of the trainer.
        package_version: version of the trainer's package.
    """

    seed: int
    num_areas: int | None
    capabilities: UnityRLCapabilitiesProto
    communication_version: str
    package_version: str


class TrainerConnection:
    """Calls a trainer on this machine. Nothing is sent before :meth:`handshake`.

    Args:
        port: port on which the trainer listens.

    Raises:
        NoTrainerException: the port is outside 1-65535.
    """

    def __init__(self, port: int) -> None:
        if not 1 <= port <= 65535:
            raise NoTrainerException(f"{port} is not a port; ports lie in 1-65535.")
        self.port = port
        self._channel = grpc.insecure_channel(f"{HOST}:{port}", options=_OPTIONS)
        # without serializers: bytes in, bytes out
        self._call: Callable[..., bytes] = self._channel.unary_unary(EXCHANGE)
        self._introduced = False
        self._closed = False

    def wait_for_trainer(self, timeout: float) -> None:
        """Wait until somebody listens on the port.

        Args:
            timeout: seconds to wait.

        Raises:
            NoTrainerException: nobody does.
        """
        deadline = time.monotonic() + timeout
        while not _is_listening(self.port):
            if time.monotonic() >= deadline:
                raise NoTrainerException(f"Nobody listens on port {self.port}.")
            time.sleep(_RETRY_INTERVAL)

    def handshake(self, timeout: float = HANDSHAKE_TIMEOUT) -> Welcome:
        """Introduce the environment.

        Args:
            timeout: seconds in which the trainer has to answer.

        Raises:
            NoTrainerException: it does not answer, refuses, or speaks another version of the protocol.
        """
        try:
            message = self._exchange(greeting(), timeout)
        except TrainerLeftException as error:
            raise NoTrainerException(f"The handshake on port {self.port} failed. {error}") from error
        self._introduced = True
        reply = message.rl_initialization_input
        problem = incompatibility(reply.communication_version)
        if problem is not None:
            raise NoTrainerException(f"The trainer on port {self.port} does not suit: {problem}.")
        return Welcome(
            seed=reply.seed,
            num_areas=reply.num_areas if reply.num_areas >= 1 else None,
            capabilities=reply.capabilities,
            communication_version=reply.communication_version,
            package_version=reply.package_version,
        )

    def first_input(self) -> UnityRLInputProto:
        """Tell the trainer that the environment is ready, and wait for its first command.

        Raises:
            TrainerLeftException: the trainer closed the connection, or it broke.
        """
        return self.exchange(bare_message())

    def exchange(self, message: bytes) -> UnityRLInputProto:
        """Send a message and wait for the trainer, however long it takes to learn.

        Raises:
            TrainerLeftException: the trainer closed the connection, or it broke.
        """
        return self._exchange(message, None).rl_input

    def close(self, reason: str = "", *, farewell: bool = True) -> None:
        """Close the connection; without effect when repeated.

        Args:
            reason: why, for the trainer's log.
            farewell: tell the trainer, so that it does not wait. Pointless when it has left itself.
        """
        if self._closed:
            return
        self._closed = True
        if farewell and self._introduced:
            with contextlib.suppress(grpc.RpcError):
                self._call(closing_message(reason), timeout=_FAREWELL_TIMEOUT)
        self._channel.close()

    def _exchange(self, message: bytes, timeout: float | None) -> UnityInputProto:
        try:
            reply = self._call(message, timeout=timeout)
        except grpc.RpcError as error:
            raise TrainerLeftException(
                f"The connection broke ({error.code().name}: {error.details()})."
            ) from error
        try:
            parsed = UnityMessageProto.FromString(reply)
        except DecodeError as error:
            raise TrainerLeftException(
                f"The trainer's answer of {len(reply)} bytes cannot be read ({error})."
            ) from error
        if parsed.header.status != STATUS_OK:
            raise TrainerLeftException(f"The trainer closed the connection (status {parsed.header.status}).")
        return parsed.unity_input


def _is_listening(port: int) -> bool:
    """Whether anybody accepts connections, over IPv4 or IPv6."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True
