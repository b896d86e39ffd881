"""The bodies of one area before and after their contacts: velocities, inertia, motion, sleep.

A body at rest costs nothing: when the kinetic energy of a body, per unit of its mass, has been below a
threshold for some time, it falls asleep, as in the original. It wakes when a force or a script acts on it,
when something that moves touches it, and when something that was near it is moved or removed by a script.
Everything is in MuJoCo's frame.

The two kinds of freezing differ, as in the original. An axis about which a body does not turn makes it
infinitely hard to turn. An axis along which it does not move leaves its mass as it is: contacts push it
like a free body, and only then what they would move is dropped. So a light body that is frozen in place
hardly stops a heavy one. Recordings of Pyramids show agents run through a switch in this way.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import product_wxyz, rotate_wxyz, write_matrix
from mlagents_sdk.physics.layout import (
    ANGULAR_DRAG,
    AREA_WIDTH,
    AWAKE_TIME,
    BODY_WIDTH,
    CENTER,
    DRAG,
    ENABLED,
    FROZEN,
    GRAVITY,
    INERTIA,
    KNOWN,
    MASS,
    MAX_SPIN,
    MOTION,
    POSITION,
    PUSH,
    REACH,
    REST,
    ROTATION,
    SPIN,
    TWIST,
    VELOCITY,
)

DYNAMIC = 2
"""Rank of :attr:`~mlagents_sdk.physics.scene.Motion.DYNAMIC`."""

SLEEP_ENERGY = 0.005
"""Kinetic energy per unit of mass below which a body may fall asleep, m²/s²."""

_NEARBY = 0.05  # metres beyond the reach of two bodies within which one rests on the other


class Motions(NamedTuple):
    """Bodies while their contacts are solved; all zeros for those that do not move.

    Attributes:
        motions: ``(bodies, 6)`` velocity of the centre of mass and angular velocity, in the frame of the
            area.
        inverses: ``(bodies, 12)`` inverse mass along x, y, z and inverse inertia; zero for bodies that
            physics does not move now, and about frozen axes.
        centers: ``(bodies, 3)`` centres of mass, metres.
        axes: ``(bodies, 3, 3)`` rotation matrices.
    """

    motions: NDArray[np.float64]
    inverses: NDArray[np.float64]
    centers: NDArray[np.float64]
    axes: NDArray[np.float64]


@compiled
def empty_motions(bodies: int) -> Motions:
    """So many bodies, none of which moves."""
    return Motions(
        np.zeros((bodies, 6)), np.zeros((bodies, 12)), np.zeros((bodies, 3)), np.zeros((bodies, 3, 3))
    )


@compiled
def is_moving(row: NDArray[np.float64], bodies: NDArray[np.int64], body: int) -> bool:
    """Whether physics moves a body in this step."""
    at = AREA_WIDTH + BODY_WIDTH * body
    return bool(bodies[body, MOTION] == DYNAMIC and row[at + ENABLED] != 0.0 and row[at + REST] > 0.0)


@compiled
def wake_disturbed(row: NDArray[np.float64], bodies: NDArray[np.int64]) -> None:
    """Wake bodies on which the program acted, and those near which it moved or removed something."""
    for body in range(len(bodies)):
        at = AREA_WIDTH + BODY_WIDTH * body
        touched = row[at + ENABLED] != row[at + KNOWN + 7]
        for k in range(7):
            touched |= row[at + k] != row[at + KNOWN + k]
        if touched:
            _wake_near(row, bodies, at)
            for k in range(7):
                row[at + KNOWN + k] = row[at + k]
            row[at + KNOWN + 7] = row[at + ENABLED]
        if bodies[body, MOTION] == DYNAMIC and row[at + REST] <= 0.0:
            for k in range(VELOCITY, MASS):
                touched |= row[at + k] != 0.0
        if touched:
            row[at + REST] = AWAKE_TIME


@compiled
def _wake_near(row: NDArray[np.float64], bodies: NDArray[np.int64], at: int) -> None:
    """Wake what may have rested on the body at column ``at``, where it was known to be."""
    for other in range(len(bodies)):
        other_at = AREA_WIDTH + BODY_WIDTH * other
        if bodies[other, MOTION] != DYNAMIC or row[other_at + REST] > 0.0:
            continue
        reach = row[at + REACH] + row[other_at + REACH] + _NEARBY
        square = 0.0
        for axis in range(3):
            square += (row[at + KNOWN + axis] - row[other_at + POSITION + axis]) ** 2
        if square <= reach * reach:
            row[other_at + REST] = AWAKE_TIME


@compiled
def _change_velocity(
    row: NDArray[np.float64],
    at: int,
    frozen: int,
    timestep: float,
    motions: NDArray[np.float64],
    body: int,
) -> None:
    """Apply forces, gravity and drag to one body, into ``motions[body]``, and consume the forces."""
    keep = max(0.0, 1.0 - row[at + DRAG] * timestep)
    for axis in range(3):
        change = row[at + PUSH + axis] + row[GRAVITY + axis] * timestep
        speed = (row[at + VELOCITY + axis] + change) * keep
        motions[body, axis] = 0.0 if frozen >> axis & 1 else speed
        row[at + PUSH + axis] = 0.0
    turn = at + ROTATION
    spin = at + SPIN
    wx, wy, wz = rotate_wxyz(
        row[turn], row[turn + 1], row[turn + 2], row[turn + 3], row[spin], row[spin + 1], row[spin + 2]
    )
    keep = max(0.0, 1.0 - row[at + ANGULAR_DRAG] * timestep)
    square = 0.0
    for axis in range(3):
        turning = wx if axis == 0 else (wy if axis == 1 else wz)
        turning = (turning + row[at + TWIST + axis]) * keep
        row[at + TWIST + axis] = 0.0
        if frozen >> (3 + axis) & 1:
            turning = 0.0
        motions[body, 3 + axis] = turning
        square += turning * turning
    fastest = row[at + MAX_SPIN]
    if square > fastest * fastest:
        share = fastest / math.sqrt(square)
        for axis in range(3):
            motions[body, 3 + axis] *= share


@compiled
def _write_inverses(
    row: NDArray[np.float64],
    at: int,
    frozen: int,
    axes: NDArray[np.float64],
    inverses: NDArray[np.float64],
    body: int,
) -> None:
    """Inverse mass and inverse inertia of a body in the frame of the area, into ``inverses[body]``."""
    inverse_mass = 1.0 / row[at + MASS]
    for axis in range(3):
        inverses[body, axis] = inverse_mass  # also where the position is frozen, see above
    inertia = at + INERTIA
    xx, yy, zz = row[inertia], row[inertia + 1], row[inertia + 2]
    xy, xz, yz = row[inertia + 3], row[inertia + 4], row[inertia + 5]
    for i in range(3):
        # One row of R I, then times the transposed R.
        a = axes[body, i, 0] * xx + axes[body, i, 1] * xy + axes[body, i, 2] * xz
        b = axes[body, i, 0] * xy + axes[body, i, 1] * yy + axes[body, i, 2] * yz
        c = axes[body, i, 0] * xz + axes[body, i, 1] * yz + axes[body, i, 2] * zz
        for j in range(3):
            held = frozen >> (3 + i) & 1 or frozen >> (3 + j) & 1
            moment = a * axes[body, j, 0] + b * axes[body, j, 1] + c * axes[body, j, 2]
            inverses[body, 3 + 3 * i + j] = 0.0 if held else inverse_mass * moment


@compiled
def prepare_body(
    row: NDArray[np.float64], bodies: NDArray[np.int64], body: int, timestep: float, work: Motions
) -> None:
    """Velocity before contacts, centre of mass and inertia of a moving body."""
    at = AREA_WIDTH + BODY_WIDTH * body
    motions, inverses, centers, axes = work.motions, work.inverses, work.centers, work.axes
    frozen = bodies[body, FROZEN]
    _change_velocity(row, at, frozen, timestep, motions, body)
    turn = at + ROTATION
    write_matrix(row[turn], row[turn + 1], row[turn + 2], row[turn + 3], axes, body)
    _write_inverses(row, at, frozen, axes, inverses, body)
    for axis in range(3):
        centers[body, axis] = (
            row[at + POSITION + axis]
            + axes[body, axis, 0] * row[at + CENTER]
            + axes[body, axis, 1] * row[at + CENTER + 1]
            + axes[body, axis, 2] * row[at + CENTER + 2]
        )


@compiled
def move_body(
    row: NDArray[np.float64],
    at: int,
    frozen: int,
    motions: NDArray[np.float64],
    centers: NDArray[np.float64],
    body: int,
    timestep: float,
) -> None:
    """Move a body for one step; the angular velocity is turned into a rotation exactly."""
    turn = at + ROTATION
    w, x, y, z = row[turn], row[turn + 1], row[turn + 2], row[turn + 3]
    speed = math.sqrt(motions[body, 3] ** 2 + motions[body, 4] ** 2 + motions[body, 5] ** 2)
    if speed > 0.0:
        half = 0.5 * speed * timestep
        s = math.sin(half) / speed
        w, x, y, z = product_wxyz(
            math.cos(half), s * motions[body, 3], s * motions[body, 4], s * motions[body, 5], w, x, y, z
        )
        length = math.sqrt(w * w + x * x + y * y + z * z)
        w, x, y, z = w / length, x / length, y / length, z / length
        row[turn], row[turn + 1], row[turn + 2], row[turn + 3] = w, x, y, z
    ox, oy, oz = rotate_wxyz(w, x, y, z, row[at + CENTER], row[at + CENTER + 1], row[at + CENTER + 2])
    for axis in range(3):
        shift = 0.0 if frozen >> axis & 1 else motions[body, axis] * timestep
        offset = ox if axis == 0 else (oy if axis == 1 else oz)
        row[at + POSITION + axis] = centers[body, axis] + shift - offset
    for k in range(7):
        row[at + KNOWN + k] = row[at + k]


@compiled
def write_velocity(
    row: NDArray[np.float64], at: int, frozen: int, motions: NDArray[np.float64], body: int
) -> None:
    """Store what the velocity phase left, the angular velocity along the body's own axes."""
    turn = at + ROTATION
    for axis in range(3):
        row[at + VELOCITY + axis] = 0.0 if frozen >> axis & 1 else motions[body, axis]
    row[at + SPIN], row[at + SPIN + 1], row[at + SPIN + 2] = rotate_wxyz(
        row[turn],
        -row[turn + 1],
        -row[turn + 2],
        -row[turn + 3],
        motions[body, 3],
        motions[body, 4],
        motions[body, 5],
    )


@compiled
def forget_body(work: Motions, body: int) -> None:
    """Make a body one that does not move, as all are at the beginning."""
    for k in range(6):
        work.motions[body, k] = 0.0
    for k in range(12):
        work.inverses[body, k] = 0.0
    for axis in range(3):
        work.centers[body, axis] = 0.0


@compiled
def rest_or_not(row: NDArray[np.float64], at: int, timestep: float) -> None:
    """Count down while a body is slow, and put it to sleep in the end."""
    square = 0.0
    turning = 0.0
    for axis in range(3):
        square += row[at + VELOCITY + axis] ** 2
        turning += row[at + SPIN + axis] ** 2
    inertia = 3.0 / (row[at + INERTIA] + row[at + INERTIA + 1] + row[at + INERTIA + 2])
    if 0.5 * (square + inertia * turning) >= SLEEP_ENERGY:
        row[at + REST] = AWAKE_TIME
        return
    row[at + REST] -= timestep
    if row[at + REST] <= 0.0:
        for k in range(VELOCITY, PUSH):
            row[at + k] = 0.0
