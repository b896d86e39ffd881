"""Small steps between the bodies of an area and MuJoCo's joint coordinates, for machine code.

A row of :mod:`mlagents_sdk.physics.layout` says of every body where it is and how fast; MuJoCo knows
roots and joint angles. Vectors are three floats and quaternions ``(w, x, y, z)`` four, all in MuJoCo's
frame.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import product_wxyz, rotate_wxyz
from mlagents_sdk.physics.joints_layout import (
    ANCHOR,
    AXES,
    LINK_AXES,
    LINK_COUNT,
    SOCKET,
    TURNED,
)
from mlagents_sdk.physics.layout import (
    AREA_WIDTH,
    BODY_WIDTH,
    CENTER,
    MOTION,
    POSITION,
    ROTATION,
    SPIN,
    VELOCITY,
)

_DYNAMIC = 2

# Columns of a frame: how a body moves.
FRAME_POSITION = 0  # 3, of the origin
FRAME_ROTATION = 3  # 4
FRAME_VELOCITY = 7  # 3, of the origin
FRAME_SPIN = 10  # 3, along the axes of the area
FRAME_WIDTH = 13


@compiled
def about(axis: NDArray[np.float64], angle: float) -> tuple[float, float, float, float]:
    """Rotation by an angle, rad, about a unit vector ``(3,)``."""
    s = math.sin(0.5 * angle)
    return math.cos(0.5 * angle), s * axis[0], s * axis[1], s * axis[2]


@compiled
def read_frame(
    row: NDArray[np.float64], bodies: NDArray[np.int64], body: int, frame: NDArray[np.float64]
) -> None:
    """How a body moves, into ``frame`` ``(13,)``; the area itself where ``body`` is negative."""
    frame[:] = 0.0
    frame[FRAME_ROTATION] = 1.0
    if body < 0:
        return
    at = AREA_WIDTH + BODY_WIDTH * body
    for k in range(3):
        frame[k] = row[at + POSITION + k]
    w, x, y, z = row[at + ROTATION], row[at + ROTATION + 1], row[at + ROTATION + 2], row[at + ROTATION + 3]
    length = math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w / length, x / length, y / length, z / length
    frame[FRAME_ROTATION] = w
    frame[FRAME_ROTATION + 1] = x
    frame[FRAME_ROTATION + 2] = y
    frame[FRAME_ROTATION + 3] = z
    if bodies[body, MOTION] != _DYNAMIC:
        return
    a, b, c = rotate_wxyz(w, x, y, z, row[at + SPIN], row[at + SPIN + 1], row[at + SPIN + 2])
    cx, cy, cz = rotate_wxyz(w, x, y, z, row[at + CENTER], row[at + CENTER + 1], row[at + CENTER + 2])
    frame[FRAME_SPIN] = a
    frame[FRAME_SPIN + 1] = b
    frame[FRAME_SPIN + 2] = c
    frame[FRAME_VELOCITY] = row[at + VELOCITY] - (b * cz - c * cy)
    frame[FRAME_VELOCITY + 1] = row[at + VELOCITY + 1] - (c * cx - a * cz)
    frame[FRAME_VELOCITY + 2] = row[at + VELOCITY + 2] - (a * cy - b * cx)


@compiled
def write_frame(row: NDArray[np.float64], body: int, frame: NDArray[np.float64]) -> None:
    """Store in the row how a dynamic body moves."""
    at = AREA_WIDTH + BODY_WIDTH * body
    for k in range(7):
        row[at + POSITION + k] = frame[k]
    w, x, y, z = frame[FRAME_ROTATION : FRAME_ROTATION + 4]
    a, b, c = frame[FRAME_SPIN : FRAME_SPIN + 3]
    cx, cy, cz = rotate_wxyz(w, x, y, z, row[at + CENTER], row[at + CENTER + 1], row[at + CENTER + 2])
    row[at + VELOCITY] = frame[FRAME_VELOCITY] + b * cz - c * cy
    row[at + VELOCITY + 1] = frame[FRAME_VELOCITY + 1] + c * cx - a * cz
    row[at + VELOCITY + 2] = frame[FRAME_VELOCITY + 2] + a * cy - b * cx
    row[at + SPIN], row[at + SPIN + 1], row[at + SPIN + 2] = rotate_wxyz(w, -x, -y, -z, a, b, c)


@compiled
def turn_since_start(
    parent: NDArray[np.float64], child: NDArray[np.float64], floats: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Rotation of a child since the beginning, in its own frame then; of two frames ``(13,)``."""
    pw, px, py, pz = parent[FRAME_ROTATION : FRAME_ROTATION + 4]
    cw, cx, cy, cz = child[FRAME_ROTATION : FRAME_ROTATION + 4]
    tw, tx, ty, tz = floats[TURNED : TURNED + 4]
    w, x, y, z = product_wxyz(pw, px, py, pz, tw, tx, ty, tz)
    return product_wxyz(w, -x, -y, -z, cw, cx, cy, cz)


@compiled
def joint_angles(
    w: float, x: float, y: float, z: float, floats: NDArray[np.float64], angles: NDArray[np.float64]
) -> None:
    """Angles about the joint's axes, ``(3,)``, that a turn is made of; for configurable and ball joints."""
    # The joint's z is the negative of u = x × y, because mirrored axes are left-handed. So the turn is
    # X(a) U(-c) Y(b), and its matrix in the basis x, y, u has the first row
    # (cos c cos b, sin c, cos c sin b) and the second column (sin c, cos c cos a, cos c sin a).
    ax, ay, az = floats[AXES : AXES + 3]
    bx, by, bz = floats[AXES + 3 : AXES + 6]
    ux, uy, uz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    xx, xy, xz = rotate_wxyz(w, x, y, z, ax, ay, az)
    yx, yy, yz = rotate_wxyz(w, x, y, z, bx, by, bz)
    vx, vy, vz = rotate_wxyz(w, x, y, z, ux, uy, uz)
    angles[0] = math.atan2(ux * yx + uy * yy + uz * yz, bx * yx + by * yy + bz * yz)
    angles[1] = math.atan2(ax * vx + ay * vy + az * vz, ax * xx + ay * xy + az * xz)
    angles[2] = math.asin(min(1.0, max(-1.0, ax * yx + ay * yy + az * yz)))


@compiled
def joint_directions(
    ints: NDArray[np.int64],
    floats: NDArray[np.float64],
    angles: NDArray[np.float64],
    directions: NDArray[np.float64],
) -> tuple[float, float, float, float]:
    """The turn of a child by its joint's angles, and what each degree of freedom turns it about.

    Args:
        ints: the link.
        floats: its geometry.
        angles: ``(3,)``, by degree of freedom, rad.
        directions: ``(3, 3)``, filled: axes in the frame of the child, by degree of freedom.
    """
    w, x, y, z = 1.0, 0.0, 0.0, 0.0
    for k in range(ints[LINK_COUNT] - 1, -1, -1):
        at = AXES + 3 * ints[LINK_AXES + k]
        axis = floats[at : at + 3]
        # What comes after this axis, seen from the child, has turned it back.
        dx, dy, dz = rotate_wxyz(w, -x, -y, -z, axis[0], axis[1], axis[2])
        directions[k, 0], directions[k, 1], directions[k, 2] = dx, dy, dz
        aw, ax, ay, az = about(axis, angles[k])
        w, x, y, z = product_wxyz(aw, ax, ay, az, w, x, y, z)
    return w, x, y, z


@compiled
def hang(
    floats: NDArray[np.float64],
    parent: NDArray[np.float64],
    turn: tuple[float, float, float, float],
    slide: float,
    child: NDArray[np.float64],
) -> None:
    """Place a child that its joint turned and moved, without its velocities.

    Args:
        floats: geometry of the link.
        parent: frame of the parent.
        turn: since the beginning, in the frame of the child then.
        slide: along the joint's x axis, metres.
        child: its frame, changed in place.
    """
    pw, px, py, pz = parent[FRAME_ROTATION : FRAME_ROTATION + 4]
    tw, tx, ty, tz = floats[TURNED : TURNED + 4]
    w, x, y, z = product_wxyz(pw, px, py, pz, tw, tx, ty, tz)
    sx, sy, sz = rotate_wxyz(pw, px, py, pz, floats[SOCKET], floats[SOCKET + 1], floats[SOCKET + 2])
    if slide != 0.0:
        dx, dy, dz = rotate_wxyz(w, x, y, z, floats[AXES], floats[AXES + 1], floats[AXES + 2])
        sx, sy, sz = sx + slide * dx, sy + slide * dy, sz + slide * dz
    w, x, y, z = product_wxyz(w, x, y, z, turn[0], turn[1], turn[2], turn[3])
    length = math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w / length, x / length, y / length, z / length
    ax, ay, az = rotate_wxyz(w, x, y, z, floats[ANCHOR], floats[ANCHOR + 1], floats[ANCHOR + 2])
    child[0] = parent[0] + sx - ax
    child[1] = parent[1] + sy - ay
    child[2] = parent[2] + sz - az
    child[FRAME_ROTATION] = w
    child[FRAME_ROTATION + 1] = x
    child[FRAME_ROTATION + 2] = y
    child[FRAME_ROTATION + 3] = z


@compiled
def carried(frame: NDArray[np.float64], x: float, y: float, z: float) -> tuple[float, float, float]:
    """Velocity of a point that moves with a frame."""
    dx, dy, dz = x - frame[FRAME_POSITION], y - frame[FRAME_POSITION + 1], z - frame[FRAME_POSITION + 2]
    a, b, c = frame[FRAME_SPIN : FRAME_SPIN + 3]
    return (
        frame[FRAME_VELOCITY] + b * dz - c * dy,
        frame[FRAME_VELOCITY + 1] + c * dx - a * dz,
        frame[FRAME_VELOCITY + 2] + a * dy - b * dx,
    )
