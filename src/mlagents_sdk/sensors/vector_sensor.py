"""A sensor made of single numbers that the agent adds one after another."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec, ObservationType
from mlagents_envs.exception import EnvironmentWarning, UnityObservationException
from mlagents_sdk.sensors.sensor import Sensor, vector_spec
from mlagents_sdk.sensors.stacking_sensor import StackingSensor

if TYPE_CHECKING:
    from mlagents_sdk.components import ComponentOwner

Observable = SupportsFloat | Sequence[SupportsFloat] | NDArray[np.generic]
"""What can be added to a vector: a number, or a flat sequence of numbers."""


class VectorSensor:
    """Vector of floats, emptied before each record and filled by ``add_observation``.

    Args:
        observation_size: number of floats expected.
        name: name of the sensor; made from size and type when None.
        observation_type: plain observation or goal signal.
        owner: the agent, for warnings.
    """

    def __init__(
        self,
        observation_size: int,
        name: str | None = None,
        observation_type: ObservationType = ObservationType.DEFAULT,
        owner: str = "",
    ) -> None:
        if name is None:
            suffix = "_GoalSignal" if observation_type is ObservationType.GOAL_SIGNAL else ""
            name = f"VectorSensor_size{observation_size}{suffix}"
        self._size = observation_size
        self._spec = vector_spec(observation_size, name, observation_type)
        self._values: list[float] = []
        self._owner = f"{owner}, sensor" if owner else "Sensor"

    @property
    def values(self) -> list[float]:
        """Floats added since the last update."""
        return self._values

    def add_observation(self, value: Observable) -> None:
        """Append a number, or all numbers of a flat sequence or array, in order.

        One call with a tuple or list of all floats is the fastest way to fill the sensor. Booleans
        become 1.0 and 0.0.
        """
        if isinstance(value, (tuple, list)):
            self._values += value
        elif isinstance(value, (float, int)):
            self._values.append(value)
        elif isinstance(value, np.ndarray):
            self._values += value.ravel().tolist()
        elif isinstance(value, Sequence):
            self._values += [float(item) for item in value]
        else:
            self._values.append(float(value))  # NumPy scalars and the like

    def add_quaternion(self, quaternion: Sequence[float], order: str = "wxyz") -> None:
        """Append a rotation as x, y, z, w.

        Args:
            quaternion: four numbers.
            order: what they are: ``"wxyz"`` (as in MuJoCo) or ``"xyzw"``.

        Raises:
            ValueError: the order is neither, or there are not four numbers.
        """
        if order not in ("wxyz", "xyzw"):
            raise ValueError(f"The order of the quaternion is {order!r}; it must be 'wxyz' or 'xyzw'.")
        if len(quaternion) != 4:
            raise ValueError(f"A quaternion has 4 numbers, but {len(quaternion)} were given.")
        a, b, c, d = quaternion
        self._values += (b, c, d, a) if order == "wxyz" else (a, b, c, d)

    def add_one_hot_observation(self, index: int, num_values: int) -> None:
        """Append ``num_values`` floats, 1.0 at ``index`` and 0.0 elsewhere.

        All are 0.0 when ``index`` lies outside.
        """
        one_hot = [0.0] * num_values
        if 0 <= index < num_values:
            one_hot[index] = 1.0
        self._values += one_hot

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(observation_size,)``."""
        return self._spec

    def update(self) -> None:
        """Forget what was added."""
        self._values = []

    def reset(self) -> None:
        """Forget what was added."""
        self._values = []

    def write(self, out: NDArray[np.float32]) -> int:
        """Write what was added into ``out``, float32 ``(observation_size,)``.

        Too many values are cut off and missing ones become 0, with a warning.

        Raises:
            UnityObservationException: something added is not a number.
        """
        values = self._values if len(self._values) == self._size else self._fitted()
        try:
            out[...] = values
        except (OverflowError, TypeError, ValueError) as error:
            bad = next((value for value in values if not isinstance(value, SupportsFloat)), values)
            raise UnityObservationException(
                f"Sensor {self._spec.name}: {bad!r} was added, but only numbers and flat sequences of "
                "numbers can be observed."
            ) from error
        return self._size

    def _fitted(self) -> list[float]:
        given = len(self._values)
        verb = "truncated" if given > self._size else "padded with zeros"
        warnings.warn(
            f"{self._owner} {self._spec.name}: {given} floats were added but {self._size} are expected; the "
            f"observation is {verb}. Make the declared size and the observations agree.",
            EnvironmentWarning,
            stacklevel=2,
        )
        return (self._values + [0.0] * (self._size - given))[: self._size]


class VectorSensorComponent:
    """Adds a vector sensor to an agent, beside the one that ``collect_observations`` fills.

    Its usual job is a goal signal: the observation says what to do, and the trainer may condition
    the whole network on it.

    Args:
        agent: agent, or node of an agent, that gets the sensor.
        observation_size: number of floats.
        sensor_name: name of the sensor.
        observation_type: plain observation or goal signal.
        observation_stacks: how many successive vectors make one observation, 1-50.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        observation_size: int,
        sensor_name: str = "VectorSensor",
        observation_type: ObservationType = ObservationType.DEFAULT,
        observation_stacks: int = 1,
    ) -> None:
        self._sensor = VectorSensor(observation_size, sensor_name, observation_type)
        self._stacks = observation_stacks
        agent.add_component(self)

    def get_sensor(self) -> VectorSensor:
        """The sensor to which the agent adds observations, inside ``collect_observations``."""
        return self._sensor

    def create_sensors(self) -> list[Sensor]:
        """The sensor, stacked if asked for."""
        self._sensor.reset()
        return [self._sensor if self._stacks == 1 else StackingSensor(self._sensor, self._stacks)]
