"""Base class of side channels: messages that travel beside observations and actions."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod

from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage


class SideChannel(ABC):
    """One kind of message, identified by a UUID that both ends know.

    Args:
        channel_id: identity of the channel.
    """

    def __init__(self, channel_id: uuid.UUID) -> None:
        self._channel_id = channel_id
        self.message_queue: list[bytearray] = []

    @property
    def channel_id(self) -> uuid.UUID:
        """Identity of the channel."""
        return self._channel_id

    def queue_message_to_send(self, msg: OutgoingMessage) -> None:
        """Queue ``msg``; it is sent with the next ``step`` or ``reset``."""
        self.message_queue.append(msg.buffer)

    @abstractmethod
    def on_message_received(self, msg: IncomingMessage) -> None:
        """Handle a message from the other end; called once per message, in order."""
