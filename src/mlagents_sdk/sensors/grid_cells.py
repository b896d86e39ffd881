"""Which colliders lie in the cells of a grid: exact overlaps of boxes, whole rows of cells at a time.

A cell overlaps a box unless one of fifteen axes separates them (S. Gottschalk, M. C. Lin, D. Manocha,
"OBBTree", 1996). Cells differ by their place only, so along a row of cells each axis allows one interval,
and the overlapping cells are those in all intervals. Spheres are treated likewise. Everything is in
MuJoCo's frame.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.box_contacts import CONTACT_WIDTH, MAX_CONTACTS
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import (
    BOX,
    SPHERE,
    Placement,
    bound_collider,
    empty_placement,
    into_axes,
    out_of_axes,
    write_matrix,
)
from mlagents_sdk.physics.layout import COLLIDER_WIDTH, KIND, POSITION, ROTATION, TAG
from mlagents_sdk.physics.narrow_phase import collide
from mlagents_sdk.physics.queries import TOUCHING, gather_near

_AXES = 15
_PARALLEL = 1e-6  # squared sine below which two edges give no axis
_EDGE = 1e-9  # share of a cell by which an interval is narrowed, so that touching is not overlapping


class GridShape(NamedTuple):
    """Form of a grid and what it looks at.

    Attributes:
        rows: cells along the right axis.
        columns: cells along the forward axis.
        right: size of a cell along the right axis, metres.
        forward: along the forward axis.
        height: half of its size along the up axis.
        rotates: whether it turns with its body.
        layers: mask of the layers that count.
    """

    rows: int
    columns: int
    right: float
    forward: float
    height: float
    rotates: bool
    layers: int


@compiled
def _box_axes(collider: int, grid: int, shape: GridShape, placement: Placement) -> NDArray[np.float64]:
    """The axes that can separate a cell from a box.

    Returns:
        ``(15, 4)``: how the projection grows along the right axis and along the forward axis, its value
        at the centre of the grid, and the value at which cell and box no longer overlap; the latter is
        infinite for what is no axis.
    """
    centers, axes, halves = placement.centers, placement.axes, placement.halves
    half = (0.5 * shape.right, 0.5 * shape.forward, shape.height)
    turned = np.empty((3, 3))
    for j in range(3):
        turned[0, j], turned[1, j], turned[2, j] = into_axes(
            axes, grid, axes[collider, 0, j], axes[collider, 1, j], axes[collider, 2, j]
        )
    cx, cy, cz = into_axes(
        axes,
        grid,
        centers[collider, 0] - centers[grid, 0],
        centers[collider, 1] - centers[grid, 1],
        centers[collider, 2] - centers[grid, 2],
    )
    out = np.empty((_AXES, 4))
    for k in range(_AXES):
        if k < 3:
            n0 = 1.0 if k == 0 else 0.0
            n1 = 1.0 if k == 1 else 0.0
            n2 = 1.0 if k == 2 else 0.0
        elif k < 6:
            n0, n1, n2 = turned[0, k - 3], turned[1, k - 3], turned[2, k - 3]
        else:
            i = (k - 6) // 3
            r0, r1, r2 = turned[0, k % 3], turned[1, k % 3], turned[2, k % 3]
            n0 = 0.0 if i == 0 else (r2 if i == 1 else -r1)
            n1 = -r2 if i == 0 else (0.0 if i == 1 else r0)
            n2 = r1 if i == 0 else (-r0 if i == 1 else 0.0)
        reach = abs(n0) * half[0] + abs(n1) * half[1] + abs(n2) * half[2]
        for j in range(3):
            along = n0 * turned[0, j] + n1 * turned[1, j] + n2 * turned[2, j]
            reach += abs(along) * halves[collider, j]
        out[k, 0] = n0
        out[k, 1] = n1
        out[k, 2] = -(n0 * cx + n1 * cy + n2 * cz)
        out[k, 3] = reach if n0 * n0 + n1 * n1 + n2 * n2 > _PARALLEL else np.inf
    return out


@compiled
def _box_interval(axes: NDArray[np.float64], x: float, shape: GridShape) -> tuple[int, int]:
    """First and last column that a box overlaps in the row of cells at ``x``; the latter is less if none."""
    first = 0.0
    last = shape.columns - 1.0
    start = -0.5 * last * shape.forward
    for k in range(_AXES):
        at_start = axes[k, 0] * x + axes[k, 1] * start + axes[k, 2]
        slope = axes[k, 1] * shape.forward
        limit = axes[k, 3]
        if abs(slope) < 1e-12:
            if abs(at_start) >= limit:
                return 0, -1
            continue
        middle = -at_start / slope
        around = limit / abs(slope) - _EDGE
        first = max(first, math.ceil(max(middle - around, 0.0)))
        last = min(last, math.floor(max(min(middle + around, last), -1.0)))
    return int(first), int(last)


@compiled
def _sphere_interval(
    cx: float, cy: float, cz: float, radius: float, x: float, shape: GridShape
) -> tuple[int, int]:
    """The same for a sphere about ``(cx, cy, cz)`` in the frame of the grid."""
    beside = max(abs(x - cx) - 0.5 * shape.right, 0.0)
    above = max(abs(cz) - shape.height, 0.0)
    square = radius * radius - beside * beside - above * above
    if square <= 0.0:
        return 0, -1
    reach = math.sqrt(square) + 0.5 * shape.forward
    start = -0.5 * (shape.columns - 1.0) * shape.forward
    middle = (cy - start) / shape.forward
    around = reach / shape.forward - _EDGE
    first = math.ceil(max(middle - around, 0.0))
    last = math.floor(max(min(middle + around, shape.columns - 1.0), -1.0))
    return int(first), int(last)


@compiled
def _seen_from(x: float, y: float, z: float, collider: int, grid: int, placement: Placement) -> float:
    """Squared distance from the sensor of the point in a collider's bounds nearest to a cell's centre."""
    square = 0.0
    for axis in range(3):
        point = x if axis == 0 else (y if axis == 1 else z)
        point = min(max(point, placement.bounds[collider, axis]), placement.bounds[collider, axis + 3])
        square += (point - placement.centers[grid, axis]) ** 2
    return square


@compiled
def fill_cells(
    rows: NDArray[np.float64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    area: int,
    body: int,
    body_at: int,
    offset: tuple[float, float, float],
    shape: GridShape,
    channels: NDArray[np.int64],
    closest: NDArray[np.int64],
    counts: NDArray[np.float32],
) -> None:
    """Find out what lies in the cells of a grid.

    Args:
        rows: ``(areas, width)`` numbers of the world.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        area: area of the sensor.
        body: body that carries it, which is not seen.
        body_at: column of that body.
        offset: centre of the grid in the frame of the body.
        shape: form of the grid.
        channels: int64 ``(tags,)``: channel of each tag, -1 for those not looked for.
        closest: int64 ``(rows, columns)``, gets the collider in each cell that is nearest to the sensor,
            -1 for none.
        counts: float32 ``(channels, rows, columns)``, gets the number of colliders of each channel; left
            alone when there are no channels in it.
    """
    row = rows[area]
    grid = len(colliders)  # its place beside them
    placement = empty_placement(grid + 1)
    centers = placement.centers
    turn = body_at + ROTATION
    write_matrix(row[turn], row[turn + 1], row[turn + 2], row[turn + 3], placement.axes, grid)
    ox, oy, oz = out_of_axes(placement.axes, grid, offset[0], offset[1], offset[2])
    centers[grid, 0] = row[body_at + POSITION] + ox
    centers[grid, 1] = row[body_at + POSITION + 1] + oy
    centers[grid, 2] = row[body_at + POSITION + 2] + oz
    if not shape.rotates:
        write_matrix(1.0, 0.0, 0.0, 0.0, placement.axes, grid)
    half_right = 0.5 * shape.rows * shape.right
    half_forward = 0.5 * shape.columns * shape.forward
    near = np.empty(grid, np.int64)
    count = gather_near(
        row,
        colliders,
        first_collider_at,
        centers[grid, 0],
        centers[grid, 1],
        centers[grid, 2],
        math.sqrt(half_right**2 + half_forward**2 + shape.height**2),
        shape.layers,
        body,
        True,
        placement,
        near,
    )
    distances = np.full((shape.rows, shape.columns), np.inf)
    closest[:] = -1
    counts[:] = 0.0
    found = np.empty((MAX_CONTACTS, CONTACT_WIDTH))
    for k in range(count):
        collider = near[k]
        channel = channels[int(row[first_collider_at + COLLIDER_WIDTH * collider + TAG])]
        if channel < 0:
            continue
        kind = colliders[collider, KIND]
        bound_collider(kind, collider, 0.0, placement)
        axes = _box_axes(collider, grid, shape, placement)
        cx, cy, cz = into_axes(
            placement.axes,
            grid,
            centers[collider, 0] - centers[grid, 0],
            centers[collider, 1] - centers[grid, 1],
            centers[collider, 2] - centers[grid, 2],
        )
        for a in range(shape.rows):
            x = (a - 0.5 * (shape.rows - 1)) * shape.right
            if kind == BOX:
                first, last = _box_interval(axes, x, shape)
            elif kind == SPHERE:
                first, last = _sphere_interval(cx, cy, cz, placement.halves[collider, 0], x, shape)
            else:
                first, last = 0, shape.columns - 1
            for b in range(first, last + 1):
                y = (b - 0.5 * (shape.columns - 1)) * shape.forward
                ux, uy, uz = out_of_axes(placement.axes, grid, x, y, 0.0)
                ux += centers[grid, 0]
                uy += centers[grid, 1]
                uz += centers[grid, 2]
                if kind not in (BOX, SPHERE) and not _cell_overlaps(
                    ux, uy, uz, grid, shape, kind, collider, placement, found
                ):
                    continue
                if len(counts) > 0:
                    counts[channel, a, b] += 1.0
                distance = _seen_from(ux, uy, uz, collider, grid, placement)
                if distance < distances[a, b]:
                    distances[a, b] = distance
                    closest[a, b] = collider


@compiled
def _cell_overlaps(
    x: float,
    y: float,
    z: float,
    grid: int,
    shape: GridShape,
    kind: int,
    collider: int,
    placement: Placement,
    found: NDArray[np.float64],
) -> bool:
    """Whether the cell about a point overlaps a collider of any geometry."""
    kept = (placement.centers[grid, 0], placement.centers[grid, 1], placement.centers[grid, 2])
    placement.centers[grid, 0] = x
    placement.centers[grid, 1] = y
    placement.centers[grid, 2] = z
    placement.halves[grid, 0] = 0.5 * shape.right
    placement.halves[grid, 1] = 0.5 * shape.forward
    placement.halves[grid, 2] = shape.height
    overlaps = collide(BOX, grid, kind, collider, placement, TOUCHING, found) > 0
    for axis in range(3):
        placement.centers[grid, axis] = kept[axis]
    return bool(overlaps)


@compiled
def write_one_hot(
    row: NDArray[np.float64],
    first_collider_at: int,
    channels: NDArray[np.int64],
    closest: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Write a 1 into the channel of what lies in each cell.

    Args:
        row: ``(width,)`` of the area.
        first_collider_at: column of the first collider.
        channels: int64 ``(tags,)``: channel of each tag.
        closest: int64 ``(rows, columns)``: collider in each cell, -1 for none.
        out: float32 ``(channels, rows, columns)``: the last row of cells comes first.
    """
    out[:] = 0.0
    last = closest.shape[0] - 1
    for a in range(closest.shape[0]):
        for b in range(closest.shape[1]):
            collider = closest[a, b]
            if collider >= 0:
                channel = channels[int(row[first_collider_at + COLLIDER_WIDTH * collider + TAG])]
                if channel >= 0:
                    out[channel, last - a, b] = 1.0
