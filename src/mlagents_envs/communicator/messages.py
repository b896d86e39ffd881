"""The envelope of the protocol: finds the parts of a game's message, and writes Python's.

Only the parts that grow with the number of agents are left as bytes; see :mod:`.steps_decoder` and
:mod:`.action_writer` for those. Field numbers are those of the ``.proto`` files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from mlagents_envs.communicator_objects.command_pb2 import RESET
from mlagents_envs.communicator_objects.header_pb2 import HeaderProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.communicator_objects.unity_rl_initialization_input_pb2 import (
    UnityRLInitializationInputProto,
)
from mlagents_envs.communicator_objects.unity_rl_initialization_output_pb2 import (
    UnityRLInitializationOutputProto,
)
from mlagents_envs.exception import UnityCommunicationException

STATUS_OK = 200
STATUS_CLOSING = 400

_KEY = 3
"""Bits by which the field number is shifted in a key."""
_BLOCK = 2
_FIXED = {1: 8, 5: 4}
"""Wire types."""


@dataclass(slots=True)
class GameMessage:
    """A message of the game, its lists of agents still encoded.

    Attributes:
        raw: the bytes.
        status: status in the header, 0 without one.
        agents: bounds in ``raw`` of the ListAgentInfoProto of each behavior.
        side_channel: data of the side channels.
        initialization: what the game announces, or None.
        has_step: whether there is an output of the simulation, empty or not.
    """

    raw: bytes
    status: int = 0
    agents: dict[str, tuple[int, int]] = field(default_factory=dict)
    side_channel: bytes = b""
    initialization: UnityRLInitializationOutputProto | None = None
    has_step: bool = False


def read_message(raw: bytes) -> GameMessage:
    """Find the parts of a UnityMessageProto.

    Raises:
        UnityCommunicationException: the bytes are no such message.
    """
    try:
        return _read(raw)
    except (_UnusualError, UnicodeDecodeError, DecodeError):
        try:
            return _read(parse_message(raw).SerializeToString())
        except (_UnusualError, UnicodeDecodeError, DecodeError) as error:
            raise _no_message(raw) from error


def parse_message(raw: bytes) -> UnityMessageProto:
    """The whole message as an object.

    Raises:
        UnityCommunicationException: the bytes are no such message.
    """
    try:
        return UnityMessageProto.FromString(raw)
    except DecodeError as error:
        raise _no_message(raw) from error


def initialization_reply(initialization: UnityRLInitializationInputProto) -> bytes:
    """The answer to the first message of a game."""
    message = UnityMessageProto()
    message.header.status = STATUS_OK
    message.unity_input.rl_initialization_input.CopyFrom(initialization)
    return message.SerializeToString()


def closing_reply() -> bytes:
    """The answer that ends a game."""
    message = UnityMessageProto()
    message.header.status = STATUS_CLOSING
    return message.SerializeToString()


def step_reply(command: int, actions: Mapping[str, bytes], side_channel: bytes | bytearray) -> bytes:
    """The answer that makes a game go on.

    Args:
        command: STEP or RESET of ``CommandProto``.
        actions: serialised ListAgentActionProto by behavior name.
        side_channel: data of the side channels.
    """
    parts = []
    for name, encoded in actions.items():
        parts.append(_block(1, _block(1, name.encode()) + _block(2, encoded)))
    if command:
        parts.append(bytes([4 << _KEY, command]))
    if side_channel:
        parts.append(_block(5, bytes(side_channel)))
    return _HEADER_OK + _block(3, _block(1, b"".join(parts)))


def reset_reply(side_channel: bytes | bytearray) -> bytes:
    """The answer that makes a game start anew."""
    return step_reply(RESET, {}, side_channel)


def _no_message(raw: bytes) -> UnityCommunicationException:
    return UnityCommunicationException(
        f"The game sent {len(raw)} bytes that are no message of the protocol, or only a part of one. "
        "Is another program calling this port?"
    )


class _UnusualError(Exception):
    """The bytes are not encoded as protobuf libraries do, or cut off."""


def _read(raw: bytes) -> GameMessage:
    message = GameMessage(raw)
    for number, start, end in _blocks(raw, 0, len(raw)):
        if number == 1:
            message.status = HeaderProto.FromString(raw[start:end]).status
        elif number == 2:
            _read_output(message, start, end)
    return message


def _read_output(message: GameMessage, start: int, end: int) -> None:
    for number, block, block_end in _blocks(message.raw, start, end):
        if number == 1 and not message.has_step:
            message.has_step = True
            _read_step(message, block, block_end)
        elif number == 2 and message.initialization is None:
            message.initialization = UnityRLInitializationOutputProto.FromString(message.raw[block:block_end])
        elif number <= 2:
            raise _UnusualError  # given in two pieces, to be merged


def _read_step(message: GameMessage, start: int, end: int) -> None:
    raw = message.raw
    for number, block, block_end in _blocks(raw, start, end):
        if number == 2:
            name, bounds = _read_entry(raw, block, block_end)
            message.agents[name] = bounds
        elif number == 3:
            message.side_channel = raw[block:block_end]


def _read_entry(raw: bytes, start: int, end: int) -> tuple[str, tuple[int, int]]:
    """Name of a behavior and the bounds of its agents."""
    name, bounds = "", (end, end)
    for number, block, block_end in _blocks(raw, start, end):
        if number == 1:
            name = raw[block:block_end].decode()
        elif number == 2:
            bounds = block, block_end
    return name, bounds


def _blocks(raw: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Field number and bounds of each block of a message; what is no block is skipped.

    Args:
        raw: bytes that hold the message.
        start: its first byte.
        end: the byte after its last.

    Raises:
        _UnusualError: a field is cut off or of an unknown kind.
    """
    position = start
    while position < end:
        key, position = _varint(raw, position)
        wire_type = key & 7
        if wire_type == _BLOCK:
            length, position = _varint(raw, position)
            if length > end - position:
                raise _UnusualError
            yield key >> _KEY, position, position + length
            position += length
        elif wire_type == 0:
            _, position = _varint(raw, position)
        elif wire_type in _FIXED:
            position += _FIXED[wire_type]
        else:
            raise _UnusualError
    if position != end:
        raise _UnusualError


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(raw):
            break
        byte = raw[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _UnusualError


def _block(number: int, content: bytes) -> bytes:
    """A field whose value is a block."""
    size = len(content)
    encoded = bytearray([number << _KEY | _BLOCK])
    while size >= 0x80:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded) + content


_HEADER_OK = UnityMessageProto(header={"status": STATUS_OK}).SerializeToString()
