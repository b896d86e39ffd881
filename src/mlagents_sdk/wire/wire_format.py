"""The few rules of protobuf's encoding with which messages are put together from columns.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

PADDED_VARINT_SIZE = 5
"""Bytes of a 32-bit integer when its varint is padded to the longest form."""

_SHIFTS = np.arange(0, 7 * PADDED_VARINT_SIZE, 7, dtype=np.uint32)
_MORE_FOLLOWS = np.array([0x80] * (PADDED_VARINT_SIZE - 1) + [0], dtype=np.uint32)


class WireType(IntEnum):
    """How the bytes of a field are delimited."""

    VARINT = 0
    LENGTH = 2
    FIXED32 = 5


def varint(value: int) -> bytes:
    """Encode an integer of at least 0, seven bits per byte, the lowest first."""
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def padded_varints(values: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Varints of ``values`` ``(n,)`` >= 0, all of the same length, so that records stay aligned.

    Parsers accept the padding: it is seven zero bits per byte.

    Returns:
        One byte per element, ``(n, PADDED_VARINT_SIZE)``.
    """
    return (values.astype(np.uint32)[:, None] >> _SHIFTS) & np.uint32(0x7F) | _MORE_FOLLOWS


def tag(field: int, wire_type: WireType) -> bytes:
    """What announces a field."""
    return varint(field << 3 | wire_type)


def delimited(field: int, *parts: bytes) -> bytes:
    """Field of bytes: a string, a message, or packed numbers; the parts are joined."""
    return b"".join((tag(field, WireType.LENGTH), varint(sum(map(len, parts))), *parts))
