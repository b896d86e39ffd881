"""Stands in for the trainer's ends of the side channels when the trainer is in another process."""

from __future__ import annotations

from typing import Protocol


class MessageEnds(Protocol):
    """The trainer's ends of all side channels, as blocks of bytes.

    :class:`~mlagents_envs.side_channel.side_channel_manager.SideChannelManager` is one.
    """

    def generate_side_channel_messages(self) -> bytes | bytearray:
        """All messages for the environment, which are forgotten thereby."""

    def process_side_channel_message(self, data: bytes | bytearray) -> None:
        """Take messages of the environment."""


class MessageRelay:
    """Keeps messages in both directions until they are fetched."""

    def __init__(self) -> None:
        self._for_environment = b""
        self._for_trainer = b""

    def put(self, data: bytes) -> None:
        """Leave messages for the environment; it takes them at its next step or reset."""
        self._for_environment += data

    def take(self) -> bytes:
        """Messages that the environment left, which are forgotten thereby."""
        data, self._for_trainer = self._for_trainer, b""
        return data

    def generate_side_channel_messages(self) -> bytes:
        """Messages for the environment."""
        data, self._for_environment = self._for_environment, b""
        return data

    def process_side_channel_message(self, data: bytes | bytearray) -> None:
        """Leave messages for the trainer."""
        self._for_trainer += data
