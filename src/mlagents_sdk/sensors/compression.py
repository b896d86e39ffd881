"""Compressed observations: images as PNGs back to back, and where their channels belong.

Nobody in this process pays for it: agents write floats, and whoever sends or records them compresses the
columns. A PNG holds three channels of a byte each, so an observation takes several PNGs where it has more,
and a channel mapping tells where each of their channels belongs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mlagents_envs.base_env import BehaviorName
from mlagents_envs.exception import UnityObservationException
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.sensor import Sensor

CompressionName = Literal["none", "png"]
"""How an image sensor is compressed where it leaves the process."""

_CHANNELS = 3  # of a PNG
_FAST = 1  # zlib's level: speed matters more than size on the way to a trainer of this machine


class CompressionType(IntEnum):
    """How an observation is compressed; the numbers are those of the protocol."""

    NONE = 0
    PNG = 1


@dataclass(frozen=True, slots=True)
class CompressionSpec:
    """How the observations of a sensor are compressed.

    Attributes:
        compression_type: PNG or nothing.
        channel_mapping: for each channel of the PNGs the channel of the observation, -1 for padding;
            channels that several name are averaged. Empty: a single channel is sent three times, more
            follow each other.
    """

    compression_type: CompressionType = CompressionType.NONE
    channel_mapping: tuple[int, ...] = ()

    def full_mapping(self, channels: int) -> tuple[int, ...]:
        """The mapping, also where it is empty.

        Args:
            channels: of the observation.

        Returns:
            As many numbers as the PNGs have channels, a multiple of three.
        """
        mapping = self.channel_mapping or ((0,) * _CHANNELS if channels == 1 else tuple(range(channels)))
        return mapping + (-1,) * (-len(mapping) % _CHANNELS)

    def stacked(self, channels: int, stacks: int) -> CompressionSpec:
        """What becomes of it when several observations are stacked along their channels.

        Args:
            channels: of one observation.
            stacks: number of observations.
        """
        if self.compression_type is CompressionType.NONE:
            return self
        one = self.full_mapping(channels)
        mapping = tuple(
            target if target < 0 else target + copy * channels for copy in range(stacks) for target in one
        )
        return CompressionSpec(self.compression_type, mapping)


UNCOMPRESSED = CompressionSpec()
"""Floats."""


@runtime_checkable
class CompressibleSensor(Protocol):
    """A sensor that says how its observations are compressed; others are not."""

    def get_compression_spec(self) -> CompressionSpec:
        """How; anything but :data:`UNCOMPRESSED` needs values in [0, 1], of which 256 are told apart."""


@runtime_checkable
class CompressesObservations(Protocol):
    """An environment that knows how its observations are compressed when they leave the process."""

    def compression_specs(self, behavior_name: BehaviorName) -> list[CompressionSpec]:
        """One spec per observation of a behavior, in their order.

        Raises:
            UnityActionException: unknown behavior.
        """


def compression_of(sensor: Sensor) -> CompressionSpec:
    """How the observations of a sensor are compressed."""
    return sensor.get_compression_spec() if isinstance(sensor, CompressibleSensor) else UNCOMPRESSED


def compression_named(name: str, sensor: str) -> CompressionSpec:
    """The compression of a sensor that sends at most three channels.

    Args:
        name: ``"png"`` or ``"none"``.
        sensor: its name, for the message.

    Raises:
        AgentsError: it is neither.
    """
    kinds = {"none": CompressionType.NONE, "png": CompressionType.PNG}
    if name not in kinds:
        raise AgentsError(f"Sensor {sensor}: compression is {name!r}; it must be one of {', '.join(kinds)}.")
    return CompressionSpec(kinds[name])


class PngEncoder:
    """Compresses the observations of one sensor.

    Stacked images come again in the next observations, so the PNGs of the last two rounds are kept.

    Args:
        sensor: its name, for messages.
        spec: how it is compressed.
        channels: of an observation.
    """

    def __init__(self, sensor: str, spec: CompressionSpec, channels: int) -> None:
        self._sensor = sensor
        mapping = np.array(spec.full_mapping(channels)).reshape(-1, _CHANNELS)
        self._sources: list[list[int]] = mapping.tolist()
        self._fresh: dict[bytes, bytes] = {}
        self._known: dict[bytes, bytes] = {}

    def next_round(self) -> None:
        """Keep only what was sent in the last round."""
        self._known, self._fresh = self._fresh, {}

    def encode(self, image: NDArray[np.float32]) -> bytes:
        """PNGs of an observation, back to back.

        Args:
            image: float32 ``(channels, height, width)`` in [0, 1].

        Raises:
            UnityObservationException: a value lies outside.
        """
        if image.size and not (image.min() >= 0.0 and image.max() <= 1.0):
            raise UnityObservationException(
                f"Sensor {self._sensor}: its values range from {image.min()} to {image.max()}, but only "
                "0-1 can be sent as PNG. Scale them, or do without compression."
            )
        levels = (image * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
        return b"".join(self._encode_three(levels, sources) for sources in self._sources)

    def _encode_three(self, levels: NDArray[np.uint8], sources: Sequence[int]) -> bytes:
        height, width = levels.shape[1:]
        pixels = np.zeros((height, width, _CHANNELS), np.uint8)
        for channel, source in enumerate(sources):
            if source >= 0:
                pixels[:, :, channel] = levels[source]
        key = pixels.tobytes()
        png = self._fresh.get(key) or self._known.get(key) or _to_png(pixels)
        self._fresh[key] = png
        return png


def _to_png(pixels: NDArray[np.uint8]) -> bytes:
    """``(height, width, 3)`` as a PNG without loss."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=_FAST)
    return buffer.getvalue()
