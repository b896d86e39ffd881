"""Reads demonstrations (``.demo`` files) into columns.

Layout of a file: the metadata, preceded by its length, at byte 0; the behavior, preceded by its
length, at byte 33; then one record per decision or end of episode, each preceded by its length.
Lengths are protobuf varints. Closed files end with a second, bare copy of the metadata.

Typical use::

    demo = read_demonstration("Expert3DBall.demo")
    demo.obs[0], demo.continuous_actions, action_alignment(demo)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.communicator_objects.agent_action_pb2 import AgentActionProto
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.exception import UnityException, UnityObservationException
from mlagents_envs.rpc_utils import behavior_spec_from_proto, observation_from_proto

SUPPORTED_API_VERSIONS = (0, 1)
BEHAVIOR_OFFSET = 33
"""Position of the behavior; the metadata before it is padded with zeros."""
MAX_FILE_BYTES = 4 * 2**30
MAX_DECODED_BYTES = 8 * 2**30
"""Bounds of what a file may hold and of what it may unpack to (images are compressed)."""

Alignment = Literal["aligned", "lagged"]

_M = TypeVar("_M", bound=Message)


class DemonstrationError(UnityException):
    """A demonstration file is missing, damaged, empty or something else altogether."""


@dataclass(frozen=True, slots=True)
class DemonstrationMetadata:
    """What a recorder notes about a file; the counts are its own and not checked.

    Attributes:
        api_version: version of the layout, 0 or 1.
        demonstration_name: name of the file when it was recorded.
        number_steps: records in the file, 0 when it was never closed.
        number_episodes: episodes in the file, as counted by the recorder.
        mean_reward: sum of rewards per episode, as counted by the recorder.
    """

    api_version: int
    demonstration_name: str
    number_steps: int
    number_episodes: int
    mean_reward: float


@dataclass(frozen=True, slots=True, eq=False)
class Demonstration:
    """A recording, one row per record, in the order of the file; ``T`` is the number of records.

    A row is stored as recorded: whether its action belongs to its observation or to the one before
    is told by :func:`action_alignment`.

    Attributes:
        path: where it was read from.
        metadata: notes of the recorder.
        behavior_name: name of the recorded behavior, such as ``3DBall?team=0``.
        behavior_spec: its observations (images channel-first) and actions.
        obs: one float32 array ``[T, *shape]`` per observation.
        reward: float32 ``[T]``, since the record before.
        done: bool ``[T]``, True where an episode ended.
        interrupted: bool ``[T]``, True where a time limit ended it.
        agent_id: int32 ``[T]``.
        group_id: int32 ``[T]``, 0 for no group.
        group_reward: float32 ``[T]``.
        continuous_actions: float32 ``[T, c]``.
        discrete_actions: int32 ``[T, d]``, one index per branch.
        has_action: bool ``[T]``, False where no action was recorded; the action columns hold zeros there.
        action_mask: one bool array ``[T, branch_size]`` per branch, True where the action was
            forbidden; None when no record has a mask.
    """

    path: Path
    metadata: DemonstrationMetadata
    behavior_name: str
    behavior_spec: BehaviorSpec
    obs: list[NDArray[np.float32]]
    reward: NDArray[np.float32]
    done: NDArray[np.bool_]
    interrupted: NDArray[np.bool_]
    agent_id: NDArray[np.int32]
    group_id: NDArray[np.int32]
    group_reward: NDArray[np.float32]
    continuous_actions: NDArray[np.float32]
    discrete_actions: NDArray[np.int32]
    has_action: NDArray[np.bool_]
    action_mask: list[NDArray[np.bool_]] | None

    def __len__(self) -> int:
        return len(self.reward)


def find_demonstrations(path: str | Path) -> list[Path]:
    """The file itself, or all ``.demo`` files directly in a directory, sorted by name.

    Raises:
        DemonstrationError: nothing is at ``path``, or the directory has no such file.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DemonstrationError(f"There is no demonstration file or directory {path}.")
    files = sorted(path.glob("*.demo"))
    if not files:
        raise DemonstrationError(f"The directory {path} has no .demo files.")
    return files


def read_demonstration(path: str | Path) -> Demonstration:
    """Read one file.

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
    demo = _empty_demonstration(frames.path, metadata, behavior.brain_name, spec, len(records))
    any_mask = False
    for row, (start, frame) in enumerate(records):
        frames.start = start
        pair = frames.parse(AgentInfoActionPairProto, frame, f"record {row}")
        try:
            any_mask |= _fill_row(demo, row, pair)
        except (UnityObservationException, ValueError) as error:
            raise frames.error(f"record {row} is damaged: {str(error).rstrip('.')}") from error
    return demo if any_mask else replace(demo, action_mask=None)


def action_alignment(demo: Demonstration) -> Alignment:
    """Whether the action of a row belongs to the observation of that row or of the row before.

    The current recorder of the original stores with each observation the action *before* it
    ("lagged"), which is all zeros at the start of an episode; older ones and ours store the action
    taken on it ("aligned"), and the older ones leave out the action of the last record. Nothing in the
    file says which, so this looks for those marks: an absent last action means aligned; otherwise the
    file is lagged when zeros are clearly more frequent right after the ends of episodes than
    elsewhere, at least half of the way from that share to all. A recording without any end of episode
    is judged by its first record alone, which is weak evidence.
    """
    if not demo.has_action[-1]:
        return "aligned"
    flat_actions = np.concatenate([demo.continuous_actions, demo.discrete_actions], axis=1)
    zero: NDArray[np.bool_] = (flat_actions == 0).all(axis=1)
    starts = np.flatnonzero(demo.done[:-1]) + 1
    if not len(starts):
        starts = np.zeros(1, dtype=np.intp)
    elsewhere = np.delete(zero, starts)
    usual_share = float(elsewhere.mean()) if len(elsewhere) else 0.0
    share_at_starts = float(zero[starts].mean())
    clear = usual_share < 1.0 and share_at_starts >= (1.0 + usual_share) / 2.0
    return "lagged" if clear else "aligned"


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
                raise self.error(f"{what} is missing; the file is truncated or no demonstration")
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
        frame = frames.next_frame(f"record {len(records)} of {number_steps or 'an unclosed file'}")
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
    path: Path, metadata: DemonstrationMetadata, name: str, spec: BehaviorSpec, count: int
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
        behavior_name=name,
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
