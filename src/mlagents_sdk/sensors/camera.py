"""A sensor that sees what a camera sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec, ObservationType
from mlagents_sdk.physics.rendering import Camera
from mlagents_sdk.sensors.compression import CompressionName, CompressionSpec, compression_named
from mlagents_sdk.sensors.images import image_spec, write_image
from mlagents_sdk.sensors.sensor import Sensor
from mlagents_sdk.sensors.stacking_sensor import StackingSensor

if TYPE_CHECKING:
    from mlagents_sdk.components import ComponentOwner


class CameraSensor:
    """The picture of a camera, taken at each update.

    Args:
        camera: takes the pictures.
        name: of the sensor.
        height: pixels.
        width: pixels.
        grayscale: whether the mean of the colours is observed in place of them.
        observation_type: plain observation or goal signal.
        compression: of observations that leave the process.

    Raises:
        AgentsError: an argument makes no sense.
    """

    def __init__(
        self,
        camera: Camera,
        name: str = "CameraSensor",
        height: int = 84,
        width: int = 84,
        grayscale: bool = False,
        observation_type: ObservationType = ObservationType.DEFAULT,
        compression: CompressionName = "png",
    ) -> None:
        self.camera = camera
        self._spec = image_spec(name, height, width, grayscale, observation_type)
        self._compression = compression_named(compression, name)
        self._picture = np.zeros((height, width, 3), np.uint8)

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(3, height, width)`` or ``(1, height, width)``."""
        return self._spec

    def get_compression_spec(self) -> CompressionSpec:
        """PNG or nothing."""
        return self._compression

    def update(self) -> None:
        """Take a picture."""
        self.camera.render_into(self._picture)

    def reset(self) -> None:
        """Nothing to forget."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Write the last picture, float32 in [0, 1], the top row first."""
        write_image(self._picture, out)
        return out.size


class CameraSensorComponent:
    """Adds a camera sensor to an agent.

    Args:
        agent: agent, or node of an agent, that gets the sensor.
        camera: takes the pictures; it may be moved and changed at any time.
        sensor_name: name of the sensor.
        width: pixels.
        height: pixels.
        grayscale: whether the mean of the colours is observed in place of them.
        observation_stacks: how many successive pictures make one observation, 1-50, along the channels.
        observation_type: plain observation or goal signal.
        compression: ``"png"`` or ``"none"``, for observations that leave the process; a PNG loses nothing.

    Raises:
        AgentsError: an argument makes no sense.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        camera: Camera,
        sensor_name: str = "CameraSensor",
        width: int = 84,
        height: int = 84,
        grayscale: bool = False,
        observation_stacks: int = 1,
        observation_type: ObservationType = ObservationType.DEFAULT,
        compression: CompressionName = "png",
    ) -> None:
        self._sensor = CameraSensor(
            camera, sensor_name, height, width, grayscale, observation_type, compression
        )
        self._stacks = observation_stacks
        agent.add_component(self)

    def create_sensors(self) -> list[Sensor]:
        """The sensor, stacked if asked for."""
        return [self._sensor if self._stacks == 1 else StackingSensor(self._sensor, self._stacks)]
