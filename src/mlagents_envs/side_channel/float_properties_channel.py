"""Named numbers that both ends may set."""

from __future__ import annotations

import uuid

from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.outgoing_message import OutgoingMessage
from mlagents_envs.side_channel.side_channel import SideChannel


class FloatPropertiesChannel(SideChannel):
    """A dictionary of numbers shared with the environment.

    Args:
        channel_id: identity of the channel; None for the common one.
    """

    def __init__(self, channel_id: uuid.UUID | None = None) -> None:
        super().__init__(channel_id or uuid.UUID("60ccf7d0-4f7e-11ea-b238-784f4387d1f7"))
        self._properties: dict[str, float] = {}

    def on_message_received(self, msg: IncomingMessage) -> None:
        """Store the key and the value in ``msg``."""
        key = msg.read_string()
        self._properties[key] = msg.read_float32()

    def set_property(self, key: str, value: float) -> None:
        """Set a property here and, with the next ``step`` or ``reset``, in the environment."""
        msg = OutgoingMessage()
        msg.write_string(key)
        msg.write_float32(value)
        self._properties[key] = value
        self.queue_message_to_send(msg)

    def get_property(self, key: str) -> float | None:
        """Last known value of a property, or None."""
        return self._properties.get(key)

    def list_properties(self) -> list[str]:
        """Keys of all known properties."""
        return list(self._properties)

    def get_property_dict_copy(self) -> dict[str, float]:
        """All known properties; changing the result changes nothing here."""
        return dict(self._properties)
