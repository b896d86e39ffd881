"""Where two colliders of any geometry touch.

Contacts are rows as in :mod:`mlagents_sdk.physics.box_contacts`: the normal points from ``b`` to ``a``, and
the point lies on the surface of ``b``. Round shapes are points or segments with a radius: the nearest point
of the other collider decides. Everything is in MuJoCo's frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.box_contacts import CONTACT_WIDTH, MAX_CONTACTS, collide_boxes
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import (
    BOX,
    CAPSULE,
    CYLINDER,
    PLANE,
    SPHERE,
    Placement,
    into_axes,
    out_of_axes,
)
from mlagents_sdk.physics.surfaces import nearest_surface

_SEARCH_ROUNDS = 40  # of a golden-section search: narrows a segment to 4e-9 of its length
_GOLDEN = 0.6180339887498949
_FLAT = 0.05  # cosine below which a capsule counts as lying along a surface


@compiled
def collide(
    kind_a: int,
    a: int,
    kind_b: int,
    b: int,
    placement: Placement,
    margin: float,
    out: NDArray[np.float64],
) -> int:
    """Contacts of two placed colliders.

    Args:
        kind_a: geometry of one.
        a: its index in the placement.
        kind_b: geometry of the other.
        b: its index.
        placement: where they are.
        margin: separation above which nothing is reported, metres.
        out: ``(4, 7)``, gets the contacts.

    Returns:
        Number of contacts; 0 as well for pairs of planes and cylinders, which never move.
    """
    if kind_a == BOX and kind_b == BOX:
        return collide_boxes(a, b, placement, margin, out)
    if kind_b == SPHERE or (kind_b == CAPSULE and kind_a != SPHERE) or kind_a >= CYLINDER:
        # The rounder one goes first.
        count = _collide_round(kind_b, b, kind_a, a, placement, margin, out)
        for k in range(count):
            _turn_around(out, k)
        return count
    return _collide_round(kind_a, a, kind_b, b, placement, margin, out)


@compiled
def _turn_around(out: NDArray[np.float64], k: int) -> None:
    """Swap the roles of both colliders in a contact."""
    for axis in range(3):
        out[k, 4 + axis] += out[k, 3] * out[k, axis]
        out[k, axis] = -out[k, axis]


@compiled
def _collide_round(
    kind_a: int, a: int, kind_b: int, b: int, placement: Placement, margin: float, out: NDArray[np.float64]
) -> int:
    """Contacts of a sphere, capsule or box ``a`` with any ``b`` that is not rounder."""
    centers = placement.centers
    if kind_a == SPHERE:
        radius = placement.halves[a, 0]
        return _point_contact(
            centers[a, 0], centers[a, 1], centers[a, 2], radius, kind_b, b, placement, margin, out, 0
        )
    if kind_a == CAPSULE:
        return _capsule_contacts(a, kind_b, b, placement, margin, out)
    if kind_a == BOX and kind_b == PLANE:
        return _corner_contacts(a, kind_b, b, placement, margin, out)
    if kind_a == BOX and kind_b == CYLINDER:
        count = _corner_contacts(a, kind_b, b, placement, margin, out)
        return count if count > 0 else _box_on_side(a, b, placement, margin, out)
    return 0


@compiled
def _point_contact(
    x: float,
    y: float,
    z: float,
    radius: float,
    kind: int,
    other: int,
    placement: Placement,
    margin: float,
    out: NDArray[np.float64],
    at: int,
) -> int:
    """The contact of a sphere with any collider, written to ``out[at]``; returns 0 or 1."""
    centers, halves = placement.centers, placement.halves
    u, v, w = into_axes(
        placement.axes, other, x - centers[other, 0], y - centers[other, 1], z - centers[other, 2]
    )
    distance, nu, nv, nw = nearest_surface(
        kind, halves[other, 0], halves[other, 1], halves[other, 2], u, v, w
    )
    if distance - radius > margin:
        return 0
    nx, ny, nz = out_of_axes(placement.axes, other, nu, nv, nw)
    out[at, 0] = nx
    out[at, 1] = ny
    out[at, 2] = nz
    out[at, 3] = distance - radius
    out[at, 4] = x - distance * nx
    out[at, 5] = y - distance * ny
    out[at, 6] = z - distance * nz
    return 1


@compiled
def _capsule_contacts(
    a: int, kind: int, other: int, placement: Placement, margin: float, out: NDArray[np.float64]
) -> int:
    """Contacts of a capsule: at its two ends, or where the segment between them comes nearest."""
    centers, axes = placement.centers, placement.axes
    radius = placement.halves[a, 0]
    straight = placement.halves[a, 2] - radius
    x, y, z = centers[a, 0], centers[a, 1], centers[a, 2]
    lx, ly, lz = axes[a, 0, 2], axes[a, 1, 2], axes[a, 2, 2]
    nearest = _nearest_along(a, straight, kind, other, placement)
    count = _point_contact(
        x + nearest * lx,
        y + nearest * ly,
        z + nearest * lz,
        radius,
        kind,
        other,
        placement,
        margin,
        out,
        0,
    )
    if count == 0 or abs(out[0, 0] * lx + out[0, 1] * ly + out[0, 2] * lz) > _FLAT or straight <= 0.0:
        return count
    # One that lies flat rests on two points.
    flat = 0
    for end in (-straight, straight):
        flat += _point_contact(
            x + end * lx,
            y + end * ly,
            z + end * lz,
            radius,
            kind,
            other,
            placement,
            margin,
            out,
            1 + flat,
        )
    if flat < 2:
        return 1
    for k in range(CONTACT_WIDTH):
        out[0, k] = out[2, k]
    return 2


@compiled
def _nearest_along(a: int, straight: float, kind: int, other: int, placement: Placement) -> float:
    """Place along the third axis of ``a`` where it comes nearest to a convex collider, from its centre.

    The distance to a convex solid is a convex function along a line, so a golden-section search finds it.
    """
    low = -straight
    high = straight
    for _ in range(_SEARCH_ROUNDS):
        left = high - _GOLDEN * (high - low)
        right = low + _GOLDEN * (high - low)
        if _distance_along(a, left, kind, other, placement) <= _distance_along(
            a, right, kind, other, placement
        ):
            high = right
        else:
            low = left
    return 0.5 * (low + high)


@compiled
def _distance_along(a: int, along: float, kind: int, other: int, placement: Placement) -> float:
    centers, axes, halves = placement.centers, placement.axes, placement.halves
    u, v, w = into_axes(
        axes,
        other,
        centers[a, 0] + along * axes[a, 0, 2] - centers[other, 0],
        centers[a, 1] + along * axes[a, 1, 2] - centers[other, 1],
        centers[a, 2] + along * axes[a, 2, 2] - centers[other, 2],
    )
    return nearest_surface(kind, halves[other, 0], halves[other, 1], halves[other, 2], u, v, w)[0]


@compiled
def _corner_contacts(
    box: int, kind: int, other: int, placement: Placement, margin: float, out: NDArray[np.float64]
) -> int:
    """The deepest four contacts of a box's corners with a plane or a cylinder."""
    centers, axes, halves = placement.centers, placement.axes, placement.halves
    found = np.empty((MAX_CONTACTS + 1, CONTACT_WIDTH))
    count = 0
    for corner in range(8):
        s0 = halves[box, 0] if corner & 1 else -halves[box, 0]
        s1 = halves[box, 1] if corner & 2 else -halves[box, 1]
        s2 = halves[box, 2] if corner & 4 else -halves[box, 2]
        x = centers[box, 0] + s0 * axes[box, 0, 0] + s1 * axes[box, 0, 1] + s2 * axes[box, 0, 2]
        y = centers[box, 1] + s0 * axes[box, 1, 0] + s1 * axes[box, 1, 1] + s2 * axes[box, 1, 2]
        z = centers[box, 2] + s0 * axes[box, 2, 0] + s1 * axes[box, 2, 1] + s2 * axes[box, 2, 2]
        if _point_contact(x, y, z, 0.0, kind, other, placement, margin, found, count) == 0:
            continue
        # Insertion, deepest first; the fifth falls off.
        k = count
        while k > 0 and found[k, 3] < found[k - 1, 3] - 1e-12:
            for m in range(CONTACT_WIDTH):
                found[k, m], found[k - 1, m] = found[k - 1, m], found[k, m]
            k -= 1
        count = min(count + 1, MAX_CONTACTS)
    for k in range(count):
        for m in range(CONTACT_WIDTH):
            out[k, m] = found[k, m]
    return count


@compiled
def _box_on_side(
    box: int, cylinder: int, placement: Placement, margin: float, out: NDArray[np.float64]
) -> int:
    """The contact of a box with the side of a cylinder that none of its corners reaches."""
    centers, axes = placement.centers, placement.axes
    nearest = _nearest_along(cylinder, placement.halves[cylinder, 2], BOX, box, placement)
    found = _point_contact(
        centers[cylinder, 0] + nearest * axes[cylinder, 0, 2],
        centers[cylinder, 1] + nearest * axes[cylinder, 1, 2],
        centers[cylinder, 2] + nearest * axes[cylinder, 2, 2],
        placement.halves[cylinder, 0],
        BOX,
        box,
        placement,
        margin,
        out,
        0,
    )
    if found:
        _turn_around(out, 0)
    return found
