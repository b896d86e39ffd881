"""Reads values from the bytes of a side-channel message."""

from __future__ import annotations

import struct
from typing import Any

from mlagents_envs.exception import UnityEnvironmentException


class IncomingMessage:
    """Received message; values are read in the order in which they were written.

    Reading at the end of the message returns the default, so that a newer reader understands an
    older, shorter message. Reading past the end, half a value being there, is an error.

    Args:
        buffer: bytes of the message.
        offset: position of the first value.
    """

    def __init__(self, buffer: bytes | bytearray, offset: int = 0) -> None:
        self.buffer = buffer
        self.offset = offset

    def read_bool(self, default_value: bool = False) -> bool:
        """Read a bool of 1 byte."""
        return bool(self._read("<?", "bool")[0]) if self._has_more() else default_value

    def read_int32(self, default_value: int = 0) -> int:
        """Read an integer of 4 bytes.

        Raises:
            UnityEnvironmentException: the message is cut off inside the value.
        """
        return int(self._read("<i", "int32")[0]) if self._has_more() else default_value

    def read_float32(self, default_value: float = 0.0) -> float:
        """Read a float32 of 4 bytes.

        Raises:
            UnityEnvironmentException: the message is cut off inside the value.
        """
        return float(self._read("<f", "float32")[0]) if self._has_more() else default_value

    def read_float32_list(self, default_value: list[float] | None = None) -> list[float]:
        """Read a count as int32, then as many float32.

        Raises:
            UnityEnvironmentException: the count is negative or exceeds what the message holds.
        """
        if not self._has_more():
            return [] if default_value is None else default_value
        count = self._read_length("float32 list", item_size=4)
        return list(self._read(f"<{count}f", "float32 list"))

    def read_string(self, default_value: str = "") -> str:
        """Read a length as int32, then as many ASCII characters.

        Raises:
            UnityEnvironmentException: the length is negative or exceeds what the message holds, or
                the characters are not ASCII.
        """
        if not self._has_more():
            return default_value
        start = self.offset
        length = self._read_length("string", item_size=1)
        encoded = bytes(self.buffer[self.offset : self.offset + length])
        self.offset += length
        try:
            return encoded.decode("ascii")
        except UnicodeDecodeError as error:
            raise UnityEnvironmentException(
                f"Malformed side-channel message: the string at byte {start} is not ASCII: {encoded!r}."
            ) from error

    def get_raw_bytes(self) -> bytes:
        """The whole message, whatever was read of it so far."""
        return bytes(self.buffer)

    def _has_more(self) -> bool:
        return self.offset < len(self.buffer)

    def _read(self, layout: str, kind: str) -> tuple[Any, ...]:
        size = struct.calcsize(layout)
        if self.offset + size > len(self.buffer):
            raise UnityEnvironmentException(
                f"Truncated side-channel message: a {kind} at byte {self.offset} needs {size} bytes, "
                f"but the message ends at byte {len(self.buffer)}."
            )
        values = struct.unpack_from(layout, self.buffer, self.offset)
        self.offset += size
        return values

    def _read_length(self, kind: str, item_size: int) -> int:
        start = self.offset
        length = int(self._read("<i", f"{kind} length")[0])
        remaining = len(self.buffer) - self.offset
        if not 0 <= length * item_size <= remaining:
            raise UnityEnvironmentException(
                f"Malformed side-channel message: the {kind} at byte {start} claims {length} items of "
                f"{item_size} bytes, but {remaining} bytes follow."
            )
        return length
