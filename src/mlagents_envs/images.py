"""Compressed images: from PNG bytes to channel-first float arrays, and which axis means what.

An image sensor may send several PNGs back to back, three channels in each, because PNG knows no
images of more channels. The channel mapping says where each decoded channel belongs.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mlagents_envs.communicator_objects.observation_pb2 import PNG, ObservationProto
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.timers import hierarchical_timer, timed

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 2**24
"""Largest number of pixels of one image; more is taken for a decompression bomb."""

_COLOUR_MODES = {"1": "L", "P": "RGBA", "PA": "RGBA", "CMYK": "RGB"}
"""Pillow modes that are converted before use; all others have one value per channel already."""


class ImageLayout(Enum):
    """Order of the axes in which a sensor declares its images."""

    CHW = "chw"
    """Channels first."""
    HWC = "hwc"
    """Channels last: clients before version 3.0 of the game package, and old recordings."""


def image_layout(observation: ObservationProto) -> ImageLayout:
    """Decide in which order an image observation declares its axes.

    A compressed image tells by its size. Otherwise the dimension properties tell (the channel axis is
    the one without translational equivariance); an observation without any comes from a client that
    was older than channels first. Where the properties say nothing, the channels are the smaller of
    the two candidate axes.

    Args:
        observation: observation of rank 3.
    """
    shape = tuple(observation.shape)
    if observation.compression_type == PNG:
        size = _png_size(observation.compressed_data)
        fits_chw, fits_hwc = shape[1:] == size, shape[:2] == size
        if fits_chw != fits_hwc:
            return ImageLayout.CHW if fits_chw else ImageLayout.HWC
    properties = tuple(observation.dimension_properties)
    if properties == (1, 2, 2):
        return ImageLayout.CHW
    if properties in ((2, 2, 1), ()):
        return ImageLayout.HWC
    return ImageLayout.CHW if shape[0] <= shape[2] else ImageLayout.HWC


def channels_first(shape: Sequence[int], layout: ImageLayout) -> tuple[int, ...]:
    """The three numbers of an image, one per axis, in the order channels, height, width."""
    first, second, third = shape
    return (first, second, third) if layout is ImageLayout.CHW else (third, first, second)


@timed
def process_pixels(
    image_bytes: bytes,
    expected_channels: int,
    mappings: Sequence[int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[np.float32]:
    """Decode an image observation.

    Args:
        image_bytes: one or more PNGs back to back, all of the same size.
        expected_channels: number of channels of the result; without a mapping, further decoded
            channels are padding and dropped, and a single expected channel is the mean of the colours
            of the first PNG.
        mappings: target channel of each decoded channel, negative to drop it; several decoded channels
            with the same target are averaged. None or empty for none.
        max_pixels: refuse images with more pixels than this.

    Returns:
        float32 ``(expected_channels, height, width)`` in [0, 1].

    Raises:
        UnityObservationException: the bytes are not PNGs, too large, of different sizes, of too few
            channels, or the mapping does not fit.
    """
    with hierarchical_timer("image_decompress"):
        images = [_decode_png(png, max_pixels) for png in _split_pngs(image_bytes)]
    if not mappings and expected_channels == 1:
        first = images[0]
        colours = first[: 1 if len(first) < 3 else 3]  # without transparency
        grey: NDArray[np.float32] = colours.mean(axis=0, keepdims=True)
        return grey
    if any(image.shape[1:] != images[0].shape[1:] for image in images):
        sizes = [image.shape[1:] for image in images]
        raise UnityObservationException(f"The images of one observation have different sizes: {sizes}.")
    channels = images[0] if len(images) == 1 else np.concatenate(images)
    if mappings:
        return _map_channels(channels, list(mappings), expected_channels)
    if len(channels) < expected_channels:
        raise UnityObservationException(
            f"The compressed observation has {len(channels)} channels, but {expected_channels} are declared."
        )
    return channels[:expected_channels]


def _map_channels(
    channels: NDArray[np.float32], mappings: list[int], expected_channels: int
) -> NDArray[np.float32]:
    """Average decoded channels ``(k, h, w)`` into their targets."""
    if len(mappings) != len(channels):
        raise UnityObservationException(
            f"The channel mapping {mappings} is for {len(mappings)} channels, "
            f"but {len(channels)} were decoded."
        )
    if sorted({target for target in mappings if target >= 0}) != list(range(expected_channels)):
        raise UnityObservationException(
            f"The channel mapping {mappings} does not fill each of the {expected_channels} declared channels."
        )
    targets = np.asarray(mappings)
    return np.stack([channels[targets == target].mean(axis=0) for target in range(expected_channels)])


def _split_pngs(image_bytes: bytes) -> list[bytes]:
    """Cut back-to-back PNGs apart, walking from chunk to chunk."""
    parts = []
    start = 0
    while start >= 0:
        if not image_bytes.startswith(PNG_SIGNATURE, start):
            raise UnityObservationException(
                f"The compressed observation of {len(image_bytes)} bytes holds no PNG at byte {start}."
            )
        end = _png_end(image_bytes, start)
        parts.append(image_bytes[start:end])
        start = image_bytes.find(PNG_SIGNATURE, end)
    return parts


def _png_end(image_bytes: bytes, start: int) -> int:
    """Position after the last chunk of the PNG that begins at ``start``."""
    position = start + len(PNG_SIGNATURE)
    while position + 12 <= len(image_bytes):  # length, type and checksum of a chunk are 12 bytes
        length, kind = struct.unpack_from(">I4s", image_bytes, position)
        position += 12 + length
        if kind == b"IEND":
            break
    return min(position, len(image_bytes))


def _png_size(image_bytes: bytes) -> tuple[int, int] | None:
    """(height, width) in the header of a PNG, or None when there is none."""
    if not image_bytes.startswith(PNG_SIGNATURE) or len(image_bytes) < 24:
        return None
    width, height = struct.unpack_from(">II", image_bytes, 16)
    return height, width


def _decode_png(png: bytes, max_pixels: int) -> NDArray[np.float32]:
    """One PNG as float32 ``(channels, height, width)`` in [0, 1]."""
    height, width = _png_size(png) or (0, 0)
    if height * width > max_pixels:
        raise UnityObservationException(
            f"A compressed image claims {width} x {height} pixels; more than {max_pixels} are not accepted."
        )
    try:
        image = Image.open(io.BytesIO(png), formats=["PNG"])
        pixels = np.asarray(image.convert(_COLOUR_MODES.get(image.mode, image.mode)))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, struct.error) as error:
        raise UnityObservationException(f"A compressed image cannot be decoded: {error}.") from error
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    largest = 255 if pixels.dtype == np.uint8 else 65535
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32) / np.float32(largest)
