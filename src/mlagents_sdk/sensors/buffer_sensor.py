"""A sensor of a varying number of entities, each told by the same number of floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_envs.exception import UnityObservationException
from mlagents_sdk.components import ComponentOwner
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.sensor import Sensor, variable_length_spec


class BufferSensor:
    """Rows of floats, one per entity that the agent sees; emptied before each record.

    Trainers attend to the rows whatever their order, take rows close to zero (squared norm below
    0.01) for padding, and never normalize them, so scale the values yourself.

    Args:
        max_num_observables: number of rows, ``N``; entities beyond are not seen.
        observable_size: floats per entity, ``F``.
        name: name of the sensor.

    Raises:
        AgentsError: a number is below 1.
    """

    def __init__(self, max_num_observables: int, observable_size: int, name: str = "BufferSensor") -> None:
        if max_num_observables < 1 or observable_size < 1:
            raise AgentsError(
                f"Sensor {name}: max_num_observables is {max_num_observables} and observable_size is "
                f"{observable_size}; both must be at least 1."
            )
        self._max, self._size = max_num_observables, observable_size
        self._spec = variable_length_spec(max_num_observables, observable_size, name)
        self._rows: list[Sequence[SupportsFloat]] = []

    @property
    def num_appended(self) -> int:
        """Entities seen since the last update, at most ``max_num_observables``."""
        return len(self._rows)

    def append_observation(self, observation: Sequence[SupportsFloat] | NDArray[np.generic]) -> None:
        """Add one entity, inside ``collect_observations``; ignored once the sensor is full.

        Args:
            observation: ``observable_size`` numbers.

        Raises:
            AgentsError: it has another length.
        """
        if len(observation) != self._size:
            raise AgentsError(
                f"Sensor {self._spec.name}: an observation of {len(observation)} floats was appended, but "
                f"each entity has {self._size}. Append exactly {self._size} numbers, or change "
                "observable_size."
            )
        if len(self._rows) < self._max:
            # Copied, because the agent may use one list for all its entities.
            copy = observation.tolist() if isinstance(observation, np.ndarray) else tuple(observation)
            self._rows.append(copy)

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(N, F)``, the first axis of variable size."""
        return self._spec

    def update(self) -> None:
        """Forget all entities."""
        self._rows = []

    def reset(self) -> None:
        """Forget all entities."""
        self._rows = []

    def write(self, out: NDArray[np.float32]) -> int:
        """Write the entities into ``out``, float32 ``(N, F)``, in the order of appending, then zeros.

        Raises:
            UnityObservationException: something appended is not a number.
        """
        count = len(self._rows)
        if count:
            try:
                out[:count] = self._rows
            except (OverflowError, TypeError, ValueError) as error:
                bad = next((row for row in self._rows if not _is_flat(row)), self._rows)
                raise UnityObservationException(
                    f"Sensor {self._spec.name}: {bad!r} was appended, but an entity is a flat sequence of "
                    f"{self._size} numbers."
                ) from error
        out[count:] = 0.0
        return out.size


class BufferSensorComponent:
    """Adds a buffer sensor to an agent.

    Args:
        agent: what gets the sensor.
        max_num_observables: number of entities that can be seen at once.
        observable_size: floats per entity.
        sensor_name: name of the sensor.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        max_num_observables: int,
        observable_size: int,
        sensor_name: str = "BufferSensor",
    ) -> None:
        self._sensor = BufferSensor(max_num_observables, observable_size, sensor_name)
        agent.add_component(self)

    def get_sensor(self) -> BufferSensor:
        """The sensor to which the agent appends, inside ``collect_observations``."""
        return self._sensor

    def append_observation(self, observation: Sequence[SupportsFloat] | NDArray[np.generic]) -> None:
        """Add one entity, see :meth:`BufferSensor.append_observation`."""
        self._sensor.append_observation(observation)

    def create_sensors(self) -> list[Sensor]:
        """The sensor."""
        self._sensor.reset()
        return [self._sensor]


def _is_flat(row: Sequence[SupportsFloat] | NDArray[np.generic]) -> bool:
    return all(isinstance(value, SupportsFloat) for value in row)
