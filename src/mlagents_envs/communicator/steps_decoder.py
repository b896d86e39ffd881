"""From the encoded agents of a behavior to its decision and terminal steps."""

from __future__ import annotations

import functools
from itertools import accumulate, pairwise

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.communicator import agent_reader as reader
from mlagents_envs.communicator.diagnosis import Problem, explain
from mlagents_envs.communicator.sensor_format import SensorFormat
from mlagents_envs.communicator.wire_format import count_records
from mlagents_envs.communicator_objects.unity_rl_output_pb2 import UnityRLOutputProto
from mlagents_envs.exception import UnityCommunicationException, UnityObservationException
from mlagents_envs.images import MAX_PIXELS, ImageLayout, process_pixels

Steps = tuple[DecisionSteps, TerminalSteps]


class StepsDecoder:
    """Decodes the agents of one behavior.

    Args:
        name: name of the behavior.
        spec: its observations and actions.
        formats: how the game sends its observations.

    Attributes:
        spec: as given.
    """

    def __init__(self, name: str, spec: BehaviorSpec, formats: list[SensorFormat]) -> None:
        self.name = name
        self.spec = spec
        self._formats = formats
        shapes = [sensor.declared_shape for sensor in formats]
        self._images = [index for index, shape in enumerate(shapes) if len(shape) == 3]
        sizes = [sensor.num_floats for sensor in formats]
        self._vector_bytes = 4 * sum(
            size for size, shape in zip(sizes, shapes, strict=True) if len(shape) != 3
        )
        self._float_bounds = _bounds(sizes)
        self._branch_bounds = _bounds(list(spec.action_spec.discrete_branches))
        self._dims = np.array([dim for shape in shapes for dim in shape], dtype=np.int64)
        self._offsets = np.array(self._float_bounds[:-1], dtype=np.int64)
        self._sensors = np.zeros((len(formats), 4), dtype=np.int64)
        self._sensors[:, reader.RANK] = [len(shape) for shape in shapes]
        self._sensors[:, reader.FIRST_DIM] = _bounds([len(shape) for shape in shapes])[:-1]
        self._sensors[:, reader.NUM_FLOATS] = sizes

    def decode(self, raw: bytes, start: int = 0, end: int | None = None) -> Steps:
        """Steps of the agents in a serialised ListAgentInfoProto.

        Args:
            raw: bytes that hold it.
            start: its first byte.
            end: the byte after its last; None for all of ``raw``.

        Returns:
            Steps whose columns share memory with nothing else but each other.

        Raises:
            UnityObservationException: an observation does not have its shape, or an image cannot be
                decoded.
            RuntimeError: an observation or a reward is NaN or infinite.
            UnityCommunicationException: the bytes are no such message.
        """
        end = len(raw) if end is None else end
        if start == end:
            return DecisionSteps.empty(self.spec), TerminalSteps.empty(self.spec)
        result = self._read(raw, start, end)
        if not isinstance(result, Problem):
            return result
        # A proper message in an unusual encoding is brought into the usual one; anything else is wrong.
        try:
            agents = UnityRLOutputProto.ListAgentInfoProto.FromString(raw[start:end])
        except DecodeError as error:
            raise UnityCommunicationException(
                f"The game sent agents of the behavior {self.name!r} that are damaged or cut off."
            ) from error
        usual = agents.SerializeToString()
        result = self._read(usual, 0, len(usual))
        if not isinstance(result, Problem):
            return result
        raise explain(result, agents, self.name, self._formats)

    def _read(self, raw: bytes, start: int, end: int) -> Steps | Problem:
        data = np.frombuffer(raw, np.uint8)
        count = count_records(data, start, end)
        if count < 0:
            return Problem(reader.MALFORMED)
        if count * self._vector_bytes > end - start:  # before columns of that size are made
            return Problem(reader.DATA_SIZE)
        np.multiply(self._offsets, count, out=self._sensors[:, reader.OFFSET])
        bodies = np.empty((count, 3), np.int64)
        integers = np.zeros((2, count), np.int32)
        rewards = np.zeros((2, count), np.uint32)
        flags = np.zeros((2, count), np.bool_)
        floats = np.empty(count * self._float_bounds[-1], np.uint32)
        images = np.zeros((len(self._formats), count, 5), np.int64)
        masks = np.zeros((count, self._branch_bounds[-1]), np.bool_)
        code, agent, sensor = reader.read_agents(
            data,
            start,
            end,
            self._sensors,
            self._dims,
            bodies,
            integers,
            rewards,
            flags,
            floats,
            images,
            masks,
        )
        if code != reader.OK:
            return Problem(code, agent, sensor)
        observations = self._observations(raw, floats.view(np.float32), images, integers[0])
        return self._split(observations, integers, rewards.view(np.float32), flags, masks)

    def _observations(
        self,
        raw: bytes,
        floats: NDArray[np.float32],
        images: NDArray[np.int64],
        agent_ids: NDArray[np.int32],
    ) -> list[NDArray[np.float32]]:
        """One array ``(n, *shape)`` per observation, images decoded and channels first."""
        count = len(agent_ids)
        observations = []
        for sensor, bounds in zip(self._formats, pairwise(self._float_bounds), strict=True):
            block = floats[count * bounds[0] : count * bounds[1]].reshape(count, *sensor.declared_shape)
            observations.append(block)
        for index in self._images:
            if self._formats[index].layout is ImageLayout.HWC:
                observations[index] = observations[index].transpose(0, 3, 1, 2)
            for row in np.flatnonzero(images[index, :, reader.COMPRESSED]).tolist():
                start, end, mapping_start, mapping_end, _ = images[index, row].tolist()
                observations[index][row] = self._pixels(
                    index, int(agent_ids[row]), raw[start:end], _mapping(raw[mapping_start:mapping_end])
                )
            observations[index] = np.ascontiguousarray(observations[index])
        return observations

    def _pixels(
        self, index: int, agent_id: int, compressed: bytes, mapping: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """The image that one sensor of one agent sent."""
        spec = self._formats[index].spec
        channels, height, width = spec.shape
        try:
            pixels = process_pixels(compressed, channels, mapping, min(height * width, MAX_PIXELS))
            if pixels.shape != spec.shape:
                raise UnityObservationException(
                    f"It was decompressed to the shape {pixels.shape}, but {spec.shape} was announced."
                )
        except UnityObservationException as error:
            raise UnityObservationException(
                f"Observation {index} ({spec.name!r}) of agent {agent_id} of the behavior {self.name!r}: "
                f"{error}"
            ) from error
        return pixels

    def _split(
        self,
        observations: list[NDArray[np.float32]],
        integers: NDArray[np.int32],
        rewards: NDArray[np.float32],
        flags: NDArray[np.bool_],
        masks: NDArray[np.bool_],
    ) -> Steps:
        """Decision steps are the first rows, terminal steps the others."""
        done, interrupted = flags
        decisions = len(done) - int(np.count_nonzero(done))
        action_mask = None
        if decisions and masks.shape[1]:
            action_mask = [masks[:decisions, start:end] for start, end in pairwise(self._branch_bounds)]
        decision_steps = DecisionSteps(
            [column[:decisions] for column in observations],
            rewards[0, :decisions],
            integers[0, :decisions],
            action_mask,
            integers[1, :decisions],
            rewards[1, :decisions],
        )
        terminal_steps = TerminalSteps(
            [column[decisions:] for column in observations],
            rewards[0, decisions:],
            interrupted[decisions:],
            integers[0, decisions:],
            integers[1, decisions:],
            rewards[1, decisions:],
        )
        return decision_steps, terminal_steps


def _bounds(sizes: list[int]) -> list[int]:
    """Where blocks of these sizes begin and end when they lie in a row."""
    return [0, *accumulate(sizes)]


@functools.lru_cache(maxsize=64)
def _mapping(packed: bytes) -> tuple[int, ...]:
    """Packed channel mapping as numbers; the same few for all images of a sensor."""
    numbers = []
    value, shift = 0, 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value - (value >> 63 << 64))  # negative numbers have all 64 bits
            value, shift = 0, 0
    return tuple(numbers)
