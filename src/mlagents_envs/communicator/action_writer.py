"""Writes actions as a ListAgentActionProto: the columns of one behavior, without an object per agent.

Every agent gets its continuous actions, its discrete actions, and both in a row as floats in the field that
games before version 1.7 of the game package read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.communicator.wire_format import compiled, varint_size, write_varint, write_word

_KEYS_AND_LENGTHS = 24
"""Most bytes of an AgentActionProto beside its values: four keys and four lengths."""
_CONTINUOUS_BYTES = 8
_DISCRETE_BYTES = 14
"""Most bytes per action: a float in each of two fields, a float and a varint."""


def encode_actions(continuous: NDArray[np.float32], discrete: NDArray[Any]) -> bytes:
    """Serialised ListAgentActionProto.

    Args:
        continuous: float32 ``(n, c)``.
        discrete: integers ``(n, d)``, one index per branch.
    """
    rows, num_continuous = continuous.shape
    bound = _KEYS_AND_LENGTHS + _CONTINUOUS_BYTES * num_continuous + _DISCRETE_BYTES * discrete.shape[1]
    out = np.empty(rows * bound, np.uint8)
    size = _write_actions(
        np.ascontiguousarray(continuous, np.float32).view(np.uint32),
        np.ascontiguousarray(discrete, np.int32),
        discrete.astype(np.float32, order="C").view(np.uint32),
        out,
    )
    return out[:size].tobytes()


@compiled
def _write_actions(
    continuous: NDArray[np.uint32],
    discrete: NDArray[np.int32],
    discrete_floats: NDArray[np.uint32],
    out: NDArray[np.uint8],
) -> int:
    """Write one record per row; the number of bytes written."""
    position = 0
    num_branches = discrete.shape[1]
    size_continuous = 4 * continuous.shape[1]
    size_all = size_continuous + 4 * num_branches
    for row in range(continuous.shape[0]):
        size_discrete = 0
        for branch in range(num_branches):
            size_discrete += varint_size(np.uint64(np.int64(discrete[row, branch])))
        body = _field_size(size_all) + _field_size(size_continuous) + _field_size(size_discrete)
        position = _write_key(out, position, 0x0A, body)
        if size_all > 0:
            position = _write_key(out, position, 0x0A, size_all)  # 1 vector_actions_deprecated
            position = _write_words(out, position, continuous, row)
            position = _write_words(out, position, discrete_floats, row)
        if size_continuous > 0:
            position = _write_key(out, position, 0x32, size_continuous)  # 6 continuous_actions
            position = _write_words(out, position, continuous, row)
        if size_discrete > 0:
            position = _write_key(out, position, 0x3A, size_discrete)  # 7 discrete_actions
            for branch in range(num_branches):
                position = write_varint(out, position, np.uint64(np.int64(discrete[row, branch])))
    return position


@compiled
def _field_size(size: int) -> int:
    """Bytes of a field with a block of ``size`` bytes; an empty one is left out."""
    return 1 + varint_size(np.uint64(size)) + size if size > 0 else 0


@compiled
def _write_key(out: NDArray[np.uint8], position: int, key: int, size: int) -> int:
    """Write the key and the length of a block; the position after them."""
    out[position] = key
    return int(write_varint(out, position + 1, np.uint64(size)))


@compiled
def _write_words(out: NDArray[np.uint8], position: int, words: NDArray[np.uint32], row: int) -> int:
    """Write a row of ``words``; the position after it."""
    for index in range(words.shape[1]):
        position = write_word(out, position, words[row, index])
    return position
