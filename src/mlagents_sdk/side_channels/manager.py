"""The environment's side channels: what arrives goes to its channel, what is queued goes out."""

from __future__ import annotations

import uuid

from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager, split_records

logger = get_logger(__name__)

TRAINING_ANALYTICS = uuid.UUID("b664a4a9-d86f-5a5f-95cb-e8353a7e8356")
"""Channel on which trainers tell about themselves; without a channel of the user's, nobody listens."""


class EnvironmentSideChannels:
    """Side channels of one academy.

    Unlike the trainer's end, this one survives messages for channels that are registered a little
    later, and handlers that fail.
    """

    def __init__(self) -> None:
        self._channels: dict[uuid.UUID, SideChannel] = {}
        self._unclaimed: list[tuple[uuid.UUID, bytes]] = []

    def register(self, channel: SideChannel) -> None:
        """Add a channel; messages that arrived for it with the last exchange are delivered next.

        Raises:
            UnitySideChannelException: another channel has the same id.
        """
        other = self._channels.setdefault(channel.channel_id, channel)
        if other is not channel:
            raise UnitySideChannelException(
                f"Two side channels have the id {channel.channel_id}: {type(other).__name__} and "
                f"{type(channel).__name__}. Give one of them another id."
            )

    def unregister(self, channel: SideChannel) -> None:
        """Remove a channel; without effect when it is not registered."""
        if self._channels.get(channel.channel_id) is channel:
            del self._channels[channel.channel_id]

    def clear(self) -> None:
        """Remove all channels and forget all messages."""
        self._channels.clear()
        self._unclaimed.clear()

    def process(self, data: bytes | bytearray) -> None:
        """Deliver messages that the trainer sent, in order.

        A message for an unknown channel is kept until the next call and then dropped with a warning,
        unless its channel was registered meanwhile. A handler's exception is logged and ends only
        that message.

        Args:
            data: records of channel id (16 bytes, ``bytes_le``), length (int32) and payload.

        Raises:
            UnityEnvironmentException: a record is cut off or has an impossible length.
        """
        if not data and not self._unclaimed:
            return
        kept, self._unclaimed = self._unclaimed, []
        for channel_id, payload in kept:
            if not self._deliver(channel_id, payload):
                logger.warning(
                    "The trainer sent %d bytes on side channel %s, which nobody registered; dropped.",
                    len(payload),
                    channel_id,
                )
        for channel_id, payload in split_records(data):
            if not self._deliver(channel_id, payload) and channel_id != TRAINING_ANALYTICS:
                self._unclaimed.append((channel_id, payload))

    def collect(self) -> bytes:
        """Bytes of all queued messages, channel by channel; the queues are empty afterwards."""
        if not any(channel.message_queue for channel in self._channels.values()):
            return b""
        return bytes(SideChannelManager(self._channels.values()).generate_side_channel_messages())

    def discard_queued(self) -> None:
        """Forget all queued messages."""
        for channel in self._channels.values():
            channel.message_queue.clear()

    def _deliver(self, channel_id: uuid.UUID, payload: bytes) -> bool:
        channel = self._channels.get(channel_id)
        if channel is None:
            return False
        try:
            channel.on_message_received(IncomingMessage(payload))
        except Exception:
            logger.exception(
                "%s could not handle a message of %d bytes.", type(channel).__name__, len(payload)
            )
        return True
