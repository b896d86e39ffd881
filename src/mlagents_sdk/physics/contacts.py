"""Contacts of dynamic spheres with colliders that physics does not move, resolved as in the original.

MuJoCo's contacts are springs in the plane of accelerations: what pushes a body out of a collider also
gives it velocity. Where a script turns a platform into a ball resting on it, step after step, the ball
would be thrown up. The original solves each step twice instead: with the position error, to find where
bodies go, and without it, to find how fast they then are. For a sphere that is a few lines in closed
form, below; MuJoCo finds the contacts and moves the bodies.

For one contact with separation ``s`` (negative in penetration) and normal ``n`` pointing to the sphere,
per step ``h``, after gravity and drag changed the velocity:

1. The normal velocity is raised to ``-0.8 s / h`` where it is lower: 80 % of a penetration is closed
   in one step, and a gap closes by at most 80 % in one step. Where the approach is faster than the
   bounce threshold, it is raised to bounciness times approach speed instead.
2. Friction cancels the velocity of the contact point, at ``r = -(R + s) n`` from the centre, as far as
   the Coulomb limit of the normal impulse allows.
3. With these velocities the body moves.
4. Both are repeated with target 0 for penetrating contacts, starting from the impulses so far, which
   may shrink: that gives the velocity that the body keeps.

The constants were confirmed against two recordings of the original (``docs/fidelity-3dball.md``).
Everything here is in MuJoCo's frame.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import rotate_wxyz
from mlagents_sdk.physics.layout import ENABLED

CONTACT_OFFSET = 0.02
"""Separation below which two colliders interact, metres: the original's 0.01 of each."""

BOUNCE_THRESHOLD = 2.0
"""Approach speed below which nothing bounces, m/s."""

SEPARATION_SHARE = 0.8
"""Share of the separation that one step may close."""

MAX_DEPENETRATION_SPEED = 10.0
"""Upper limit of the speed at which a penetration is closed, m/s."""

_ITERATIONS = 6  # of the original's solver; one is exact where a sphere has a single contact
_SPHERE_INERTIA = 0.4  # of a solid sphere of unit mass and radius


@compiled
def _solve_contact(
    motion: NDArray[np.float64],
    contact: NDArray[np.float64],
    target: float,
) -> None:
    """One normal and one friction impulse of a contact, added to what it has so far.

    Args:
        motion: ``(6,)`` velocity and angular velocity of the sphere, changed in place.
        contact: ``(13,)``, laid out by :func:`_gather`; its impulses are changed in place.
        target: normal velocity to reach at least, m/s.
    """
    vx, vy, vz, wx, wy, wz = motion
    nx, ny, nz, arm, inertia, static, dynamic = contact[:7]
    pushed = contact[7]
    impulse = max(0.0, pushed + target - (vx * nx + vy * ny + vz * nz))
    change = impulse - pushed
    vx += change * nx
    vy += change * ny
    vz += change * nz
    # Velocity of the contact point: v + w × r with r = -arm n.
    ux = vx - arm * (wy * nz - wz * ny)
    uy = vy - arm * (wz * nx - wx * nz)
    uz = vz - arm * (wx * ny - wy * nx)
    along = ux * nx + uy * ny + uz * nz
    share = 1.0 / (1.0 + arm * arm / inertia)
    jx = contact[8] - share * (ux - along * nx)
    jy = contact[9] - share * (uy - along * ny)
    jz = contact[10] - share * (uz - along * nz)
    size = math.sqrt(jx * jx + jy * jy + jz * jz)
    if size > static * impulse:
        scale = dynamic * impulse / size
        jx *= scale
        jy *= scale
        jz *= scale
    dx = jx - contact[8]
    dy = jy - contact[9]
    dz = jz - contact[10]
    motion[0] = vx + dx
    motion[1] = vy + dy
    motion[2] = vz + dz
    motion[3] = wx - arm * (ny * dz - nz * dy) / inertia
    motion[4] = wy - arm * (nz * dx - nx * dz) / inertia
    motion[5] = wz - arm * (nx * dy - ny * dx) / inertia
    contact[7] = impulse
    contact[8] = jx
    contact[9] = jy
    contact[10] = jz


@compiled
def _gather(
    active: NDArray[np.float64],
    motion: NDArray[np.float64],
    report: NDArray[np.float64],
    numbers: NDArray[np.float64],
    other_enabled_at: NDArray[np.int64],
    surfaces: NDArray[np.float64],
    radius: float,
    timestep: float,
) -> int:
    """Fill ``active`` with the contacts that MuJoCo reports for one sphere; returns their number.

    Columns of ``active``: normal (3), arm, inertia, static and dynamic friction, normal impulse,
    friction impulse (3), separation, position target, velocity target; impulses per unit of mass.
    """
    count = 0
    for k in range(surfaces.shape[0]):
        found, separation, nx, ny, nz = report[5 * k : 5 * k + 5]
        if found <= 0.0 or separation >= CONTACT_OFFSET or numbers[other_enabled_at[k]] == 0.0:
            continue
        contact = active[count]
        count += 1
        approach = -(motion[0] * nx + motion[1] * ny + motion[2] * nz)
        closing = -SEPARATION_SHARE * separation / timestep
        contact[0] = nx
        contact[1] = ny
        contact[2] = nz
        contact[3] = radius + separation
        contact[4] = _SPHERE_INERTIA * radius * radius
        contact[5] = surfaces[k, 0]
        contact[6] = surfaces[k, 1]
        contact[7:11] = 0.0
        bounciness = surfaces[k, 2]
        if bounciness > 0.0 and approach > BOUNCE_THRESHOLD and approach * timestep > separation:
            contact[11] = bounciness * approach
            contact[12] = bounciness * approach
        else:
            contact[11] = min(closing, MAX_DEPENETRATION_SPEED)
            contact[12] = min(closing, 0.0)
    return count


@compiled
def _displace(row: NDArray[np.float64], at: int, shift: NDArray[np.float64]) -> None:
    """Move the pose at ``row[at : at + 7]`` by ``shift`` (6,): metres, and radians in the world frame."""
    row[at] += shift[0]
    row[at + 1] += shift[1]
    row[at + 2] += shift[2]
    a = 0.5 * shift[3]
    b = 0.5 * shift[4]
    c = 0.5 * shift[5]
    w, x, y, z = row[at + 3 : at + 7]
    nw = w - a * x - b * y - c * z
    nx = x + a * w + b * z - c * y
    ny = y + b * w + c * x - a * z
    nz = z + c * w + a * y - b * x
    norm = math.sqrt(nw * nw + nx * nx + ny * ny + nz * nz)
    row[at + 3] = nw / norm
    row[at + 4] = nx / norm
    row[at + 5] = ny / norm
    row[at + 6] = nz / norm


@compiled
def resolve_sphere_contacts(
    rows: NDArray[np.float64],
    state: NDArray[np.float64],
    reports: NDArray[np.float64],
    other_enabled_at: NDArray[np.int64],
    sphere_at: int,
    pose_at: int,
    velocity_at: int,
    surfaces: NDArray[np.float64],
    radius: NDArray[np.float64],
    timestep: float,
) -> None:
    """Correct the sphere of each area after MuJoCo moved it freely through one step.

    Args:
        rows: ``(areas, width)`` numbers of the areas, for what is enabled.
        state: ``(areas, state width)`` of MuJoCo, corrected in place.
        reports: ``(areas, 5 contacts)``: found, separation and normal of each possible contact, measured
            before the step.
        other_enabled_at: int64 ``(contacts,)``, column in ``rows`` that tells whether the other is there.
        sphere_at: column of the sphere in ``rows``.
        pose_at: column of its position and quaternion in ``state``.
        velocity_at: column of its velocity and own-frame angular velocity in ``state``.
        surfaces: ``(areas, contacts, 3)``: static friction, dynamic friction, bounciness.
        radius: ``(areas, 1)``, metres.
        timestep: seconds.
    """
    active = np.empty((surfaces.shape[1], 13))
    free = np.empty(6)
    motion = np.empty(6)
    for area in range(state.shape[0]):
        if rows[area, sphere_at + ENABLED] == 0.0:
            continue
        row = state[area]
        w, x, y, z = row[pose_at + 3 : pose_at + 7]
        wa, wb, wc = row[velocity_at + 3 : velocity_at + 6]
        free[:3] = row[velocity_at : velocity_at + 3]
        free[3], free[4], free[5] = rotate_wxyz(w, x, y, z, wa, wb, wc)
        count = _gather(
            active,
            free,
            reports[area],
            rows[area],
            other_enabled_at,
            surfaces[area],
            radius[area, 0],
            timestep,
        )
        if count == 0:
            continue
        motion[:] = free
        for _ in range(1 if count == 1 else _ITERATIONS):
            for k in range(count):
                _solve_contact(motion, active[k], active[k, 11])
        free[:] = (motion - free) * timestep
        _displace(row, pose_at, free)
        for k in range(count):
            _solve_contact(motion, active[k], active[k, 12])
        row[velocity_at : velocity_at + 3] = motion[:3]
        w, x, y, z = row[pose_at + 3 : pose_at + 7]
        wa, wb, wc = rotate_wxyz(w, -x, -y, -z, motion[3], motion[4], motion[5])
        row[velocity_at + 3] = wa
        row[velocity_at + 4] = wb
        row[velocity_at + 5] = wc
