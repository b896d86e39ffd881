"""The pyramids of Pyramids: cubes in layers that do not touch at first, and fall on one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from mlagents_sdk.physics import Body, Motion, Scene, TrainingArea, Vector
from mlagents_sdk.physics.rotations import IDENTITY


class Cube(NamedTuple):
    """One cube of a pyramid.

    Attributes:
        offset: of its centre from the origin of the pyramid, metres.
        size: length of its edges, metres.
        mass: kilograms.
        tag: what sensors see.
    """

    offset: Vector
    size: float
    mass: float
    tag: str


def _layer(height: float, along_x: Sequence[float], along_z: Sequence[float]) -> list[Vector]:
    """Places along the border of a grid, metres."""
    edges_x, edges_z = (along_x[0], along_x[-1]), (along_z[0], along_z[-1])
    return [(x, height, z) for x, z in product(along_x, along_z) if x in edges_x or z in edges_z]


_COLORS = {"stone": (0.55, 0.55, 0.55), "block": (0.8, 0.45, 0.25), "goal": (1.0, 0.85, 0.2)}
_BASE = _layer(0.15, (-1.34, -0.21, 1.09, 2.2), (-1.06, 0.10, 1.45, 2.62))

_STONES = [
    *_BASE,
    *_layer(1.25, (-0.82, 0.37, 1.67), (-0.47, 0.77, 2.12)),
    *_layer(2.38, (-0.27, 0.92), (0.13, 1.37)),
    (0.34, 3.52, 0.8),
]
_BRICKS = [
    *_BASE,
    *_layer(1.60, (-0.80, 0.39, 1.69), (-0.47, 0.77, 2.12)),
    *_layer(3.11, (-0.14, 1.05), (0.13, 1.37)),
    (0.52, 4.29, 0.8),
]

STONE_PYRAMID = tuple(Cube(offset, 1.0, 50.0, "stone") for offset in _STONES)
"""Heavy, and in the way."""

BRICK_PYRAMID = (
    *(Cube(offset, 1.0, 2.0, "block") for offset in _BRICKS),
    Cube((0.45, 6.0, 0.8), 2.0, 2.0, "goal"),
)
"""Light, with the goal on top."""


def add_pyramid(scene: Scene, name: str, cubes: Sequence[Cube], origin: Vector) -> None:
    """Add a pyramid to a scene; its cubes are called ``<name> 0`` and so on, from the bottom up."""
    for number, cube in enumerate(cubes):
        scene.add_box(
            f"{name} {number}",
            (cube.size, cube.size, cube.size),
            _add(origin, cube.offset),
            motion=Motion.DYNAMIC,
            mass=cube.mass,
            tag=cube.tag,
            color=_COLORS[cube.tag],
        )


class Pyramid:
    """A pyramid of one area.

    Args:
        area: a copy of a scene to which :func:`add_pyramid` added it.
        name: its name there.
        cubes: what it consists of.

    Attributes:
        bodies: handles on its cubes, from the bottom up.
    """

    def __init__(self, area: TrainingArea, name: str, cubes: Sequence[Cube]) -> None:
        self.bodies: list[Body] = [area.body(f"{name} {number}") for number in range(len(cubes))]
        self._offsets = [cube.offset for cube in cubes]

    @property
    def top(self) -> Body:
        """The last cube."""
        return self.bodies[-1]

    def build(self, origin: Vector) -> None:
        """Put all cubes in their places above a point, upright and at rest, to fall from there."""
        for body, offset in zip(self.bodies, self._offsets, strict=True):
            body.enabled = True
            body.position = _add(origin, offset)
            body.rotation = IDENTITY
            body.stop()

    def remove(self) -> None:
        """Take all cubes away until the pyramid is built anew."""
        for body in self.bodies:
            body.enabled = False


def _add(a: Vector, b: Vector) -> Vector:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])
