"""A sensor that shows an image which the program makes itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.compression import CompressionName, CompressionSpec, compression_named
from mlagents_sdk.sensors.images import image_spec, write_image
from mlagents_sdk.sensors.sensor import Sensor
from mlagents_sdk.sensors.stacking_sensor import StackingSensor

if TYPE_CHECKING:
    from mlagents_sdk.components import ComponentOwner

Texture = NDArray[np.uint8] | Callable[[], NDArray[np.uint8]]
"""An image, uint8 ``(height, width, 3)`` with the top row first, or a function that returns it."""


class RenderTextureSensor:
    """The image as it is when the observation is written; whoever made it refreshes it before.

    Args:
        texture: the image. Its size is that of the first look and must not change.
        name: of the sensor.
        grayscale: whether the mean of the colours is observed in place of them.
        compression: of observations that leave the process.

    Raises:
        AgentsError: it is no such image, or another argument makes no sense.
    """

    def __init__(
        self,
        texture: Texture,
        name: str = "RenderTextureSensor",
        grayscale: bool = False,
        compression: CompressionName = "png",
    ) -> None:
        self._texture = texture
        self._name = name
        height, width, _ = self._look().shape
        self._spec = image_spec(name, height, width, grayscale)
        self._compression = compression_named(compression, name)

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(3, height, width)`` or ``(1, height, width)``."""
        return self._spec

    def get_compression_spec(self) -> CompressionSpec:
        """PNG or nothing."""
        return self._compression

    def update(self) -> None:
        """Nothing yet: the image is read when it is written."""

    def reset(self) -> None:
        """Nothing to forget."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Write the image as it is now, float32 in [0, 1], the top row first.

        Raises:
            AgentsError: it is no image any more, or its size changed.
        """
        image = self._look()
        if image.shape[:2] != out.shape[1:]:
            height, width = out.shape[1:]
            raise AgentsError(
                f"Sensor {self._name}: the texture is {image.shape[1]} x {image.shape[0]} pixels now, but "
                f"was {width} x {height}; observations cannot change their size."
            )
        write_image(image, out)
        return out.size

    def _look(self) -> NDArray[np.uint8]:
        image = self._texture() if callable(self._texture) else self._texture
        if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3):
            raise AgentsError(
                f"Sensor {self._name}: a texture must be an array of uint8 with the axes height, width and "
                f"colour, not {type(image).__name__}{_kind(image)}."
            )
        if image.shape[2] != 3:
            raise AgentsError(f"Sensor {self._name}: a texture has 3 colours, not {image.shape[2]}.")
        return image


class RenderTextureSensorComponent:
    """Adds a sensor of an image to an agent.

    Args:
        agent: agent, or node of an agent, that gets the sensor.
        texture: the image, refreshed by the program, or a function that returns it.
        sensor_name: name of the sensor.
        grayscale: whether the mean of the colours is observed in place of them.
        observation_stacks: how many successive images make one observation, 1-50, along the channels.
        compression: ``"png"`` or ``"none"``, for observations that leave the process; a PNG loses nothing.

    Raises:
        AgentsError: an argument makes no sense.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        texture: Texture,
        sensor_name: str = "RenderTextureSensor",
        grayscale: bool = False,
        observation_stacks: int = 1,
        compression: CompressionName = "png",
    ) -> None:
        self._sensor = RenderTextureSensor(texture, sensor_name, grayscale, compression)
        self._stacks = observation_stacks
        agent.add_component(self)

    def create_sensors(self) -> list[Sensor]:
        """The sensor, stacked if asked for."""
        return [self._sensor if self._stacks == 1 else StackingSensor(self._sensor, self._stacks)]


def _kind(image: object) -> str:
    return f" of {image.dtype} with shape {image.shape}" if isinstance(image, np.ndarray) else ""
