"""Draws areas by casting one ray per pixel, in machine code and without any graphics library.

Each shape is tried on the pixels of the rectangle that encloses its projection only, in its own frame, and
the nearest hit of each pixel is kept. Surfaces seen from inside are not drawn, so a camera may sit inside
the body that carries it. Everything is in MuJoCo's frame, in which round shapes have their axis along z.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import (
    BOX,
    CAPSULE,
    CYLINDER,
    PLANE,
    SPHERE,
    Placement,
    empty_placement,
    into_axes,
    place_collider,
    write_matrix,
)
from mlagents_sdk.physics.layout import (
    AREA_WIDTH,
    BODY,
    BODY_WIDTH,
    COLLIDER_WIDTH,
    COLOR_WIDTH,
    ENABLED,
    HALF,
    KIND,
    NO_BODY,
    OFFSET,
    TURN,
)

# Numbers of a view, float64 (VIEW_WIDTH,): of the camera, then of the light.
EYE = 0  # 3, where the camera is, m
RIGHT = 3  # 3, unit vectors along the axes of the picture
UP = 6  # 3
FORWARD = 9  # 3
HALF_WIDTH = 12  # half the width of the picture: metres, or the tangent of half its angle
HALF_HEIGHT = 13
ORTHOGRAPHIC = 14  # 1 for parallel rays, 0 for rays that come from the eye
NEAR = 15  # depths between which things are seen, m
FAR = 16
BACKGROUND = 17  # 3, colour
TO_LIGHT = 20  # 3, unit vector
INTENSITY = 23
AMBIENT = 24
VIEW_WIDTH = 25

# Columns of the float64 table of patterns (parts, 4).
CHECK_SIZE = 0  # edge of a check, m; 0 for a plain surface
CHECK_COLOR = 1  # 3

_MISS = np.inf


@compiled
def draw(
    row: NDArray[np.float64],
    parts: NDArray[np.int64],
    shown: NDArray[np.int64],
    first_collider_at: int,
    first_color_at: int,
    patterns: NDArray[np.float64],
    view: NDArray[np.float64],
    depths: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Draw one area.

    Args:
        row: ``(width,)`` of the area.
        parts: int64 ``(parts, 2)``, see :class:`~mlagents_sdk.physics.layout.Layout`.
        shown: int64 ``(n,)``, the visible ones among them.
        first_collider_at: column of the first part.
        first_color_at: column of the first colour.
        patterns: float64 ``(parts, 4)``, see the columns above.
        view: ``(VIEW_WIDTH,)``, see the columns above.
        depths: float32 ``(height, width)``, gets the depth of what is seen, m.
        out: uint8 ``(height, width, 3)``, gets the picture, its top row first.
    """
    height, width = depths.shape
    depths[:, :] = view[FAR]
    for channel in range(3):
        out[:, :, channel] = _to_byte(view[BACKGROUND + channel])
    placement = empty_placement(len(parts))
    for part in shown:
        if not place_part(row, parts, first_collider_at, part, placement):
            continue
        kind = parts[part, KIND]
        color_at = first_color_at + COLOR_WIDTH * part
        colors = np.empty((2, 3))
        for channel in range(3):
            colors[0, channel] = row[color_at + channel]
            colors[1, channel] = patterns[part, CHECK_COLOR + channel]
        left, right, top, bottom = _enclosing_pixels(kind, part, placement, view, width, height)
        _draw_part(
            kind,
            part,
            placement,
            colors,
            patterns[part, CHECK_SIZE],
            view,
            left,
            right,
            top,
            bottom,
            depths,
            out,
        )


@compiled
def _to_byte(channel: float) -> int:
    return int(min(channel, 1.0) * 255.0 + 0.5)


@compiled
def place_part(
    row: NDArray[np.float64],
    parts: NDArray[np.int64],
    first_collider_at: int,
    part: int,
    placement: Placement,
) -> bool:
    """Work out where a collider or decoration is.

    Args:
        row: ``(width,)`` of the area.
        parts: int64 ``(parts, 2)``.
        first_collider_at: column of the first part.
        part: which one.
        placement: gets the result.

    Returns:
        Whether it is there at all.
    """
    body = parts[part, BODY]
    if body != NO_BODY:
        place_collider(row, parts, first_collider_at, part, placement)
        return bool(row[AREA_WIDTH + BODY_WIDTH * body + ENABLED] != 0.0)
    at = first_collider_at + COLLIDER_WIDTH * part
    for axis in range(3):
        placement.centers[part, axis] = row[at + OFFSET + axis]
        placement.halves[part, axis] = row[at + HALF + axis]
    turn = at + TURN
    write_matrix(row[turn], row[turn + 1], row[turn + 2], row[turn + 3], placement.axes, part)
    return True


@compiled
def _camera_axis(
    view: NDArray[np.float64], axis: int, axes: NDArray[np.float64], part: int
) -> tuple[float, float, float]:
    """A vector of the view along the axes of a part."""
    return into_axes(axes, part, view[axis], view[axis + 1], view[axis + 2])


@compiled
def _eye_in(view: NDArray[np.float64], placement: Placement, part: int) -> tuple[float, float, float]:
    """The eye in the frame of a part."""
    centers = placement.centers
    return into_axes(
        placement.axes,
        part,
        view[EYE] - centers[part, 0],
        view[EYE + 1] - centers[part, 1],
        view[EYE + 2] - centers[part, 2],
    )


@compiled
def _enclosing_pixels(
    kind: int, part: int, placement: Placement, view: NDArray[np.float64], width: int, height: int
) -> tuple[int, int, int, int]:
    """Pixels that may show a part: first and end column, first and end row; empty if it is not in sight."""
    if kind == PLANE:
        return 0, width, 0, height
    halves = placement.halves
    ex, ey, ez = _eye_in(view, placement, part)
    rx, ry, rz = _camera_axis(view, RIGHT, placement.axes, part)
    ux, uy, uz = _camera_axis(view, UP, placement.axes, part)
    fx, fy, fz = _camera_axis(view, FORWARD, placement.axes, part)
    low_x, high_x, low_y, high_y = np.inf, -np.inf, np.inf, -np.inf
    nearest, farthest = np.inf, -np.inf
    for corner in range(8):
        x = (halves[part, 0] if corner & 1 else -halves[part, 0]) - ex
        y = (halves[part, 1] if corner & 2 else -halves[part, 1]) - ey
        z = (halves[part, 2] if corner & 4 else -halves[part, 2]) - ez
        depth = fx * x + fy * y + fz * z
        nearest, farthest = min(nearest, depth), max(farthest, depth)
        scale = 1.0 if view[ORTHOGRAPHIC] != 0.0 else max(depth, 1e-9)
        across = (rx * x + ry * y + rz * z) / (scale * view[HALF_WIDTH])
        upwards = (ux * x + uy * y + uz * z) / (scale * view[HALF_HEIGHT])
        low_x, high_x = min(low_x, across), max(high_x, across)
        low_y, high_y = min(low_y, upwards), max(high_y, upwards)
    if farthest < view[NEAR] or nearest > view[FAR]:
        return 0, 0, 0, 0
    if view[ORTHOGRAPHIC] == 0.0 and nearest < 1e-6:  # it reaches behind the eye
        return 0, width, 0, height
    left = _pixel(0.5 * (low_x + 1.0) * width, width)
    right = _pixel(0.5 * (high_x + 1.0) * width + 1.0, width)
    top = _pixel(0.5 * (1.0 - high_y) * height, height)
    bottom = _pixel(0.5 * (1.0 - low_y) * height + 1.0, height)
    return left, right, top, bottom


@compiled
def _pixel(coordinate: float, count: int) -> int:
    return int(min(max(coordinate, 0.0), float(count)))


@compiled
def _draw_part(
    kind: int,
    part: int,
    placement: Placement,
    colors: NDArray[np.float64],
    check: float,
    view: NDArray[np.float64],
    left: int,
    right: int,
    top: int,
    bottom: int,
    depths: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Cast a ray at a part through every pixel of a rectangle."""
    height, width = depths.shape
    axes = placement.axes
    hx, hy, hz = placement.halves[part, 0], placement.halves[part, 1], placement.halves[part, 2]
    ex, ey, ez = _eye_in(view, placement, part)
    rx, ry, rz = _camera_axis(view, RIGHT, axes, part)
    ux, uy, uz = _camera_axis(view, UP, axes, part)
    fx, fy, fz = _camera_axis(view, FORWARD, axes, part)
    lx, ly, lz = _camera_axis(view, TO_LIGHT, axes, part)
    near, ambient, intensity = view[NEAR], view[AMBIENT], view[INTENSITY]
    spread = 1.0 - view[ORTHOGRAPHIC]  # parallel rays differ in their origin, others in their direction
    shift = view[ORTHOGRAPHIC]
    for i in range(top, bottom):
        upwards = (1.0 - (2 * i + 1) / height) * view[HALF_HEIGHT]
        for j in range(left, right):
            across = ((2 * j + 1) / width - 1.0) * view[HALF_WIDTH]
            px = across * rx + upwards * ux
            py = across * ry + upwards * uy
            pz = across * rz + upwards * uz
            ox, oy, oz = ex + shift * px, ey + shift * py, ez + shift * pz
            dx, dy, dz = fx + spread * px, fy + spread * py, fz + spread * pz
            if kind == BOX:
                depth, nx, ny, nz = _enter_box(ox, oy, oz, dx, dy, dz, hx, hy, hz)
            elif kind == SPHERE:
                depth, nx, ny, nz = _enter_sphere(ox, oy, oz, dx, dy, dz, hx)
            elif kind == CAPSULE:
                depth, nx, ny, nz = _enter_capsule(ox, oy, oz, dx, dy, dz, hx, hz)
            elif kind == CYLINDER:
                depth, nx, ny, nz = _enter_cylinder(ox, oy, oz, dx, dy, dz, hx, hz)
            else:
                depth, nx, ny, nz = _enter_plane(oz, dz)
            if not near <= depth < depths[i, j]:
                continue
            depths[i, j] = depth
            light = ambient + intensity * max(0.0, nx * lx + ny * ly + nz * lz)
            color = 0
            if check > 0.0:
                color = _check(ox + depth * dx, oy + depth * dy, oz + depth * dz, check)
            out[i, j, 0] = _to_byte(colors[color, 0] * light)
            out[i, j, 1] = _to_byte(colors[color, 1] * light)
            out[i, j, 2] = _to_byte(colors[color, 2] * light)


@compiled
def _check(x: float, y: float, z: float, size: float) -> int:
    """Colour of a point of a checkered solid; shifted, so that no face of a box lies between two checks."""
    cells = math.floor(x / size + 0.25) + math.floor(y / size + 0.25) + math.floor(z / size + 0.25)
    return int(cells) & 1


# Where a ray enters a shape: depth along the ray, and the unit normal there. The depth is infinite for a
# miss and below zero where the ray starts inside. Directions are of any length.


@compiled
def _enter_box(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, hx: float, hy: float, hz: float
) -> tuple[float, float, float, float]:
    """Slab method (T. L. Kay, J. T. Kajiya, 1986)."""
    near_x, far_x = _slab(ox, dx, hx)
    near_y, far_y = _slab(oy, dy, hy)
    near_z, far_z = _slab(oz, dz, hz)
    enter = max(near_x, near_y, near_z)
    if enter > min(far_x, far_y, far_z):
        return _MISS, 0.0, 0.0, 0.0
    if enter == near_x:
        return enter, -math.copysign(1.0, dx), 0.0, 0.0
    if enter == near_y:
        return enter, 0.0, -math.copysign(1.0, dy), 0.0
    return enter, 0.0, 0.0, -math.copysign(1.0, dz)


@compiled
def _slab(origin: float, direction: float, half: float) -> tuple[float, float]:
    """Where a ray enters and leaves the space between two parallel planes."""
    if abs(direction) < 1e-12:
        return (-np.inf, np.inf) if abs(origin) < half else (np.inf, -np.inf)
    a = (-half - origin) / direction
    b = (half - origin) / direction
    return min(a, b), max(a, b)


@compiled
def _enter_sphere(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, radius: float
) -> tuple[float, float, float, float]:
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    root = b * b - a * (ox * ox + oy * oy + oz * oz - radius * radius)
    if root < 0.0:
        return _MISS, 0.0, 0.0, 0.0
    enter = (-b - math.sqrt(root)) / a
    return enter, (ox + enter * dx) / radius, (oy + enter * dy) / radius, (oz + enter * dz) / radius


@compiled
def _tube(ox: float, oy: float, dx: float, dy: float, radius: float) -> tuple[float, float]:
    """Where a ray enters and leaves an endless cylinder about z."""
    a = dx * dx + dy * dy
    beside = ox * ox + oy * oy - radius * radius
    if a < 1e-18:
        return (-np.inf, np.inf) if beside < 0.0 else (np.inf, -np.inf)
    b = ox * dx + oy * dy
    root = b * b - a * beside
    if root < 0.0:
        return np.inf, -np.inf
    root = math.sqrt(root)
    return (-b - root) / a, (-b + root) / a


@compiled
def _enter_cylinder(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, radius: float, half: float
) -> tuple[float, float, float, float]:
    near_side, far_side = _tube(ox, oy, dx, dy, radius)
    near_cap, far_cap = _slab(oz, dz, half)
    enter = max(near_side, near_cap)
    if enter > min(far_side, far_cap):
        return _MISS, 0.0, 0.0, 0.0
    if near_cap > near_side:
        return enter, 0.0, 0.0, -math.copysign(1.0, dz)
    return enter, (ox + enter * dx) / radius, (oy + enter * dy) / radius, 0.0


@compiled
def _enter_capsule(
    ox: float, oy: float, oz: float, dx: float, dy: float, dz: float, radius: float, half: float
) -> tuple[float, float, float, float]:
    straight = half - radius
    enter, leave = _tube(ox, oy, dx, dy, radius)
    if enter > leave:
        return _MISS, 0.0, 0.0, 0.0
    z = oz + enter * dz
    if abs(z) <= straight:
        return enter, (ox + enter * dx) / radius, (oy + enter * dy) / radius, 0.0
    # Outside the straight part the ray can only enter through the cap that it meets first.
    cap = math.copysign(straight, z) if math.isfinite(z) else math.copysign(straight, -dz)
    return _enter_sphere(ox, oy, oz - cap, dx, dy, dz, radius)


@compiled
def _enter_plane(oz: float, dz: float) -> tuple[float, float, float, float]:
    if oz <= 0.0 or dz >= 0.0:
        return _MISS, 0.0, 0.0, 0.0
    return -oz / dz, 0.0, 0.0, 1.0
