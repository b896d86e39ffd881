"""Sensors write one record of an agent; what goes wrong is told with the names of all concerned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NoReturn, Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.exception import EnvironmentWarning, UnityObservationException
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.sensor import Sensor


class Named(Protocol):
    """Someone with a name for messages; a protocol, because names are made only when needed."""

    @property
    def name(self) -> str:
        """The name."""


def write_observations(sensors: Sequence[Sensor], rows: Sequence[NDArray[np.float32]], owner: Named) -> None:
    """Let every sensor write its observation.

    A sensor that says it wrote another number of floats than declared causes a warning; what it did
    not write is made zero.

    Args:
        sensors: all sensors of an agent, in the order of the observations.
        rows: float32 ``(*shape)`` for each sensor, of the shape declared when the agent was enabled.
        owner: the agent.

    Raises:
        AgentsError: a sensor does not fit its declared shape, or does not tell what it wrote.
        UnityObservationException: a sensor cannot be written.
    """
    for sensor, out in zip(sensors, rows, strict=True):
        try:
            written = sensor.write(out)
        except ValueError as error:
            _refuse(sensor, out, owner, error)
        except (AgentsError, UnityObservationException) as error:
            raise type(error)(f"{owner.name}. {error}") from error
        if written != out.size:
            _complete(sensor, out, owner, written)


def _refuse(sensor: Sensor, out: NDArray[np.float32], owner: Named, error: ValueError) -> NoReturn:
    declared = sensor.get_observation_spec().shape
    now = "" if declared == out.shape else f"; now it declares {declared}"
    raise AgentsError(
        f"{owner.name}, sensor {sensor.get_name()}: the observation does not fit the shape {out.shape} that "
        f"was declared when the agent was enabled{now} ({error}). The size of a sensor must stay the same; "
        "declare the largest and fill up with zeros, or disable and enable the agent."
    ) from error


def _complete(sensor: Sensor, out: NDArray[np.float32], owner: Named, written: object) -> None:
    if not isinstance(written, SupportsIndex):
        raise AgentsError(
            f"{owner.name}, sensor {sensor.get_name()}: write() returned {written!r}. Return the number of "
            "floats written."
        )
    written = written.__index__()
    warnings.warn(
        f"{owner.name}, sensor {sensor.get_name()}: {written} floats were written, but {out.size} were "
        "declared when the agent was enabled; the rest is zero. Declare the size that is written.",
        EnvironmentWarning,
        stacklevel=3,
    )
    out.reshape(-1)[max(written, 0) :] = 0.0
