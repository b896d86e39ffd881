"""What two touching colliders do to each other: the constraints of a patch, out of its contacts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.box_contacts import CONTACT_WIDTH, MAX_CONTACTS
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.layout import (
    BOUNCE_RULE,
    BOUNCINESS,
    DYNAMIC_FRICTION,
    FRICTION_RULE,
    STATIC_FRICTION,
)
from mlagents_sdk.physics.rigid_bodies import Motions
from mlagents_sdk.physics.rigid_solver import (
    ANCHOR_WEIGHT,
    CONSTRAINT_WIDTH,
    CONSTRAINTS_PER_PATCH,
    DYNAMIC_LIMIT,
    PATCH_WIDTH,
    RESPONSE,
    STATIC_LIMIT,
    relative_velocity,
    set_targets,
    write_constraint,
)

_STILL = 1e-5  # m²/s²: slower than this a patch has no direction of sliding


class Patches(NamedTuple):
    """Who touches whom in an area, and how.

    Attributes:
        patches: int64 ``(patches, 4)``, see :func:`~mlagents_sdk.physics.rigid_solver.solve_patches`.
        numbers: ``(patches, 3)``.
        constraints: ``(patches, 8, 19)``.
        found: ``(4, 7)`` contacts of one pair.
    """

    patches: NDArray[np.int64]
    numbers: NDArray[np.float64]
    constraints: NDArray[np.float64]
    found: NDArray[np.float64]


@compiled
def empty_patches(capacity: int) -> Patches:
    """Room for so many patches."""
    return Patches(
        np.empty((capacity, 4), np.int64),
        np.empty((capacity, PATCH_WIDTH)),
        np.empty((capacity, CONSTRAINTS_PER_PATCH, CONSTRAINT_WIDTH)),
        np.empty((MAX_CONTACTS, CONTACT_WIDTH)),
    )


@compiled
def _combine(a: float, b: float, rule: float) -> float:
    """One coefficient out of two; the rules are those of :class:`~mlagents_sdk.physics.materials.Combine`."""
    if rule == 0.0:
        return 0.5 * (a + b)
    if rule == 1.0:
        return min(a, b)
    if rule == 2.0:
        return a * b
    return max(a, b)


@compiled
def _combined_surface(row: NDArray[np.float64], at_a: int, at_b: int) -> tuple[float, float, float]:
    """Static friction, dynamic friction and bounciness of two colliders, by their columns."""
    rule = max(row[at_a + FRICTION_RULE], row[at_b + FRICTION_RULE])
    static = _combine(row[at_a + STATIC_FRICTION], row[at_b + STATIC_FRICTION], rule)
    dynamic = _combine(row[at_a + DYNAMIC_FRICTION], row[at_b + DYNAMIC_FRICTION], rule)
    rule = max(row[at_a + BOUNCE_RULE], row[at_b + BOUNCE_RULE])
    return static, dynamic, _combine(row[at_a + BOUNCINESS], row[at_b + BOUNCINESS], rule)


@compiled
def _farthest_pair(found: NDArray[np.float64], count: int) -> tuple[int, int]:
    """Indices of the two contact points that lie farthest apart."""
    first = 0
    second = 0
    most = -1.0
    for i in range(count):
        for j in range(i + 1, count):
            square = 0.0
            for axis in range(4, 7):
                square += (found[i, axis] - found[j, axis]) ** 2
            if square > most + 1e-9:
                most = square
                first = i
                second = j
    return first, second


@compiled
def _deepest(found: NDArray[np.float64], count: int) -> int:
    """Index of the contact with the least separation."""
    deepest = 0
    for k in range(1, count):
        if found[k, 3] < found[deepest, 3]:
            deepest = k
    return deepest


@compiled
def _tangent(
    nx: float, ny: float, nz: float, motions: NDArray[np.float64], a: int, b: int
) -> tuple[float, float, float]:
    """Unit vector across the normal: along the sliding of ``a`` on ``b``, any one where they are still."""
    vx = motions[a, 0] - motions[b, 0]
    vy = motions[a, 1] - motions[b, 1]
    vz = motions[a, 2] - motions[b, 2]
    speed = vx * nx + vy * ny + vz * nz
    vx -= speed * nx
    vy -= speed * ny
    vz -= speed * nz
    square = vx * vx + vy * vy + vz * vz
    if square < _STILL:
        if abs(nx) < 0.7:
            vx, vy, vz = 0.0, -nz, ny
        else:
            vx, vy, vz = -ny, nx, 0.0
        square = vx * vx + vy * vy + vz * vz
    length = math.sqrt(square)
    return vx / length, vy / length, vz / length


@compiled
def _can_turn(inverses: NDArray[np.float64], body: int) -> bool:
    turning = False
    for k in range(3, 12):
        turning |= inverses[body, k] != 0.0
    return turning


@compiled
def write_patch(
    row: NDArray[np.float64],
    at_a: int,
    at_b: int,
    a: int,
    b: int,
    contacts: int,
    timestep: float,
    work: Motions,
    out: Patches,
    patch: int,
) -> int:
    """Turn the contacts in ``out.found`` into constraints; returns 1, or 0 where nothing can move.

    Args:
        row: ``(width,)`` of the area.
        at_a: column of the one collider.
        at_b: column of the other.
        a: body of the one.
        b: body of the other.
        contacts: how many there are.
        timestep: seconds.
        work: the bodies.
        out: has the contacts and gets the patch.
        patch: its index.
    """
    found, constraints, motions = out.found, out.constraints, work.motions
    static, dynamic, bounciness = _combined_surface(row, at_a, at_b)
    first, second = _farthest_pair(found, contacts)
    normals = contacts
    anchors = min(contacts, 2)
    weight = 1.0
    if not _can_turn(work.inverses, a) and not _can_turn(work.inverses, b):
        # Bodies that cannot turn feel all points alike: the deepest says it all, for both anchors.
        first = _deepest(found, contacts)
        for k in range(CONTACT_WIDTH):
            found[0, k] = found[first, k]
        first = 0
        normals = 1
        weight = float(anchors)
        anchors = 1
    nx, ny, nz = found[0, 0], found[0, 1], found[0, 2]
    for k in range(normals):
        write_constraint(constraints, patch, k, nx, ny, nz, found, k, a, b, work.centers, work.inverses)
        if constraints[patch, k, RESPONSE] <= 0.0:
            return 0
        approach = -relative_velocity(constraints, patch, k, motions, a, b)
        set_targets(constraints, patch, k, found[k, 3], approach, bounciness, timestep)
    if static == 0.0 and dynamic == 0.0:
        anchors = 0
    tx, ty, tz = _tangent(nx, ny, nz, motions, a, b)
    for anchor in range(anchors):
        point = first if anchor == 0 else second
        for direction in range(2):
            write_constraint(
                constraints,
                patch,
                normals + 2 * anchor + direction,
                tx if direction == 0 else ny * tz - nz * ty,
                ty if direction == 0 else nz * tx - nx * tz,
                tz if direction == 0 else nx * ty - ny * tx,
                found,
                point,
                a,
                b,
                work.centers,
                work.inverses,
            )
    out.numbers[patch, STATIC_LIMIT] = static
    out.numbers[patch, DYNAMIC_LIMIT] = dynamic
    out.numbers[patch, ANCHOR_WEIGHT] = weight
    out.patches[patch, 0] = a
    out.patches[patch, 1] = b
    out.patches[patch, 2] = normals
    out.patches[patch, 3] = anchors
    return 1
