"""The records of a behavior as bytes, written a column at a time.

All records of one kind have the same length: the observations of a behavior never change their
shapes, and integers are padded. So ``n`` records are ``n`` rows of a table whose constant bytes
(tags, lengths, shapes, names) were filled in once; what changes is copied in, one column per field.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, ObservationSpec, TerminalSteps
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.observation_pb2 import ObservationProto
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_sdk.wire.wire_format import (
    PADDED_VARINT_SIZE,
    WireType,
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
    """

    def __init__(self, spec: BehaviorSpec) -> None:
        self._spec = spec
        self._tables: dict[RecordKind, _RecordTable] = {}

    def encode(self, decisions: DecisionSteps, terminals: TerminalSteps) -> bytes:
        """Bytes of all records, ended episodes first; decisions keep their order."""
        return self._encode_terminals(terminals) + self._encode_decisions(decisions)

    def _encode_decisions(self, steps: DecisionSteps) -> bytes:
        if not len(steps):
            return b""
        masks = steps.action_mask or []
        masked = any(mask.any() for mask in masks)
        table = self._table(steps, done=False, masked=masked)
        if masked:
            np.concatenate(masks, axis=1, out=table.column("mask"))
        return table.to_bytes()

    def _encode_terminals(self, steps: TerminalSteps) -> bytes:
        if not len(steps):
            return b""
        table = self._table(steps, done=True, masked=False)
        table.column("interrupted")[:] = steps.interrupted
        return table.to_bytes()

    def _table(self, steps: DecisionSteps | TerminalSteps, *, done: bool, masked: bool) -> _RecordTable:
        """The table of a kind of record, with what all kinds have in common filled in."""
        grouped = bool(steps.group_id.any() or steps.group_reward.any())
        kind = RecordKind(done, masked, grouped)
        table = self._tables.get(kind)
        if table is None:
            table = self._tables[kind] = _RecordTable(self._spec, kind)
        n = len(steps)
        table.resize(n)
        table.column("reward")[:] = steps.reward
        table.column("id")[:] = padded_varints(steps.agent_id)
        if grouped:
            table.column("group_id")[:] = padded_varints(steps.group_id)
            table.column("group_reward")[:] = steps.group_reward
        for index, column in enumerate(steps.obs):
            floats = np.ascontiguousarray(column, dtype="<f4").reshape(n, -1)
            table.column(f"obs_{index}")[:] = floats.view(np.uint8)
        return table


class _RecordTable:
    """Records of one kind: their constant bytes, and where the other bytes go."""

    def __init__(self, spec: BehaviorSpec, kind: RecordKind) -> None:
        layout = _record_layout(spec, kind)
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

    def to_bytes(self) -> bytes:
        """The records, one after another."""
        return self._bytes[: self._n].tobytes()

    def _allocate(self, capacity: int) -> None:
        self._capacity = capacity
        self._bytes = np.tile(self._constant, (capacity, 1))
        records = self._bytes.reshape(-1).view(self._dtype)
        self._columns: dict[str, NDArray[Any]] = {name: records[name] for name in self._dtype.names or ()}


class _Layout:
    """A record under construction: constant bytes, with room for columns of changing ones."""

    def __init__(self) -> None:
        self.constant = b""
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


def _record_layout(spec: BehaviorSpec, kind: RecordKind) -> _Layout:
    """An item of a ``ListAgentInfoProto``: the fields of an ``AgentInfoProto`` and the item's header."""
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
    for index, observation in enumerate(spec.observation_specs):
        layout.append(_observation_layout(index, observation))
    layout.enclose(UnityRLOutputProto.ListAgentInfoProto.VALUE_FIELD_NUMBER)
    return layout


def _observation_layout(index: int, spec: ObservationSpec) -> _Layout:
    """One uncompressed observation: an ``ObservationProto`` with ``FloatData``."""
    num_bytes = _FLOAT_SIZE * int(np.prod(spec.shape, dtype=np.int64))
    layout = _Layout()
    layout.add_column(f"obs_{index}", "u1", (num_bytes,))
    layout.enclose(ObservationProto.FloatData.DATA_FIELD_NUMBER)
    layout.enclose(ObservationProto.FLOAT_DATA_FIELD_NUMBER)
    layout.add(
        ObservationProto(
            shape=spec.shape,
            dimension_properties=[int(dimension) for dimension in spec.dimension_property],
            observation_type=spec.observation_type.name,  # both enumerations share their names
            name=spec.name,
        ).SerializeToString()
    )
    layout.enclose(AgentInfoProto.OBSERVATIONS_FIELD_NUMBER)
    return layout
