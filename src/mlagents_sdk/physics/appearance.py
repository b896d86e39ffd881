"""How things look: colours, and the light that falls on them. Physics knows nothing of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.rotations import Quaternion, Vector, euler_rotation, rotate

if TYPE_CHECKING:
    from mlagents_sdk.physics.scene import Collider
    from mlagents_sdk.physics.shapes import Shape

Color = tuple[float, float, float]
"""Red, green and blue, each in [0, 1]."""

DEFAULT_COLOR: Color = (0.8, 0.8, 0.8)
"""Of whatever is not given a colour."""


class Look(TypedDict, total=False):
    """What can be said about the looks of a shape; for a body it holds for all shapes that say nothing.

    Attributes:
        color: of its surface; light grey by default.
        checks: second colour of a checkered pattern; a plain surface by default.
        visible: whether cameras see it; by default they see everything but triggers.
    """

    color: Color | None
    checks: Color | None
    visible: bool | None


_SUN = euler_rotation(50.0, -30.0)


@dataclass(frozen=True, slots=True)
class Lighting:
    """Light from one direction, as if from infinitely far away, and light from everywhere; no shadows.

    A surface of colour ``c`` whose normal makes an angle ``a`` with the light is seen as
    ``c (ambient + intensity max(0, cos a))``, at most 1 (Lambert's cosine law).

    Attributes:
        rotation: the light shines along the forward axis of this rotation.
        intensity: of the directed light.
        ambient: of the light from everywhere.
    """

    rotation: Quaternion = _SUN
    intensity: float = 0.6
    ambient: float = 0.4

    @property
    def to_light(self) -> Vector:
        """Unit vector towards the light."""
        x, y, z = rotate(self.rotation, (0.0, 0.0, -1.0))
        return (x, y, z)


def check_color(color: Color, owner: str) -> Color:
    """``color``, if it is one.

    Args:
        color: red, green and blue.
        owner: whose colour it is, for the message.

    Raises:
        AgentsError: there are not three numbers in [0, 1].
    """
    if len(color) != 3 or not all(0.0 <= channel <= 1.0 for channel in color):
        raise AgentsError(f"{owner}: the colour {color} must be three numbers in 0-1, red, green and blue.")
    return color


def color_of(shape: Shape, body: Collider | None) -> Color:
    """Colour of a shape, or of its body, or the default."""
    if shape.color is not None:
        return shape.color
    if body is not None and body.color is not None:
        return body.color
    return DEFAULT_COLOR


def checks_of(shape: Shape, body: Collider | None) -> Color | None:
    """Second colour of a shape, or of its body, None for a plain surface."""
    return shape.checks if shape.checks is not None or body is None else body.checks


def check_size(half_size: Vector) -> float:
    """Edge of the checks of a shape, metres: half its smallest half extent."""
    return 0.5 * min(half for half in half_size if half < math.inf)


def is_visible(shape: Shape, body: Collider | None, decoration: bool) -> bool:
    """Whether cameras see a shape."""
    if shape.visible is not None:
        return shape.visible
    if decoration:
        return True
    if body is not None and body.visible is not None:
        return body.visible
    return not shape.trigger
