"""A sensor that shows the last few observations of another one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_sdk.behavior import MAX_STACKED_OBSERVATIONS
from mlagents_sdk.sensors.compression import CompressionSpec, compression_of
from mlagents_sdk.sensors.sensor import Sensor


class StackingSensor:
    """The last ``num_stacks`` observations of a sensor, oldest first, missing ones zero.

    Vectors are concatenated, images and grids are stacked along their channels. The history advances
    once per record, not once per tick, and starts anew with each episode.

    Args:
        wrapped: sensor of a vector ``(n,)`` or an image ``(C, H, W)``.
        num_stacks: number of observations, 1-50.

    Raises:
        ValueError: the number is outside its range, or the sensor has rank 2.
    """

    def __init__(self, wrapped: Sensor, num_stacks: int) -> None:
        spec = wrapped.get_observation_spec()
        name = f"StackingSensor_size{num_stacks}_{spec.name}"
        if not 1 <= num_stacks <= MAX_STACKED_OBSERVATIONS:
            raise ValueError(
                f"Sensor {spec.name}: the number of stacked observations is {num_stacks}; it must lie in "
                f"1-{MAX_STACKED_OBSERVATIONS}."
            )
        if len(spec.shape) not in (1, 3):
            raise ValueError(
                f"Sensor {spec.name} of shape {spec.shape} cannot be stacked; only vectors and images can."
            )
        self._wrapped = wrapped
        first, *rest = spec.shape
        self._spec = spec._replace(shape=(num_stacks * first, *rest), name=name)
        # Both layouts stack along the first axis, so the frames lie one after another in memory.
        self._frames = np.zeros((num_stacks, *spec.shape), dtype=np.float32)
        self._newest = self._frames[-1]
        self._stacked = self._frames.reshape(self._spec.shape)

    @property
    def stacked(self) -> NDArray[np.float32]:
        """The observation as last written, of the declared shape; a view."""
        return self._stacked

    def get_name(self) -> str:
        """``StackingSensor_size<k>_<wrapped name>``."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Spec of the wrapped sensor with ``num_stacks`` times its first axis."""
        return self._spec

    def get_compression_spec(self) -> CompressionSpec:
        """That of the wrapped sensor, with the channels of all observations mapped."""
        one = self._wrapped.get_observation_spec().shape
        return compression_of(self._wrapped).stacked(one[0], len(self._frames))

    def update(self) -> None:
        """Make room for the next observation."""
        self._wrapped.update()
        self._frames[:-1] = self._frames[1:]

    def write(self, out: NDArray[np.float32]) -> int:
        """Take the wrapped sensor's observation in and write all of them, oldest first."""
        self._wrapped.write(self._newest)
        out[...] = self._stacked
        return out.size

    def reset(self) -> None:
        """Forget all observations."""
        self._wrapped.reset()
        self._frames[...] = 0.0

    def get_state(self) -> dict[str, Any]:
        """The history, for saving."""
        return {"frames": self._frames.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the history of :meth:`get_state`."""
        self._frames[...] = state["frames"]
