"""The records of a behavior as bytes, written a column at a time.

All records of one kind have the same length: the observations of a behavior never change their
shapes, and integers are padded. So ``n`` records are ``n`` rows of a table whose constant bytes
(tags, lengths, shapes, names) were filled in once; what changes is copied in, one column per field.

Compressed images are the exception: their lengths change. Records that have some are cut where the images
belong, and put together one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, ObservationSpec, TerminalSteps
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.observation_pb2 import ObservationProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_sdk.sensors.compression import UNCOMPRESSED, CompressionSpec, CompressionType, PngEncoder
from mlagents_sdk.wire.wire_format import (
    PADDED_VARINT_SIZE,
    WireType,
    delimited,
    padded_varints,
    tag,
    varint,
)

_FIRST_CAPACITY = 16
_FLOAT_SIZE = 4


class RecordKind(NamedTuple):
    """Which fields a record has.

    Attributes:
        done: the episode ended.
        masked: some action is forbidden.
        grouped: the agent belongs to a group or was rewarded with one.
    """

    done: bool
    masked: bool
    grouped: bool


class BehaviorEncoder:
    """Turns the steps of one behavior into the bytes of a ``ListAgentInfoProto``.

    Args:
        spec: observations and actions of the behavior.
        compressions: how its observations are compressed, in their order; empty for none at all.
    """

    def __init__(self, spec: BehaviorSpec, compressions: Sequence[CompressionSpec] = ()) -> None:
        self._spec = spec
        self._compressions = list(compressions) or [UNCOMPRESSED] * len(spec.observation_specs)
        self._tables: dict[RecordKind, _RecordTable] = {}
        self._encoders = {
            index: PngEncoder(observation.name, compression, observation.shape[0])
            for index, (observation, compression) in enumerate(
                zip(spec.observation_specs, self._compressions, strict=True)
            )
            if compression.compression_type is CompressionType.PNG
        }

    def encode(self, decisions: DecisionSteps, terminals: TerminalSteps) -> bytes:
        """Bytes of all records, ended episodes first; decisions keep their order.

        Raises:
            UnityObservationException: a value of an image that is to be compressed lies outside [0, 1].
        """
        for encoder in self._encoders.values():
            encoder.next_round()
        return self._encode_terminals(terminals) + self._encode_decisions(decisions)

    def _encode_decisions(self, steps: DecisionSteps) -> bytes:
        if not len(steps):
            return b""
        masks = steps.action_mask or []
        masked = any(mask.any() for mask in masks)
        table = self._table(steps, done=False, masked=masked)
        if masked:
            np.concatenate(masks, axis=1, out=table.column("mask"))
        return table.to_bytes(self._images(steps))

    def _encode_terminals(self, steps: TerminalSteps) -> bytes:
        if not len(steps):
            return b""
        table = self._table(steps, done=True, masked=False)
        table.column("interrupted")[:] = steps.interrupted
        return table.to_bytes(self._images(steps))

    def _images(self, steps: DecisionSteps | TerminalSteps) -> list[list[bytes]]:
        """PNGs of the compressed observations: for each of them those of all records."""
        return [
            [encoder.encode(image) for image in steps.obs[index]] for index, encoder in self._encoders.items()
        ]

    def _table(self, steps: DecisionSteps | TerminalSteps, *, done: bool, masked: bool) -> _RecordTable:
        """The table of a kind of record, with what all kinds have in common filled in."""
        grouped = bool(steps.group_id.any() or steps.group_reward.any())
        kind = RecordKind(done, masked, grouped)
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = _RecordTable(self._spec, self._compressions, kind)
        n = len(steps)
        table.resize(n)
        table.column("reward")[:] = steps.reward
        table.column("id")[:] = padded_varints(steps.agent_id)
        if grouped:
            table.column("group_id")[:] = padded_varints(steps.group_id)
            table.column("group_reward")[:] = steps.group_reward
        for index, column in enumerate(steps.obs):
            if index in self._encoders:
                continue
            floats = np.ascontiguousarray(column, dtype="<f4").reshape(n, -1)
            table.column(f"obs_{index}")[:] = floats.view(np.uint8)
        return table


class _RecordTable:
    """Records of one kind: their constant bytes, and where the other bytes go."""

    def __init__(self, spec: BehaviorSpec, compressions: Sequence[CompressionSpec], kind: RecordKind) -> None:
        layout = _record_layout(spec, compressions, kind)
        self._gaps = layout.gaps
        self._constant = np.frombuffer(layout.constant, dtype=np.uint8)
        self._dtype = layout.dtype()
        self._n = 0
        self._allocate(_FIRST_CAPACITY)

    def resize(self, n: int) -> None:
        """Set the number of records."""
        if n > self._capacity:
            self._allocate(max(n, 2 * self._capacity))
        self._n = n

    def column(self, name: str) -> NDArray[Any]:
        """What changes from record to record: a view of all records, to be written."""
        return self._columns[name][: self._n]

    def to_bytes(self, images: Sequence[Sequence[bytes]]) -> bytes:
        """The records, one after another.

        Args:
            images: for each compressed observation the PNGs of every record.
        """
        if not self._gaps:
            return self._bytes[: self._n].tobytes()
        return b"".join(self._fill_gaps(record, images) for record in range(self._n))

    def _fill_gaps(self, record: int, images: Sequence[Sequence[bytes]]) -> bytes:
        row = self._bytes[record].tobytes()
        parts, done = [], 0
        for (at, constant), pngs in zip(self._gaps, images, strict=True):
            data = delimited(ObservationProto.COMPRESSED_DATA_FIELD_NUMBER, pngs[record])
            parts += [row[done:at], delimited(AgentInfoProto.OBSERVATIONS_FIELD_NUMBER, constant, data)]
            done = at
        return delimited(UnityRLOutputProto.ListAgentInfoProto.VALUE_FIELD_NUMBER, *parts, row[done:])

    def _allocate(self, capacity: int) -> None:
        self._capacity = capacity
        self._bytes = np.tile(self._constant, (capacity, 1))
        records = self._bytes.reshape(-1).view(self._dtype)
        self._columns: dict[str, NDArray[Any]] = {name: records[name] for name in self._dtype.names or ()}


class _Layout:
    """A record under construction: constant bytes, with room for columns of changing ones.

    Attributes:
        constant: the bytes so far.
        gaps: where compressed observations belong, and what each of them begins with.
    """

    def __init__(self) -> None:
        self.constant = b""
        self.gaps: list[tuple[int, bytes]] = []
        self._columns: dict[str, tuple[Any, int]] = {}

    def add(self, constant: bytes) -> None:
        """Append bytes that are the same in all records."""
        self.constant += constant

    def add_column(self, name: str, dtype: str, shape: tuple[int, ...] = ()) -> None:
        """Append room for a value of each record."""
        kind = (dtype, shape)
        self._columns[name] = (kind, len(self.constant))
        self.constant += bytes(np.dtype(kind).itemsize)

    def enclose(self, field: int) -> None:
        """Make everything so far the content of one field."""
        header = tag(field, WireType.LENGTH) + varint(len(self.constant))
        self.constant = header + self.constant
        self._columns = {name: (kind, at + len(header)) for name, (kind, at) in self._columns.items()}

    def append(self, other: _Layout) -> None:
        """Append another layout."""
        start = len(self.constant)
        self.constant += other.constant
        self._columns |= {name: (kind, start + at) for name, (kind, at) in other._columns.items()}

    def dtype(self) -> np.dtype[np.void]:
        """One record, the columns being its fields."""
        return np.dtype(
            {
                "names": list(self._columns),
                "formats": [kind for kind, _ in self._columns.values()],
                "offsets": [at for _, at in self._columns.values()],
                "itemsize": len(self.constant),
            }
        )


def _record_layout(spec: BehaviorSpec, compressions: Sequence[CompressionSpec], kind: RecordKind) -> _Layout:
    """An item of a ``ListAgentInfoProto``: the fields of an ``AgentInfoProto`` and the item's header.

    The header is left out where there are gaps, because it tells the length.
    """
    info = AgentInfoProto
    layout = _Layout()
    layout.add(tag(info.REWARD_FIELD_NUMBER, WireType.FIXED32))
    layout.add_column("reward", "<f4")
    layout.add(tag(info.ID_FIELD_NUMBER, WireType.VARINT))
    layout.add_column("id", "u1", (PADDED_VARINT_SIZE,))
    if kind.done:
        layout.add(tag(info.DONE_FIELD_NUMBER, WireType.VARINT) + b"\x01")
        layout.add(tag(info.MAX_STEP_REACHED_FIELD_NUMBER, WireType.VARINT))
        layout.add_column("interrupted", "?")
    if kind.masked:
        size = sum(spec.action_spec.discrete_branches)
        layout.add(tag(info.ACTION_MASK_FIELD_NUMBER, WireType.LENGTH) + varint(size))
        layout.add_column("mask", "?", (size,))
    if kind.grouped:
        layout.add(tag(info.GROUP_ID_FIELD_NUMBER, WireType.VARINT))
        layout.add_column("group_id", "u1", (PADDED_VARINT_SIZE,))
        layout.add(tag(info.GROUP_REWARD_FIELD_NUMBER, WireType.FIXED32))
        layout.add_column("group_reward", "<f4")
    for index, (observation, compression) in enumerate(
        zip(spec.observation_specs, compressions, strict=True)
    ):
        if compression.compression_type is CompressionType.NONE:
            layout.append(_observation_layout(index, observation))
        else:
            layout.gaps.append((len(layout.constant), _observation_header(observation, compression)))
    if not layout.gaps:
        layout.enclose(UnityRLOutputProto.ListAgentInfoProto.VALUE_FIELD_NUMBER)
    return layout


def _observation_layout(index: int, spec: ObservationSpec) -> _Layout:
    """One uncompressed observation: an ``ObservationProto`` with ``FloatData``."""
    num_bytes = _FLOAT_SIZE * int(np.prod(spec.shape, dtype=np.int64))
    layout = _Layout()
    layout.add_column(f"obs_{index}", "u1", (num_bytes,))
    layout.enclose(ObservationProto.FloatData.DATA_FIELD_NUMBER)
    layout.enclose(ObservationProto.FLOAT_DATA_FIELD_NUMBER)
    layout.add(_observation_header(spec, UNCOMPRESSED))
    layout.enclose(AgentInfoProto.OBSERVATIONS_FIELD_NUMBER)
    return layout


def _observation_header(spec: ObservationSpec, compression: CompressionSpec) -> bytes:
    """All fields of an ``ObservationProto`` but its data."""
    return ObservationProto(
        shape=spec.shape,
        dimension_properties=[int(dimension) for dimension in spec.dimension_property],
        observation_type=spec.observation_type.name,  # both enumerations share their names
        name=spec.name,
        compression_type=compression.compression_type.name,
        compressed_channel_mapping=compression.channel_mapping,
    ).SerializeToString()
