"""Reads demonstrations (``.demo`` files) into columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message

from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.communicator_objects.agent_action_pb2 import AgentActionProto
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstration_data import Demonstration, DemonstrationError, DemonstrationMetadata
from mlagents_envs.demonstration_format import BEHAVIOR_OFFSET, SUPPORTED_API_VERSIONS, states_aligned
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.rpc_utils import behavior_spec_from_proto, observation_from_proto

logger = get_logger(__name__)

MAX_FILE_BYTES = 4 * 2**30
MAX_DECODED_BYTES = 8 * 2**30
"""Bounds of what a file may hold and of what it may unpack to (images are compressed)."""

_M = TypeVar("_M", bound=Message)


def read_demonstration(path: str | Path) -> Demonstration:
    """Read one file.

    A recording that was never closed is read as far as it goes; a last record of which a part is missing
    is left out, with a warning.

    Args:
        path: a ``.demo`` file recorded by any version of the original recorder, or by ours.

    Raises:
        DemonstrationError: the file is missing, too large, not a demonstration, truncated, damaged
            or empty; names the file and the position.
    """
    frames = _Frames(Path(path))
    metadata = _read_metadata(frames)
    frames.offset = BEHAVIOR_OFFSET
    behavior = frames.parse(BrainParametersProto, frames.next_frame("the behavior"), "the behavior")
    records = _index_records(frames, metadata.number_steps)
    frames.start, first = records[0]
    spec = _read_spec(frames, behavior, frames.parse(AgentInfoActionPairProto, first, "record 0"))
    demo = _empty_demonstration(frames.path, metadata, behavior, spec, len(records))
    any_mask = False
    for row, (start, frame) in enumerate(records):
        frames.start = start
        pair = frames.parse(AgentInfoActionPairProto, frame, f"record {row}")
        try:
            any_mask |= _fill_row(demo, row, pair)
        except (UnityObservationException, ValueError) as error:
            raise frames.error(f"record {row} is damaged: {str(error).rstrip('.')}") from error
    return demo if any_mask else replace(demo, action_mask=None)


class _Frames:
    """Bytes of one file, read from front to back.

    Args:
        path: the file.

    Attributes:
        offset: position of the next frame.
        start: position of the frame read last, which errors name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.start = 0
        try:
            size = path.stat().st_size
            if size > MAX_FILE_BYTES:
                raise DemonstrationError(f"{path} has {size} bytes; more than {MAX_FILE_BYTES} are not read.")
            self.data = path.read_bytes()
        except OSError as error:
            raise DemonstrationError(f"Cannot read the demonstration {path}: {error.strerror}.") from error

    def error(self, problem: str) -> DemonstrationError:
        return DemonstrationError(f"Demonstration {self.path}, byte {self.start}: {problem}.")

    def at_end(self) -> bool:
        return self.offset >= len(self.data)

    def next_frame(self, what: str) -> memoryview:
        """The next length-prefixed block."""
        self.start = self.offset
        length = self._varint(what)
        end = self.offset + length
        if end > len(self.data):
            raise self.error(
                f"{what} claims {length} bytes, but only {len(self.data) - self.offset} follow; "
                "the file is truncated or no demonstration"
            )
        frame = memoryview(self.data)[self.offset : end]
        self.offset = end
        return frame

    def parse(self, kind: type[_M], frame: memoryview, what: str) -> _M:
        message = kind()
        try:
            message.ParseFromString(bytes(frame))
        except DecodeError as error:
            raise self.error(f"{what} is damaged, or the file is no demonstration ({error})") from error
        return message

    def _varint(self, what: str) -> int:
        """A number of up to 32 bits, seven bits per byte, the lowest first; a set high bit continues."""
        value = 0
        for index in range(5):
            if self.offset >= len(self.data):
                state = "truncated or no demonstration" if self.data else "empty"
                raise self.error(f"{what} is missing; the file is {state}")
            byte = self.data[self.offset]
            self.offset += 1
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value
        raise self.error(f"{what} has no valid length; the file is damaged or no demonstration")


def _read_metadata(frames: _Frames) -> DemonstrationMetadata:
    meta = frames.parse(DemonstrationMetaProto, frames.next_frame("the metadata"), "the metadata")
    if frames.offset > BEHAVIOR_OFFSET:
        raise frames.error("the metadata is too long; the file is no demonstration")
    if meta.api_version not in SUPPORTED_API_VERSIONS:
        raise frames.error(f"the layout has version {meta.api_version}; known are {SUPPORTED_API_VERSIONS}")
    return DemonstrationMetadata(
        meta.api_version, meta.demonstration_name, meta.number_steps, meta.number_episodes, meta.mean_reward
    )


def _index_records(frames: _Frames, number_steps: int) -> list[tuple[int, memoryview]]:
    """Position and bytes of each record; to the end of the file when their number was not noted."""
    records: list[tuple[int, memoryview]] = []
    while len(records) < number_steps if number_steps else not frames.at_end():
        try:
            frame = frames.next_frame(f"record {len(records)} of {number_steps or 'an unclosed file'}")
        except DemonstrationError as error:
            if number_steps or not records:
                raise
            logger.warning("%s It was never closed; its %d whole records are used.", error, len(records))
            break
        records.append((frames.start, frame))
    if not records:
        frames.start = frames.offset
        raise frames.error("there are no records; nothing was recorded")
    return records


def _read_spec(
    frames: _Frames, behavior: BrainParametersProto, pair: AgentInfoActionPairProto
) -> BehaviorSpec:
    """Spec by the behavior and the first record, checked to be possible."""
    try:
        spec = behavior_spec_from_proto(behavior, pair.agent_info)
        for observation, observation_spec in zip(
            pair.agent_info.observations, spec.observation_specs, strict=True
        ):
            observation_from_proto(observation, observation_spec)  # before anything of that size is allocated
    except (UnityObservationException, ValueError) as error:
        raise frames.error(f"the first record is damaged: {str(error).rstrip('.')}") from error
    if not spec.observation_specs:
        raise frames.error("the first record has no observations; the file is no demonstration")
    actions = spec.action_spec
    if not actions.continuous_size and not actions.discrete_size:
        raise frames.error("the behavior has no actions; the file is no demonstration")
    if actions.continuous_size < 0 or any(size < 1 for size in actions.discrete_branches):
        raise frames.error(f"the behavior has the impossible actions {actions}")
    return spec


def _empty_demonstration(
    path: Path,
    metadata: DemonstrationMetadata,
    behavior: BrainParametersProto,
    spec: BehaviorSpec,
    count: int,
) -> Demonstration:
    """Columns of ``count`` rows, to be filled; raises when they would be too large."""
    actions = spec.action_spec
    width = sum(math.prod(observation.shape) for observation in spec.observation_specs)
    width += actions.continuous_size + actions.discrete_size + sum(actions.discrete_branches)
    if 4 * count * width > MAX_DECODED_BYTES:
        raise DemonstrationError(
            f"Demonstration {path}: {count} records of {width} numbers need more than the allowed "
            f"{MAX_DECODED_BYTES} bytes."
        )
    return Demonstration(
        path=path,
        metadata=metadata,
        behavior_name=behavior.brain_name,
        behavior_spec=spec,
        obs=[np.empty((count, *observation.shape), np.float32) for observation in spec.observation_specs],
        reward=np.empty(count, np.float32),
        done=np.empty(count, np.bool_),
        interrupted=np.empty(count, np.bool_),
        agent_id=np.empty(count, np.int32),
        group_id=np.empty(count, np.int32),
        group_reward=np.empty(count, np.float32),
        continuous_actions=np.zeros((count, actions.continuous_size), np.float32),
        discrete_actions=np.zeros((count, actions.discrete_size), np.int32),
        has_action=np.zeros(count, np.bool_),
        action_mask=[np.zeros((count, size), np.bool_) for size in actions.discrete_branches],
        stated_alignment="aligned" if states_aligned(behavior) else None,
        is_closed=metadata.number_steps > 0,
    )


def _fill_row(demo: Demonstration, row: int, pair: AgentInfoActionPairProto) -> bool:
    """Write one record into the columns.

    Returns:
        Whether the record has an action mask.

    Raises:
        ValueError: the record does not fit the behavior.
        UnityObservationException: an observation does not fit its spec.
    """
    info = pair.agent_info
    specs = demo.behavior_spec.observation_specs
    if len(info.observations) != len(specs):
        raise ValueError(f"{len(info.observations)} observations instead of {len(specs)}")
    for index, (observation, spec) in enumerate(zip(info.observations, specs, strict=True)):
        data = observation_from_proto(observation, spec)
        if not np.isfinite(data).all():
            raise ValueError(f"observation {index} {spec.name!r} holds NaN or infinite values")
        demo.obs[index][row] = data
    if not math.isfinite(info.reward) or not math.isfinite(info.group_reward):
        raise ValueError(f"the reward is {info.reward}, the group reward {info.group_reward}")
    demo.reward[row] = info.reward
    demo.done[row] = info.done
    demo.interrupted[row] = info.max_step_reached
    demo.agent_id[row] = info.id
    demo.group_id[row] = info.group_id
    demo.group_reward[row] = info.group_reward
    _fill_action(demo, row, pair.action_info)
    return _fill_mask(demo, row, info.action_mask)


def _fill_action(demo: Demonstration, row: int, action: AgentActionProto) -> None:
    """Write the action of one record; early recorders put it into the field of the first version."""
    spec = demo.behavior_spec.action_spec
    given = [*action.continuous_actions, *action.discrete_actions] or list(action.vector_actions_deprecated)
    if not given:
        return
    if len(given) != spec.continuous_size + spec.discrete_size:
        raise ValueError(f"{len(given)} actions, but the behavior has {spec}")
    continuous, discrete = given[: spec.continuous_size], given[spec.continuous_size :]
    if not all(map(math.isfinite, given)):
        raise ValueError(f"the actions {given} are not finite")
    if any(not 0 <= choice < size for choice, size in zip(discrete, spec.discrete_branches, strict=True)):
        raise ValueError(
            f"the discrete actions {discrete} are outside of the branches {spec.discrete_branches}"
        )
    demo.continuous_actions[row] = continuous
    demo.discrete_actions[row] = discrete
    demo.has_action[row] = True


def _fill_mask(demo: Demonstration, row: int, mask: Sequence[bool]) -> bool:
    """Write the mask of one record; one of another length than all branches together forbids nothing."""
    branches = demo.behavior_spec.action_spec.discrete_branches
    if not branches or len(mask) != sum(branches):
        return False
    start = 0
    for column, size in zip(demo.action_mask or (), branches, strict=True):
        column[row] = mask[start : start + size]
        start += size
    return True
