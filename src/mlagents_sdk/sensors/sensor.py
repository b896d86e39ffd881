"""What a sensor is, and the order of the sensors of an agent."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.exception import EnvironmentWarning


class Sensor(Protocol):
    """One observation of one agent. Its shape never changes while the agent is enabled."""

    def get_name(self) -> str:
        """Name of the sensor, unique within its agent; decides the order of the observations."""

    def get_observation_spec(self) -> ObservationSpec:
        """Shape and meaning of the observation."""

    def update(self) -> None:
        """Get ready for the next record; called once per record, before anything is written."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Write the observation into ``out``, a view of the declared shape with stale content.

        Returns:
            Number of floats written.
        """

    def reset(self) -> None:
        """Forget the past, because the episode ended."""


@runtime_checkable
class SensorComponent(Protocol):
    """Something added to an agent that makes sensors when the agent is enabled."""

    def create_sensors(self) -> list[Sensor]:
        """Make the sensors, after the agent's ``initialize``."""


def vector_spec(
    size: int, name: str, observation_type: ObservationType = ObservationType.DEFAULT
) -> ObservationSpec:
    """Spec of a vector of ``size`` floats."""
    return ObservationSpec((size,), (DimensionProperty.NONE,), observation_type, name)


def variable_length_spec(max_size: int, entity_size: int, name: str) -> ObservationSpec:
    """Spec of up to ``max_size`` entities of ``entity_size`` floats each, padded with zeros."""
    properties = (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)
    return ObservationSpec((max_size, entity_size), properties, ObservationType.DEFAULT, name)


def visual_spec(
    channels: int,
    height: int,
    width: int,
    name: str,
    observation_type: ObservationType = ObservationType.DEFAULT,
) -> ObservationSpec:
    """Spec of an image or a grid, channels first."""
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    properties = (DimensionProperty.NONE, moves, moves)
    return ObservationSpec((channels, height, width), properties, observation_type, name)


_Sensor = TypeVar("_Sensor", bound=Sensor)


def sort_sensors(sensors: Iterable[_Sensor], owner: str) -> list[_Sensor]:
    """Sensors in the order in which trainers and models see them: by name, ignoring case first.

    Args:
        sensors: all sensors of one agent.
        owner: the agent, for the warning about equal names.
    """
    ordered = sorted(sensors, key=lambda sensor: name_order(sensor.get_name()))
    warn_about_duplicates([sensor.get_name() for sensor in ordered], "sensors", owner)
    return ordered


def name_order(name: str) -> tuple[str, str]:
    """Sorting key of sensor and actuator names: ``(casefolded name, name)``."""
    return name.casefold(), name


def warn_about_duplicates(names: Sequence[str], kind: str, owner: str) -> None:
    """Warn when two of the sorted ``names`` are equal, because their order is then arbitrary."""
    for name in sorted({one for one, other in pairwise(names) if one == other}):
        text = f"{owner} has several {kind} named {name!r}; give each its own name."
        warnings.warn(text, EnvironmentWarning, stacklevel=2)
