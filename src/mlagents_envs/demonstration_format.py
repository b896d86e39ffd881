"""The layout of a demonstration file (``.demo``), for whoever reads or writes one.

The metadata, preceded by its length, is at byte 0 and padded with zeros; the behavior, preceded by its
length, is at byte 33; then follows one record per decision or end of episode, each preceded by its length.
Lengths are protobuf varints. Closed files end with a second, bare copy of the metadata.

Nothing in that layout says to which observation the action of a record belongs, and recorders differ. Ours
states it in a protobuf field of the behavior that the schema does not know, so that every other reader
skips it.
"""

from __future__ import annotations

import re

from google.protobuf.unknown_fields import UnknownFieldSet

from mlagents_envs.communicator_objects.brain_parameters_pb2 import BrainParametersProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto

API_VERSION = 1
"""Version of the layout that is written."""
SUPPORTED_API_VERSIONS = (0, 1)
BEHAVIOR_OFFSET = 33
"""Position of the behavior; the metadata before it is padded with zeros."""
MAX_NAME_LENGTH = 16
"""Characters of the name that fit into the metadata."""

_ALIGNED_FIELD = 1000  # far from the numbers of the schema, in the range that any message may use
_VARINT_TYPE = 0
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9 -]")


def reduced_name(name: str) -> str:
    """``name`` as recorders write it: letters, digits, blanks and hyphens, at most 16."""
    return _NOT_IN_NAMES.sub("", name)[:MAX_NAME_LENGTH]


def varint(value: int) -> bytes:
    """A number as protobuf writes it: seven bits per byte, the lowest first; a set high bit continues.

    Args:
        value: at least 0.
    """
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def framed(message: bytes) -> bytes:
    """A message with its length before it."""
    return varint(len(message)) + message


def header(meta: DemonstrationMetaProto) -> bytes:
    """The metadata with its length, padded to :data:`BEHAVIOR_OFFSET` bytes.

    Where large numbers leave too little room, the name loses its end.
    """
    fitting = DemonstrationMetaProto()
    fitting.CopyFrom(meta)
    while len(encoded := framed(fitting.SerializeToString())) > BEHAVIOR_OFFSET:
        fitting.demonstration_name = fitting.demonstration_name[:-1]
    return encoded.ljust(BEHAVIOR_OFFSET, b"\0")


def with_aligned_statement(behavior: BrainParametersProto) -> bytes:
    """The encoded behavior, with the statement that a record's action was taken on its observation.

    It also states that the record of an episode's end holds the last observation of that episode.
    """
    return behavior.SerializeToString() + varint(_ALIGNED_FIELD << 3 | _VARINT_TYPE) + varint(1)


def states_aligned(behavior: BrainParametersProto) -> bool:
    """Whether a behavior read from a file carries the statement of :func:`with_aligned_statement`."""
    unknown = UnknownFieldSet(behavior)
    return any(
        (field.field_number, field.wire_type, field.data) == (_ALIGNED_FIELD, _VARINT_TYPE, 1)
        for field in (unknown[index] for index in range(len(unknown)))
    )
