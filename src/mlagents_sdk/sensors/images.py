"""What sensors of images have in common: their spec, and bytes that become floats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sdk.exception import AgentsError

MAX_SIZE = 4096
"""Largest height and width of an image that is observed, pixels."""

_LEVELS = np.float32(255.0)


def image_spec(
    name: str,
    height: int,
    width: int,
    grayscale: bool,
    observation_type: ObservationType = ObservationType.DEFAULT,
) -> ObservationSpec:
    """Spec of an image, shape ``(3, height, width)``, or ``(1, height, width)`` without colours.

    Raises:
        AgentsError: the size makes no sense.
    """
    if not (1 <= height <= MAX_SIZE and 1 <= width <= MAX_SIZE):
        raise AgentsError(
            f"Sensor {name}: the image is {width} x {height} pixels; both must lie in 1-{MAX_SIZE}."
        )
    moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    shape = (1 if grayscale else 3, height, width)
    return ObservationSpec(shape, (DimensionProperty.NONE, moves, moves), observation_type, name)


def write_image(image: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
    """Write an image as floats in [0, 1], each a multiple of 1/255, so that a PNG of them loses nothing.

    Args:
        image: uint8 ``(height, width, 3)``, the top row first.
        out: float32 ``(3, height, width)``, or ``(1, height, width)`` for the mean of the colours.
    """
    if len(out) == 3:
        np.divide(image.transpose(2, 0, 1), _LEVELS, out=out)
    else:
        total = image.sum(axis=2, dtype=np.uint16)
        np.divide((total + 1) // 3, _LEVELS, out=out[0])
