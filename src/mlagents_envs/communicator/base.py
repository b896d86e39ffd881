"""The seam between an environment and whatever carries its messages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.communicator_objects.unity_output_pb2 import UnityOutputProto

PollCallback = Callable[[], None]
"""Called again and again while a message is awaited; raises to end the wait."""


class Communicator(ABC):
    """Exchanges messages with a game.

    Args:
        worker_id: index of the environment among those that run side by side.
        base_port: port of worker 0; the others follow.
    """

    def __init__(self, worker_id: int = 0, base_port: int = 5005) -> None:
        self.worker_id = worker_id
        self.base_port = base_port

    @abstractmethod
    def initialize(
        self, inputs: UnityInputProto, poll_callback: PollCallback | None = None
    ) -> UnityOutputProto:
        """Wait for the game to introduce itself and answer with ``inputs``.

        Args:
            inputs: seed, versions and capabilities.
            poll_callback: called while waiting.

        Returns:
            What the game said of itself.
        """

    @abstractmethod
    def exchange(
        self, inputs: UnityInputProto, poll_callback: PollCallback | None = None
    ) -> UnityOutputProto | None:
        """Answer the waiting call of the game and wait for the next.

        Args:
            inputs: command, actions and side-channel data.
            poll_callback: called while waiting.

        Returns:
            What the game said, None when it is shutting down.
        """

    @abstractmethod
    def close(self) -> None:
        """End the game's call and release everything."""
