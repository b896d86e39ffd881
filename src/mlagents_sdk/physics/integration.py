"""What happens to the velocity of a free sphere before MuJoCo moves it, and what comes back.

The original changes a velocity in each step by ``v <- (v + dv + g h) (1 - d h)``, with ``dv`` from forces
and ``d`` the drag; then come contacts, then ``x <- x + v h``. MuJoCo adds ``g h`` itself, so here
``v <- (v + dv)(1 - d h) - g d h²``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import rotate_wxyz
from mlagents_sdk.physics.layout import (
    ANGULAR_DRAG,
    AREA_WIDTH,
    BODY_WIDTH,
    DRAG,
    ENABLED,
    GRAVITY,
    MASS,
    MAX_SPIN,
    POSITION,
    PUSH,
    ROTATION,
    SPIN,
    TWIST,
    VELOCITY,
)

MAX_MAGNITUDE = 1e9
"""No number of a healthy area's state is larger; MuJoCo itself gives up at 1e10."""


@compiled
def load_sphere(
    rows: NDArray[np.float64],
    state: NDArray[np.float64],
    scripted: NDArray[np.int64],
    sphere_at: int,
    pose_at: int,
    velocity_at: int,
    timestep: float,
) -> None:
    """Hand poses and the velocity after forces and drag to MuJoCo, and consume the forces.

    Args:
        rows: ``(areas, width)`` numbers of the areas.
        state: ``(areas, state width)`` of MuJoCo, filled.
        scripted: int64 ``(scripted bodies, 3)``: column of the body in ``rows``, and of its position and
            quaternion in ``state``.
        sphere_at: column of the sphere in ``rows``.
        pose_at: column of its position and quaternion in ``state``.
        velocity_at: column of its velocity and own-frame angular velocity in ``state``.
        timestep: seconds.
    """
    for area in range(len(rows)):
        row = rows[area]
        out = state[area]
        for k in range(len(scripted)):
            at = scripted[k, 0]
            for axis in range(3):
                out[scripted[k, 1] + axis] = row[at + POSITION + axis]
            for axis in range(4):
                out[scripted[k, 2] + axis] = row[at + ROTATION + axis]
        for k in range(7):
            out[pose_at + k] = row[sphere_at + POSITION + k]
        keep = max(0.0, 1.0 - row[sphere_at + DRAG] * timestep)
        gravity_loss = (1.0 - keep) * timestep
        for axis in range(3):
            change = row[sphere_at + PUSH + axis]
            before = row[sphere_at + VELOCITY + axis]
            out[velocity_at + axis] = (before + change) * keep - row[GRAVITY + axis] * gravity_loss
            row[sphere_at + PUSH + axis] = 0.0
        _turn_sphere(row, sphere_at, out, velocity_at + 3, timestep)


@compiled
def _turn_sphere(
    row: NDArray[np.float64], at: int, out: NDArray[np.float64], spin_at: int, timestep: float
) -> None:
    """The same for the angular velocity, along the axes of the sphere."""
    wx, wy, wz = row[at + SPIN], row[at + SPIN + 1], row[at + SPIN + 2]
    tx, ty, tz = row[at + TWIST], row[at + TWIST + 1], row[at + TWIST + 2]
    if tx != 0.0 or ty != 0.0 or tz != 0.0:
        turn = at + ROTATION
        tx, ty, tz = rotate_wxyz(row[turn], -row[turn + 1], -row[turn + 2], -row[turn + 3], tx, ty, tz)
        wx, wy, wz = wx + tx, wy + ty, wz + tz
        row[at + TWIST : at + TWIST + 3] = 0.0
    keep = max(0.0, 1.0 - row[at + ANGULAR_DRAG] * timestep)
    speed = math.sqrt(wx * wx + wy * wy + wz * wz) * keep
    if speed > row[at + MAX_SPIN]:
        keep *= row[at + MAX_SPIN] / speed
    out[spin_at] = wx * keep
    out[spin_at + 1] = wy * keep
    out[spin_at + 2] = wz * keep


@compiled
def store_sphere(
    rows: NDArray[np.float64], state: NDArray[np.float64], sphere_at: int, pose_at: int, velocity_at: int
) -> None:
    """Take pose and velocity of the sphere back from MuJoCo; the arguments are those of `load_sphere`."""
    for area in range(len(rows)):
        if rows[area, sphere_at + ENABLED] == 0.0:
            continue
        for k in range(7):
            rows[area, sphere_at + POSITION + k] = state[area, pose_at + k]
        for k in range(6):
            rows[area, sphere_at + VELOCITY + k] = state[area, velocity_at + k]


@compiled
def find_diverged(rows: NDArray[np.float64], bodies: int, diverged: NDArray[np.bool_]) -> int:
    """Mark areas in which a pose, velocity or pending force is NaN, infinite or absurdly large.

    Args:
        rows: ``(areas, width)``.
        bodies: number of bodies in an area.
        diverged: bool ``(areas,)``, set to True where an area diverged and left alone elsewhere.

    Returns:
        Number of areas that diverged.
    """
    count = 0
    for area in range(rows.shape[0]):
        healthy = True
        for body in range(bodies):
            at = AREA_WIDTH + BODY_WIDTH * body
            for column in range(at, at + MASS):
                healthy &= abs(rows[area, column]) <= MAX_MAGNITUDE
        if not healthy:
            diverged[area] = True
            count += 1
    return count
