"""Writes values into the bytes of a side-channel message."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.logging_util import get_logger

logger = get_logger(__name__)


class OutgoingMessage:
    """Message under construction; values are read back in the order in which they were written.

    All numbers are little-endian. The bytes so far are in :attr:`buffer`.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()

    def write_bool(self, b: bool) -> None:
        """Append a bool, 1 byte."""
        self._pack("<?", b)

    def write_int32(self, i: int) -> None:
        """Append an integer, 4 bytes.

        Raises:
            UnitySideChannelException: ``i`` does not fit 32 bits with sign.
        """
        self._pack("<i", i)

    def write_float32(self, f: float) -> None:
        """Append a number as float32, 4 bytes.

        Raises:
            UnitySideChannelException: ``f`` is beyond the range of float32.
        """
        self._pack("<f", f)

    def write_float32_list(self, float_list: Sequence[float]) -> None:
        """Append the number of floats as int32, then each as float32."""
        self._pack(f"<i{len(float_list)}f", len(float_list), *float_list)

    def write_string(self, s: str) -> None:
        """Append the length as int32, then the characters, which must be ASCII.

        Raises:
            UnitySideChannelException: ``s`` holds other characters.
        """
        try:
            encoded = s.encode("ascii")
        except UnicodeEncodeError as error:
            raise UnitySideChannelException(
                f"Side-channel strings are ASCII, but {s!r} is not. Rename it with plain letters."
            ) from error
        self.write_int32(len(encoded))
        self.buffer += encoded

    def set_raw_bytes(self, buffer: bytes | bytearray) -> None:
        """Replace everything written so far by ``buffer``, with a warning if there was something."""
        if self.buffer:
            logger.warning(
                "set_raw_bytes replaces the %d bytes already written to this message.", len(self.buffer)
            )
        self.buffer = bytearray(buffer)

    def _pack(self, layout: str, *values: float) -> None:
        try:
            self.buffer += struct.pack(layout, *values)
        except (struct.error, OverflowError) as error:
            raise UnitySideChannelException(
                f"The value {values if len(values) > 1 else values[0]!r} cannot be sent: {error}."
            ) from error
