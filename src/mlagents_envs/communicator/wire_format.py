"""Compiled primitives of the protobuf wire format, for the lists that grow with the number of agents.

A field is a key (``number << 3 | wire type``) and a value. Wire type 0 is a varint (seven bits per byte,
the lowest first, the high bit of a byte says that more follow), 1 eight bytes, 2 a block (its length as a
varint, then as many bytes), 5 four bytes. Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numba.core.errors import NumbaError
from numpy.typing import NDArray

_F = TypeVar("_F", bound=Callable[..., Any])

_njit: Any = njit

VARINT = 0
BLOCK = 2


def compiled(function: _F) -> _F:
    """Compile a function that allocates nothing, the result kept on disk for the next process.

    Reference counts of the arrays are left alone: they belong to the caller for the whole call, and
    counting them at each of the many small calls takes five sixths of the time. That option of numba is
    not a promise, so without it these functions are only slower.
    """
    try:
        return cast(_F, _njit(cache=True, error_model="numpy", _nrt=False)(function))
    except (KeyError, NameError, TypeError, NumbaError):
        return cast(_F, _njit(cache=True, error_model="numpy")(function))


@compiled
def read_varint(data: NDArray[np.uint8], position: int, end: int) -> tuple[int, int]:
    """Value at ``position`` and the position after it, which is -1 when there is no varint.

    Values of more than 63 bits come out negative, as int32 and int64 fields mean them.
    """
    if position < end and data[position] < 0x80:
        return int(data[position]), position + 1
    value = np.uint64(0)
    for index in range(10):
        if position >= end:
            break
        byte = data[position]
        position += 1
        value |= np.uint64(byte & 0x7F) << np.uint64(7 * index)
        if byte < 0x80:
            return int(np.int64(value)), position
    return 0, -1


@compiled
def read_block(data: NDArray[np.uint8], position: int, end: int) -> tuple[int, int]:
    """First byte of the block at ``position`` and the byte after its last, -1 when it does not fit."""
    length, start = read_varint(data, position, end)
    if start < 0 or length < 0 or length > end - start:
        return 0, -1
    return start, start + length


@compiled
def skip_value(data: NDArray[np.uint8], position: int, end: int, key: int) -> int:
    """Position after the value of a field that is of no interest, -1 when it does not fit."""
    wire_type = key & 7
    if wire_type == VARINT:
        return read_varint(data, position, end)[1]
    if wire_type == BLOCK:
        return read_block(data, position, end)[1]
    if wire_type == 1 and position + 8 <= end:
        return position + 8
    if wire_type == 5 and position + 4 <= end:
        return position + 4
    return -1


@compiled
def read_word(data: NDArray[np.uint8], position: int) -> np.uint32:
    """Four bytes, the lowest first."""
    return np.uint32(
        np.uint32(data[position])
        | np.uint32(data[position + 1]) << np.uint32(8)
        | np.uint32(data[position + 2]) << np.uint32(16)
        | np.uint32(data[position + 3]) << np.uint32(24)
    )


@compiled
def count_records(data: NDArray[np.uint8], start: int, end: int) -> int:
    """Number of entries of a message that is a list of messages (field 1), -1 when it is malformed.

    Args:
        data: uint8 bytes.
        start: first byte of the message.
        end: byte after its last.
    """
    count = 0
    position = start
    while position < end:
        key, position = read_varint(data, position, end)
        if position < 0:
            return -1
        if key == 0x0A:
            count += 1
        position = skip_value(data, position, end, key)
        if position < 0:
            return -1
    return count


@compiled
def write_varint(out: NDArray[np.uint8], position: int, value: np.uint64) -> int:
    """Write a varint; the position after it."""
    while value >= np.uint64(0x80):
        out[position] = np.uint8((value & np.uint64(0x7F)) | np.uint64(0x80))
        value >>= np.uint64(7)
        position += 1
    out[position] = np.uint8(value)
    return position + 1


@compiled
def varint_size(value: np.uint64) -> int:
    """Number of bytes of a varint."""
    size = 1
    while value >= np.uint64(0x80):
        value >>= np.uint64(7)
        size += 1
    return size


@compiled
def write_word(out: NDArray[np.uint8], position: int, word: np.uint32) -> int:
    """Write four bytes, the lowest first; the position after them."""
    for index in range(4):
        out[position + index] = np.uint8((word >> np.uint32(8 * index)) & np.uint32(0xFF))
    return position + 4
