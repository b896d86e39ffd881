"""Where the colliders of an area are, and small vector algebra, for machine code.

Vectors come and go as three floats where possible: the compiler keeps them in registers, while arrays of
three would have to be made and indexed. Everything is in MuJoCo's frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.layout import (
    AREA_WIDTH,
    BODY,
    BODY_WIDTH,
    COLLIDER_WIDTH,
    HALF,
    OFFSET,
    PLANE_RADIUS,
    POSITION,
    ROTATION,
    TURN,
)
from mlagents_sdk.physics.shapes import ShapeKind

BOX = int(ShapeKind.BOX)
SPHERE = int(ShapeKind.SPHERE)
CAPSULE = int(ShapeKind.CAPSULE)
CYLINDER = int(ShapeKind.CYLINDER)
PLANE = int(ShapeKind.PLANE)

SCRATCH = 32
"""Rows of a placement's scratch space."""


class Placement(NamedTuple):
    """Where colliders are in the frame of the area.

    Attributes:
        centers: float64 ``(colliders, 3)``, metres.
        axes: float64 ``(colliders, 3, 3)``, rotation matrices; columns are the axes of the collider.
        halves: float64 ``(colliders, 3)``, half extents, metres.
        bounds: float64 ``(colliders, 6)``, lowest and highest corner of the enclosing box.
        scratch: float64 ``(SCRATCH, 3)``, room for whoever works with them.
    """

    centers: NDArray[np.float64]
    axes: NDArray[np.float64]
    halves: NDArray[np.float64]
    bounds: NDArray[np.float64]
    scratch: NDArray[np.float64]


@compiled
def empty_placement(colliders: int) -> Placement:
    """Room for the placement of so many colliders."""
    return Placement(
        np.empty((colliders, 3)),
        np.empty((colliders, 3, 3)),
        np.empty((colliders, 3)),
        np.empty((colliders, 6)),
        np.empty((SCRATCH, 3)),
    )


@compiled
def rotate_wxyz(
    w: float, x: float, y: float, z: float, a: float, b: float, c: float
) -> tuple[float, float, float]:
    """Vector ``(a, b, c)`` turned by the unit quaternion ``(w, x, y, z)``."""
    ta = 2.0 * (y * c - z * b)
    tb = 2.0 * (z * a - x * c)
    tc = 2.0 * (x * b - y * a)
    return (
        a + w * ta + y * tc - z * tb,
        b + w * tb + z * ta - x * tc,
        c + w * tc + x * tb - y * ta,
    )


@compiled
def write_matrix(w: float, x: float, y: float, z: float, out: NDArray[np.float64], index: int) -> None:
    """Write the matrix of a unit quaternion into ``out[index]``, ``out`` being ``(n, 3, 3)``."""
    out[index, 0, 0] = 1.0 - 2.0 * (y * y + z * z)
    out[index, 0, 1] = 2.0 * (x * y - w * z)
    out[index, 0, 2] = 2.0 * (x * z + w * y)
    out[index, 1, 0] = 2.0 * (x * y + w * z)
    out[index, 1, 1] = 1.0 - 2.0 * (x * x + z * z)
    out[index, 1, 2] = 2.0 * (y * z - w * x)
    out[index, 2, 0] = 2.0 * (x * z - w * y)
    out[index, 2, 1] = 2.0 * (y * z + w * x)
    out[index, 2, 2] = 1.0 - 2.0 * (x * x + y * y)


@compiled
def product_wxyz(
    aw: float, ax: float, ay: float, az: float, bw: float, bx: float, by: float, bz: float
) -> tuple[float, float, float, float]:
    """Quaternion product ``a b``: first ``b``, then ``a``."""
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


@compiled
def place_collider(
    row: NDArray[np.float64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    collider: int,
    placement: Placement,
) -> None:
    """Work out where one collider is, without its bounds.

    Args:
        row: ``(width,)`` of the area.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        collider: which one.
        placement: gets the result.
    """
    at = first_collider_at + COLLIDER_WIDTH * collider
    body_at = AREA_WIDTH + BODY_WIDTH * colliders[collider, BODY]
    pose = body_at + POSITION
    turn = body_at + ROTATION
    w, x, y, z = row[turn], row[turn + 1], row[turn + 2], row[turn + 3]
    ox, oy, oz = row[at + OFFSET], row[at + OFFSET + 1], row[at + OFFSET + 2]
    if ox != 0.0 or oy != 0.0 or oz != 0.0:
        ox, oy, oz = rotate_wxyz(w, x, y, z, ox, oy, oz)
    placement.centers[collider, 0] = row[pose] + ox
    placement.centers[collider, 1] = row[pose + 1] + oy
    placement.centers[collider, 2] = row[pose + 2] + oz
    own = at + TURN
    if row[own] != 1.0:
        w, x, y, z = product_wxyz(w, x, y, z, row[own], row[own + 1], row[own + 2], row[own + 3])
    write_matrix(w, x, y, z, placement.axes, collider)
    for axis in range(3):
        placement.halves[collider, axis] = row[at + HALF + axis]


@compiled
def bound_collider(kind: int, collider: int, margin: float, placement: Placement) -> None:
    """Work out the enclosing box of a placed collider, ``margin`` metres larger on all sides."""
    axes = placement.axes
    h0, h1, h2 = (
        placement.halves[collider, 0],
        placement.halves[collider, 1],
        placement.halves[collider, 2],
    )
    for axis in range(3):
        if kind == BOX:
            reach = abs(axes[collider, axis, 0]) * h0
            reach += abs(axes[collider, axis, 1]) * h1 + abs(axes[collider, axis, 2]) * h2
        elif kind == SPHERE:
            reach = h0
        elif kind == CAPSULE:
            reach = h0 + abs(axes[collider, axis, 2]) * (h2 - h0)
        elif kind == CYLINDER:
            along = abs(axes[collider, axis, 2])
            reach = along * h2 + math.sqrt(max(0.0, 1.0 - along * along)) * h0
        else:
            reach = PLANE_RADIUS
        center = placement.centers[collider, axis]
        placement.bounds[collider, axis] = center - reach - margin
        placement.bounds[collider, axis + 3] = center + reach + margin


@compiled
def bounds_overlap(bounds: NDArray[np.float64], a: int, b: int) -> bool:
    """Whether two of the enclosing boxes ``(n, 6)`` overlap."""
    return bool(
        bounds[a, 0] <= bounds[b, 3]
        and bounds[b, 0] <= bounds[a, 3]
        and bounds[a, 1] <= bounds[b, 4]
        and bounds[b, 1] <= bounds[a, 4]
        and bounds[a, 2] <= bounds[b, 5]
        and bounds[b, 2] <= bounds[a, 5]
    )


@compiled
def into_axes(
    axes: NDArray[np.float64], index: int, x: float, y: float, z: float
) -> tuple[float, float, float]:
    """A vector of the area as seen along the columns of ``axes[index]``, axes being ``(n, 3, 3)``."""
    return (
        axes[index, 0, 0] * x + axes[index, 1, 0] * y + axes[index, 2, 0] * z,
        axes[index, 0, 1] * x + axes[index, 1, 1] * y + axes[index, 2, 1] * z,
        axes[index, 0, 2] * x + axes[index, 1, 2] * y + axes[index, 2, 2] * z,
    )


@compiled
def out_of_axes(
    axes: NDArray[np.float64], index: int, u: float, v: float, w: float
) -> tuple[float, float, float]:
    """A vector along the columns of ``axes[index]`` as seen in the area."""
    return (
        axes[index, 0, 0] * u + axes[index, 0, 1] * v + axes[index, 0, 2] * w,
        axes[index, 1, 0] * u + axes[index, 1, 1] * v + axes[index, 1, 2] * w,
        axes[index, 2, 0] * u + axes[index, 2, 1] * v + axes[index, 2, 2] * w,
    )
