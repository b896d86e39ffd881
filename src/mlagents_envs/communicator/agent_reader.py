"""Compiled reader of a ListAgentInfoProto: the agents of one behavior, straight into columns.

Building a Python object for each agent costs more than everything else between the socket and the trainer.
The reader knows the canonical encoding, which is what protobuf libraries write; it answers anything else
with :data:`MALFORMED`, and the caller may bring the message into that form and try again.

Field numbers are those of ``agent_info.proto`` and ``observation.proto``; a key below is
``number << 3 | wire type``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.communicator.wire_format import (
    compiled,
    read_block,
    read_varint,
    read_word,
    skip_value,
)

OK = 0
MALFORMED = 1
"""Not the canonical encoding, or no AgentInfoProto at all."""
OBSERVATION_COUNT = 2
"""An agent has fewer or more observations than the behavior."""
SHAPE = 3
"""An observation declares another shape."""
DATA_SIZE = 4
"""An observation has fewer or more floats than its shape says."""
COMPRESSED_VECTOR = 5
"""An observation is compressed and no image."""
OBSERVATION_NOT_FINITE = 6
REWARD_NOT_FINITE = 7
GROUP_REWARD_NOT_FINITE = 8
"""NaN or infinite values."""

RANK, FIRST_DIM, NUM_FLOATS, OFFSET = 0, 1, 2, 3
"""Columns of the table of sensors."""
DATA_START, DATA_END, MAPPING_START, MAPPING_END, COMPRESSED = 0, 1, 2, 3, 4
"""Columns of the table of images."""

_PNG = 1
_EXPONENT = np.uint32(0x7F800000)
"""Bits that are all set in NaN and infinities, and in no other float32."""


@compiled
def read_agents(
    data: NDArray[np.uint8],
    start: int,
    end: int,
    sensors: NDArray[np.int64],
    dims: NDArray[np.int64],
    bodies: NDArray[np.int64],
    integers: NDArray[np.int32],
    rewards: NDArray[np.uint32],
    flags: NDArray[np.bool_],
    observations: NDArray[np.uint32],
    images: NDArray[np.int64],
    masks: NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Read n agents with S sensors each.

    Agents that ask for a decision come first in every column and those whose episode ended last, both
    in the order of the message, so that either kind is a slice.

    Args:
        data: uint8 bytes that hold the message.
        start: first byte of the message.
        end: byte after its last.
        sensors: int64 ``(S, 4)``: rank, first index into ``dims``, number of floats, and where the
            block of the sensor begins in ``observations``.
        dims: int64, the declared shapes of all sensors in a row.
        bodies: int64 ``(n, 3)``; output: first byte of each agent's record, the byte after its last, and
            its row, in the order of the message.
        integers: int32 ``(2, n)``, zeros; output: id, group_id.
        rewards: uint32 ``(2, n)``, zeros; output: the bits of reward and group_reward.
        flags: bool ``(2, n)``, zeros; output: done, max_step_reached.
        observations: uint32; output: the bits of the floats, one block ``(n, floats)`` per sensor.
        images: int64 ``(S, n, 5)``, zeros; output: bounds of the compressed data, bounds of the packed
            channel mapping, and 1 where the observation is compressed.
        masks: bool ``(n, sum of branches)``, zeros; output: forbidden actions.

    Returns:
        A code, and the agent (in the order of the message) and the observation that it is about.
    """
    if not _find_rows(data, start, end, bodies):
        return MALFORMED, -1, -1
    for agent in range(bodies.shape[0]):
        body, body_end, row = bodies[agent, 0], bodies[agent, 1], bodies[agent, 2]
        _read_scalars(data, body, body_end, row, integers, rewards, flags)
        if (rewards[0, row] & _EXPONENT) == _EXPONENT:
            return REWARD_NOT_FINITE, agent, -1
        if (rewards[1, row] & _EXPONENT) == _EXPONENT:
            return GROUP_REWARD_NOT_FINITE, agent, -1
        code, sensor = _read_lists(data, body, body_end, row, sensors, dims, observations, images, masks)
        if code != OK:
            return code, agent, sensor
    return OK, -1, -1


@compiled
def _find_rows(data: NDArray[np.uint8], start: int, end: int, bodies: NDArray[np.int64]) -> bool:
    """Fill ``bodies``, all fields of every record being checked to fit; False when one does not."""
    agent = 0
    decisions = 0
    position = start
    while position < end:
        key, position = read_varint(data, position, end)
        if position >= 0 and key != 0x0A:
            position = skip_value(data, position, end, key)
            if position >= 0:
                continue
        if position < 0 or agent == bodies.shape[0]:
            return False
        body, position = read_block(data, position, end)
        done = _is_done(data, body, position) if position >= 0 else -1
        if done < 0:
            return False
        bodies[agent, 0], bodies[agent, 1], bodies[agent, 2] = body, position, done
        decisions += 1 - done
        agent += 1
    decision, terminal = 0, decisions
    for index in range(agent):
        if bodies[index, 2] == 1:
            bodies[index, 2] = terminal
            terminal += 1
        else:
            bodies[index, 2] = decision
            decision += 1
    return bool(agent == bodies.shape[0])


@compiled
def _is_done(data: NDArray[np.uint8], position: int, end: int) -> int:
    """1 when the record says that the episode ended, 0 when not, -1 when a field does not fit."""
    done = 0
    while position < end:
        key, position = read_varint(data, position, end)
        if position < 0:
            return -1
        if key == 0x40:  # 8 done
            value, position = read_varint(data, position, end)
            done = 1 if value != 0 else 0
        else:
            position = skip_value(data, position, end, key)
        if position < 0:
            return -1
    return done


@compiled
def _read_scalars(
    data: NDArray[np.uint8],
    position: int,
    end: int,
    row: int,
    integers: NDArray[np.int32],
    rewards: NDArray[np.uint32],
    flags: NDArray[np.bool_],
) -> None:
    """Everything of one AgentInfoProto that is a single number."""
    while position < end:
        key, position = read_varint(data, position, end)
        if key == 0x3D:  # 7 reward
            rewards[0, row] = read_word(data, position)
        elif key == 0x7D:  # 15 group_reward
            rewards[1, row] = read_word(data, position)
        elif key == 0x40:  # 8 done
            flags[0, row] = read_varint(data, position, end)[0] != 0
        elif key == 0x48:  # 9 max_step_reached
            flags[1, row] = read_varint(data, position, end)[0] != 0
        elif key == 0x50:  # 10 id
            integers[0, row] = np.int32(read_varint(data, position, end)[0])
        elif key == 0x70:  # 14 group_id
            integers[1, row] = np.int32(read_varint(data, position, end)[0])
        position = skip_value(data, position, end, key)


@compiled
def _read_lists(
    data: NDArray[np.uint8],
    position: int,
    end: int,
    row: int,
    sensors: NDArray[np.int64],
    dims: NDArray[np.int64],
    observations: NDArray[np.uint32],
    images: NDArray[np.int64],
    masks: NDArray[np.bool_],
) -> tuple[int, int]:
    """Observations and mask of one AgentInfoProto; a code and the observation that it is about."""
    sensor = 0
    while position < end:
        key, position = read_varint(data, position, end)
        if key == 0x6A:  # 13 observations
            block, position = read_block(data, position, end)
            if sensor == sensors.shape[0]:
                return OBSERVATION_COUNT, sensor
            code = _read_observation(data, block, position, row, sensor, sensors, dims, observations, images)
            if code != OK:
                return code, sensor
            sensor += 1
        elif key == 0x5A:  # 11 action_mask
            block, position = read_block(data, position, end)
            if position - block == masks.shape[1]:
                for index in range(masks.shape[1]):
                    masks[row, index] = data[block + index] != 0
        elif key == 0x58:  # 11 action_mask, not packed
            return MALFORMED, -1
        else:
            position = skip_value(data, position, end, key)
    return (OK if sensor == sensors.shape[0] else OBSERVATION_COUNT), sensor


@compiled
def _read_observation(
    data: NDArray[np.uint8],
    position: int,
    end: int,
    row: int,
    sensor: int,
    sensors: NDArray[np.int64],
    dims: NDArray[np.int64],
    observations: NDArray[np.uint32],
    images: NDArray[np.int64],
) -> int:
    """One ObservationProto; a code. Compressed data is not read, its bounds are noted."""
    fits = sensors[sensor, RANK] == 0
    kind, floats, floats_end = 0, 0, 0
    while position < end:
        key, position = read_varint(data, position, end)
        if position < 0:
            return MALFORMED
        block, block_end = 0, -1
        if key & 7 == 2:
            block, block_end = read_block(data, position, end)
        if key == 0x0A:  # 1 shape
            fits = block_end >= 0 and _is_shape(data, block, block_end, sensor, sensors, dims)
        elif key == 0x10:  # 2 compression_type
            kind = read_varint(data, position, end)[0]
        elif key == 0x1A:  # 3 compressed_data
            images[sensor, row, DATA_START], images[sensor, row, DATA_END] = block, block_end
        elif key == 0x22:  # 4 float_data
            floats, floats_end = _find_floats(data, block, block_end)
            if floats_end < 0:
                return MALFORMED
        elif key == 0x2A:  # 5 compressed_channel_mapping
            images[sensor, row, MAPPING_START], images[sensor, row, MAPPING_END] = block, block_end
        elif key == 0x08 or key == 0x28:  # shape or mapping, not packed
            return MALFORMED
        position = block_end if key & 7 == 2 else skip_value(data, position, end, key)
        if position < 0:
            return MALFORMED
    if not fits:
        return SHAPE
    if kind == _PNG:
        images[sensor, row, COMPRESSED] = 1
        return OK if sensors[sensor, RANK] == 3 else COMPRESSED_VECTOR
    size = sensors[sensor, NUM_FLOATS]
    if floats_end - floats != 4 * size:
        return DATA_SIZE
    target = sensors[sensor, OFFSET] + row * size
    return OK if _copy_floats(data, floats, observations, target, size) else OBSERVATION_NOT_FINITE


@compiled
def _is_shape(
    data: NDArray[np.uint8],
    position: int,
    end: int,
    sensor: int,
    sensors: NDArray[np.int64],
    dims: NDArray[np.int64],
) -> bool:
    """Whether packed numbers are the declared shape of a sensor."""
    first = sensors[sensor, FIRST_DIM]
    rank = 0
    while position < end:
        dim, position = read_varint(data, position, end)
        if position < 0 or rank == sensors[sensor, RANK] or dim != dims[first + rank]:
            return False
        rank += 1
    return bool(rank == sensors[sensor, RANK])


@compiled
def _find_floats(data: NDArray[np.uint8], position: int, end: int) -> tuple[int, int]:
    """Bounds of the packed floats in a FloatData, the second -1 when it holds anything else."""
    if position == end:
        return 0, 0
    if end < 0 or data[position] != 0x0A:
        return 0, -1
    floats, floats_end = read_block(data, position + 1, end)
    return floats, (floats_end if floats_end == end else -1)


@compiled
def _copy_floats(
    data: NDArray[np.uint8], position: int, observations: NDArray[np.uint32], target: int, size: int
) -> bool:
    """Copy ``size`` floats; False when one of them is not finite."""
    finite = True
    for index in range(size):
        word = read_word(data, position + 4 * index)
        observations[target + index] = word
        finite &= (word & _EXPONENT) != _EXPONENT
    return finite
