"""What a ray, a moving sphere or a box meets in one area."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.box_contacts import CONTACT_WIDTH, MAX_CONTACTS
from mlagents_sdk.physics.casting import cast_at_shape
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import (
    BOX,
    Placement,
    empty_placement,
    into_axes,
    out_of_axes,
    place_collider,
    write_matrix,
)
from mlagents_sdk.physics.layout import (
    AREA_WIDTH,
    BODY,
    BODY_WIDTH,
    COLLIDER_WIDTH,
    ENABLED,
    KIND,
    LAYERS,
    POSITION,
    RADIUS,
    REACH,
    TAG,
    TRIGGER,
)
from mlagents_sdk.physics.narrow_phase import collide
from mlagents_sdk.physics.surfaces import nearest_surface

TOUCHING = -1e-9
"""Separation above which two colliders touch at most, but do not overlap, metres."""


class Scope(NamedTuple):
    """What a query looks at.

    Attributes:
        layers: bit mask of layers.
        ignored: index of a body that is left out, -1 for none.
        triggers: whether triggers count.
    """

    layers: int
    ignored: int
    triggers: bool


@compiled
def gather_near(
    row: NDArray[np.float64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    x: float,
    y: float,
    z: float,
    reach: float,
    layers: int,
    ignored: int,
    triggers: bool,
    placement: Placement,
    near: NDArray[np.int64],
) -> int:
    """Place the colliders that come within ``reach`` of a point.

    Args:
        row: ``(width,)`` of the area.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        x: of the point, metres.
        y: ditto.
        z: ditto.
        reach: metres.
        layers: bit mask of the layers that count.
        ignored: body that does not count, -1 for none.
        triggers: whether triggers count.
        placement: gets where they are.
        near: int64 ``(colliders,)``, gets their indices in order.

    Returns:
        Their number.
    """
    count = 0
    for collider in range(len(colliders)):
        body = colliders[collider, BODY]
        at = AREA_WIDTH + BODY_WIDTH * body
        if row[at + ENABLED] == 0.0 or body == ignored:
            continue
        dx = row[at + POSITION] - x
        dy = row[at + POSITION + 1] - y
        dz = row[at + POSITION + 2] - z
        farthest = reach + row[at + REACH]
        if dx * dx + dy * dy + dz * dz > farthest * farthest:
            continue
        own = first_collider_at + COLLIDER_WIDTH * collider
        if (not triggers and row[own + TRIGGER] != 0.0) or int(row[own + LAYERS]) & layers == 0:
            continue
        place_collider(row, colliders, first_collider_at, collider, placement)
        dx = placement.centers[collider, 0] - x
        dy = placement.centers[collider, 1] - y
        dz = placement.centers[collider, 2] - z
        farthest = reach + row[own + RADIUS]
        if dx * dx + dy * dy + dz * dz <= farthest * farthest:
            near[count] = collider
            count += 1
    return count


@compiled
def cast_rays(
    row: NDArray[np.float64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    near: NDArray[np.int64],
    count: int,
    placement: Placement,
    rays: NDArray[np.float64],
    results: NDArray[np.float64],
) -> None:
    """Which of the gathered colliders each of several rays or moving spheres hits first.

    Args:
        row: ``(width,)`` of the area.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        near: indices of the colliders, of :func:`gather_near`.
        count: how many of them count.
        placement: where they are.
        rays: ``(rays, 8)``: start (3), direction of unit length (3), radius of the sphere, 0 for a ray,
            and how far it travels, all in metres.
        results: ``(rays, 2)``: distance travelled and index of the collider; filled, the latter with -1
            where nothing was hit.
    """
    centers, axes, halves = placement.centers, placement.axes, placement.halves
    for ray in range(len(rays)):
        x, y, z = rays[ray, 0], rays[ray, 1], rays[ray, 2]
        dx, dy, dz = rays[ray, 3], rays[ray, 4], rays[ray, 5]
        radius = rays[ray, 6]
        best = rays[ray, 7]
        hit = -1
        for k in range(count):
            collider = near[k]
            cx, cy, cz = x - centers[collider, 0], y - centers[collider, 1], z - centers[collider, 2]
            # Farther from the ray than both radii: no need to look closer.
            bound = row[first_collider_at + COLLIDER_WIDTH * collider + RADIUS] + radius
            along = cx * dx + cy * dy + cz * dz
            apart = cx * cx + cy * cy + cz * cz
            if apart - along * along > bound * bound or (along > 0.0 and apart > bound * bound):
                continue
            ou, ov, ow = into_axes(axes, collider, cx, cy, cz)
            du, dv, dw = into_axes(axes, collider, dx, dy, dz)
            distance = cast_at_shape(
                colliders[collider, KIND],
                halves[collider, 0],
                halves[collider, 1],
                halves[collider, 2],
                radius,
                ou,
                ov,
                ow,
                du,
                dv,
                dw,
                best,
            )
            if distance < best or (hit < 0 and distance == best):
                best = distance
                hit = collider
        results[ray, 0] = best
        results[ray, 1] = hit


@compiled
def cast_one(
    rows: NDArray[np.float64],
    area: int,
    colliders: NDArray[np.int64],
    first_collider_at: int,
    start: tuple[float, float, float],
    direction: tuple[float, float, float],
    radius: float,
    limit: float,
    scope: Scope,
    out: NDArray[np.float64],
) -> int:
    """Cast a ray or a sphere.

    Args:
        rows: ``(areas, width)``.
        area: which one.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        start: metres, in MuJoCo's frame.
        direction: of unit length.
        radius: of the sphere, 0 for a ray.
        limit: how far it travels, metres.
        scope: what it can hit.
        out: ``(8,)``, gets distance, point (3), normal (3) and tag.

    Returns:
        Index of the body, -1 when nothing was hit.
    """
    row = rows[area]
    placement = empty_placement(len(colliders))
    near = np.empty(len(colliders), np.int64)
    x, y, z = start
    dx, dy, dz = direction
    layers, ignored, triggers = scope
    count = gather_near(
        row,
        colliders,
        first_collider_at,
        x,
        y,
        z,
        limit + radius,
        layers,
        ignored,
        triggers,
        placement,
        near,
    )
    rays = np.array([[x, y, z, dx, dy, dz, radius, limit]])
    results = np.empty((1, 2))
    cast_rays(row, colliders, first_collider_at, near, count, placement, rays, results)
    distance = results[0, 0]
    hit = int(results[0, 1])
    if hit < 0:
        return -1
    px, py, pz = x + distance * dx, y + distance * dy, z + distance * dz
    centers, axes, halves = placement.centers, placement.axes, placement.halves
    u, v, w = into_axes(axes, hit, px - centers[hit, 0], py - centers[hit, 1], pz - centers[hit, 2])
    kind = colliders[hit, KIND]
    gap, nu, nv, nw = nearest_surface(kind, halves[hit, 0], halves[hit, 1], halves[hit, 2], u, v, w)
    out[4], out[5], out[6] = out_of_axes(axes, hit, nu, nv, nw)
    out[0] = distance
    out[1] = px - gap * out[4]
    out[2] = py - gap * out[5]
    out[3] = pz - gap * out[6]
    out[7] = row[first_collider_at + COLLIDER_WIDTH * hit + TAG]
    return int(colliders[hit, BODY])


@compiled
def overlap_box(
    rows: NDArray[np.float64],
    area: int,
    colliders: NDArray[np.int64],
    first_collider_at: int,
    center: tuple[float, float, float],
    half: tuple[float, float, float],
    rotation: tuple[float, float, float, float],
    scope: Scope,
    wanted_tags: NDArray[np.bool_],
    first_only: bool,
    out: NDArray[np.int64],
) -> int:
    """Which bodies a box overlaps.

    Args:
        rows: ``(areas, width)``.
        area: which one.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        center: of the box, metres, in MuJoCo's frame.
        half: its half extents.
        rotation: ``(w, x, y, z)``.
        scope: what counts.
        wanted_tags: bool ``(tags,)``: which tags count.
        first_only: whether one body is enough.
        out: int64 ``(bodies,)`` or more, gets the bodies in order.

    Returns:
        Their number.
    """
    row = rows[area]
    box = len(colliders)  # its place beside them
    placement = empty_placement(box + 1)
    near = np.empty(box, np.int64)
    found = np.empty((MAX_CONTACTS, CONTACT_WIDTH))
    for axis in range(3):
        placement.centers[box, axis] = center[axis]
        placement.halves[box, axis] = half[axis]
    write_matrix(rotation[0], rotation[1], rotation[2], rotation[3], placement.axes, box)
    reach = math.sqrt(half[0] * half[0] + half[1] * half[1] + half[2] * half[2])
    layers, ignored, triggers = scope
    near_count = gather_near(
        row,
        colliders,
        first_collider_at,
        center[0],
        center[1],
        center[2],
        reach,
        layers,
        ignored,
        triggers,
        placement,
        near,
    )
    count = 0
    for k in range(near_count):
        collider = near[k]
        body = colliders[collider, BODY]
        if count > 0 and out[count - 1] == body:
            continue
        if not wanted_tags[int(row[first_collider_at + COLLIDER_WIDTH * collider + TAG])]:
            continue
        if collide(BOX, box, colliders[collider, KIND], collider, placement, TOUCHING, found) > 0:
            out[count] = body
            count += 1
            if first_only:
                break
    return count
