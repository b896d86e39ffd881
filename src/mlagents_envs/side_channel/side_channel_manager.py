"""Packs the queues of all side channels into one block of bytes, and the reverse.

The block is a sequence of records: channel id (16 bytes, first three fields little-endian), length
of the payload (int32, little-endian), payload.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel

logger = get_logger(__name__)

_HEADER = struct.Struct("<16si")


class SideChannelManager:
    """All side channels of one environment.

    Args:
        side_channels: channels with distinct ids, in the order in which they are sent; None for none.

    Raises:
        UnityEnvironmentException: two channels have the same id.
    """

    def __init__(self, side_channels: Iterable[SideChannel] | None = None) -> None:
        self._channels: dict[uuid.UUID, SideChannel] = {}
        for channel in side_channels or ():
            other = self._channels.setdefault(channel.channel_id, channel)
            if other is not channel:
                raise UnityEnvironmentException(
                    f"Two side channels have the id {channel.channel_id}: {type(other).__name__} and "
                    f"{type(channel).__name__}. Give one of them another id."
                )

    def process_side_channel_message(self, data: bytes | bytearray) -> None:
        """Hand every record in ``data`` to its channel, in order; unknown channels with a warning.

        Nothing is handed out when ``data`` is malformed.

        Raises:
            UnityEnvironmentException: a record is cut off or has an impossible length.
        """
        for channel_id, payload in split_records(data):
            channel = self._channels.get(channel_id)
            if channel is None:
                logger.warning(
                    "The environment sent %d bytes on side channel %s, which is not registered; skipped.",
                    len(payload),
                    channel_id,
                )
            else:
                channel.on_message_received(IncomingMessage(payload))

    def generate_side_channel_messages(self) -> bytearray:
        """Bytes of all queued messages, channel by channel; the queues are empty afterwards."""
        result = bytearray()
        for channel_id, channel in self._channels.items():
            queue, channel.message_queue = channel.message_queue, []
            for message in queue:
                result += _HEADER.pack(channel_id.bytes_le, len(message))
                result += message
        return result


def split_records(data: bytes | bytearray) -> list[tuple[uuid.UUID, bytes]]:
    """Split a block into (channel id, payload) pairs."""
    records = []
    offset = 0
    while offset < len(data):
        if offset + _HEADER.size > len(data):
            raise UnityEnvironmentException(
                f"Truncated side-channel data: a record header at byte {offset} needs {_HEADER.size} bytes, "
                f"but the data ends at byte {len(data)}."
            )
        raw_id, length = _HEADER.unpack_from(data, offset)
        channel_id = uuid.UUID(bytes_le=raw_id)
        offset += _HEADER.size
        if not 0 <= length <= len(data) - offset:
            raise UnityEnvironmentException(
                f"Malformed side-channel data: the record of channel {channel_id} claims {length} bytes, "
                f"but {len(data) - offset} follow."
            )
        records.append((channel_id, bytes(data[offset : offset + length])))
        offset += length
    return records
