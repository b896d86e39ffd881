"""Works out from MuJoCo's joint coordinates how bodies move, and keeps momentum, for machine code.

In joint coordinates the same velocities mean another momentum at the place to which a step moves the
bodies; that forces of inertia make up for it leaves an error of second order in each step. So after each
step a tree of links without a fixed root is given, as a whole, the small motion with which its linear and
angular momentum are exactly what they were before, and what gravity, contacts and the program added.
Everything is in MuJoCo's frame.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.articulation_frames import (
    FRAME_ROTATION,
    FRAME_SPIN,
    FRAME_VELOCITY,
    FRAME_WIDTH,
    carried,
    hang,
    joint_directions,
    read_frame,
)
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import rotate_wxyz
from mlagents_sdk.physics.joints import JointKind
from mlagents_sdk.physics.joints_layout import (
    ANCHOR,
    AXES,
    FREE,
    LINK_BODY,
    LINK_COUNT,
    LINK_DOF,
    LINK_KIND,
    LINK_MUJOCO,
    LINK_PARENT,
    LINK_QPOS,
    LINK_TREE,
    LINK_UPPER,
)
from mlagents_sdk.physics.layout import (
    AREA_WIDTH,
    BODY_WIDTH,
    CENTER,
    FROZEN,
    GRAVITY,
    INERTIA,
    MASS,
    MAX_SPIN,
)

_SLIDER = int(JointKind.SLIDER)
_BALL = int(JointKind.BALL)

# Columns of a momentum.
_MASS = 0
_LINEAR = 1  # 3
_ANGULAR = 4  # 3, about the origin of the area
_CENTER = 7  # 3, times the mass
_INERTIA = 10  # 6, about the origin: xx, yy, zz, xy, xz, yz
_MOMENTUM_WIDTH = 16


@compiled
def trace_link(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    links: NDArray[np.int64],
    geometry: NDArray[np.float64],
    link: int,
    fastest: float,
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
    frames: NDArray[np.float64],
) -> None:
    """How one link moves, into ``frames[link]``.

    Args:
        row: ``(width,)`` of the area, for parents that are not dynamic.
        bodies: int64 ``(bodies, 4)``.
        links: int64 ``(links, 13)``.
        geometry: ``(links, 25)``.
        link: which one; its parent's frame is known already.
        fastest: rad/s; its joint, or if it is a root it itself, is slowed down to turn no faster.
        qpos: MuJoCo's coordinates.
        qvel: MuJoCo's velocities.
        frames: ``(links, 13)``.
    """
    ints, child = links[link], frames[link]
    at, dof = ints[LINK_QPOS], ints[LINK_DOF]
    if ints[LINK_KIND] == FREE:
        speed = math.sqrt(qvel[dof + 3] ** 2 + qvel[dof + 4] ** 2 + qvel[dof + 5] ** 2)
        if speed > fastest:
            for k in range(3, 6):
                qvel[dof + k] *= fastest / speed
        for k in range(7):
            child[k] = qpos[at + k]
        for k in range(3):
            child[FRAME_VELOCITY + k] = qvel[dof + k]
        child[FRAME_SPIN], child[FRAME_SPIN + 1], child[FRAME_SPIN + 2] = rotate_wxyz(
            child[3], child[4], child[5], child[6], qvel[dof + 3], qvel[dof + 4], qvel[dof + 5]
        )
        return
    if ints[LINK_UPPER] >= 0:
        _trace_child(ints, geometry[link], frames[ints[LINK_UPPER]], fastest, qpos, qvel, child)
    else:
        parent = np.empty(FRAME_WIDTH)
        read_frame(row, bodies, ints[LINK_PARENT], parent)
        _trace_child(ints, geometry[link], parent, fastest, qpos, qvel, child)


@compiled
def _trace_child(
    ints: NDArray[np.int64],
    floats: NDArray[np.float64],
    parent: NDArray[np.float64],
    fastest: float,
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
    child: NDArray[np.float64],
) -> None:
    at, dof, count, kind = ints[LINK_QPOS], ints[LINK_DOF], ints[LINK_COUNT], ints[LINK_KIND]
    turn = (1.0, 0.0, 0.0, 0.0)
    slide, rate, a, b, c = 0.0, 0.0, 0.0, 0.0, 0.0
    if count > 0 and kind == _SLIDER:
        slide, rate = qpos[at], qvel[dof]
    elif kind == _BALL:
        turn = (qpos[at], qpos[at + 1], qpos[at + 2], qpos[at + 3])
        a, b, c = qvel[dof], qvel[dof + 1], qvel[dof + 2]
    elif count > 0:
        directions = np.empty((3, 3))
        turn = joint_directions(ints, floats, qpos[at : at + count], directions)
        for k in range(count):
            a += qvel[dof + k] * directions[k, 0]
            b += qvel[dof + k] * directions[k, 1]
            c += qvel[dof + k] * directions[k, 2]
    hang(floats, parent, turn, slide, child)
    w, x, y, z = child[FRAME_ROTATION : FRAME_ROTATION + 4]
    a, b, c = rotate_wxyz(w, x, y, z, a, b, c)
    share = _share_within(parent[FRAME_SPIN : FRAME_SPIN + 3], a, b, c, fastest)
    if share < 1.0:
        a, b, c = share * a, share * b, share * c
        for k in range(count):
            qvel[dof + k] *= share
    ax, ay, az = rotate_wxyz(w, x, y, z, floats[ANCHOR], floats[ANCHOR + 1], floats[ANCHOR + 2])
    dx, dy, dz = rotate_wxyz(w, x, y, z, floats[AXES], floats[AXES + 1], floats[AXES + 2])
    vx, vy, vz = carried(parent, child[0] + ax, child[1] + ay, child[2] + az)
    a, b, c = a + parent[FRAME_SPIN], b + parent[FRAME_SPIN + 1], c + parent[FRAME_SPIN + 2]
    child[FRAME_SPIN], child[FRAME_SPIN + 1], child[FRAME_SPIN + 2] = a, b, c
    child[FRAME_VELOCITY] = vx + rate * dx - (b * az - c * ay)
    child[FRAME_VELOCITY + 1] = vy + rate * dy - (c * ax - a * az)
    child[FRAME_VELOCITY + 2] = vz + rate * dz - (a * ay - b * ax)


@compiled
def _share_within(base: NDArray[np.float64], a: float, b: float, c: float, fastest: float) -> float:
    """Largest share of (a, b, c), at most 1, that added to ``base`` is not longer than ``fastest``."""
    along: float = base[0] * a + base[1] * b + base[2] * c
    square = a * a + b * b + c * c
    own = base[0] ** 2 + base[1] ** 2 + base[2] ** 2
    if square == 0.0 or own + 2.0 * along + square <= fastest * fastest:
        return 1.0
    inside = along * along + square * (fastest * fastest - own)
    if inside <= 0.0:
        return 0.0
    return min(1.0, max(0.0, (math.sqrt(inside) - along) / square))


@compiled
def settle(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    links: NDArray[np.int64],
    geometry: NDArray[np.float64],
    pushes: NDArray[np.float64],
    contacts: NDArray[np.float64],
    timestep: float,
    old_qpos: NDArray[np.float64],
    old_qvel: NDArray[np.float64],
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
) -> None:
    """Slow down what turns too fast, and correct the momentum of trees that are free to move.

    Joints that turn a child too fast are slowed down without a change of momentum; then a root that turns
    too fast is, with the whole tree, without a change of linear momentum.

    Args:
        row: ``(width,)`` of the area.
        bodies: int64 ``(bodies, 4)``.
        links: int64 ``(links, 13)``.
        geometry: ``(links, 25)``.
        pushes: ``(MuJoCo's bodies, 6)``: force and torque on the centre of mass, N and N m.
        contacts: ``(dofs,)``: what MuJoCo's constraints did along each degree of freedom, N or N m.
        timestep: of MuJoCo, seconds.
        old_qpos: MuJoCo's coordinates before the step.
        old_qvel: its velocities before the step.
        qpos: its coordinates now.
        qvel: its velocities now, changed in place.
    """
    frames = np.empty((len(links), FRAME_WIDTH))
    old = np.zeros((len(links), _MOMENTUM_WIDTH))
    new = np.zeros((len(links), _MOMENTUM_WIDTH))
    loose = np.zeros(len(links), np.bool_)  # by tree
    for link in range(len(links)):
        ints = links[link]
        tree = ints[LINK_TREE]
        if ints[LINK_KIND] == FREE:
            loose[tree] = bodies[ints[LINK_BODY], FROZEN] == 0
        if loose[tree]:
            trace_link(row, bodies, links, geometry, link, np.inf, old_qpos, old_qvel, frames)
            _add_momentum(row, ints[LINK_BODY], frames[link], old[tree])
            _add_impulse(row, ints, frames[link], pushes[ints[LINK_MUJOCO]], contacts, timestep, old[tree])
    for link in range(len(links)):
        ints = links[link]
        tree = ints[LINK_TREE]
        fastest = row[AREA_WIDTH + BODY_WIDTH * ints[LINK_BODY] + MAX_SPIN]
        if loose[tree] and ints[LINK_KIND] == FREE:
            fastest = np.inf
        trace_link(row, bodies, links, geometry, link, fastest, qpos, qvel, frames)
        if loose[tree]:
            _add_momentum(row, ints[LINK_BODY], frames[link], new[tree])
    for link in range(len(links)):
        ints = links[link]
        tree = ints[LINK_TREE]
        if ints[LINK_KIND] == FREE and loose[tree]:
            fastest = row[AREA_WIDTH + BODY_WIDTH * ints[LINK_BODY] + MAX_SPIN]
            _move_tree(old[tree], new[tree], frames[link], fastest, qvel[ints[LINK_DOF] :])


@compiled
def _add_momentum(
    row: NDArray[np.float64], body: int, frame: NDArray[np.float64], total: NDArray[np.float64]
) -> None:
    """Add what one body has to the momentum of its tree."""
    at = AREA_WIDTH + BODY_WIDTH * body
    mass = row[at + MASS]
    w, x, y, z = frame[FRAME_ROTATION : FRAME_ROTATION + 4]
    ox, oy, oz = rotate_wxyz(w, x, y, z, row[at + CENTER], row[at + CENTER + 1], row[at + CENTER + 2])
    cx, cy, cz = frame[0] + ox, frame[1] + oy, frame[2] + oz
    vx, vy, vz = carried(frame, cx, cy, cz)
    total[_MASS] += mass
    total[_LINEAR] += mass * vx
    total[_LINEAR + 1] += mass * vy
    total[_LINEAR + 2] += mass * vz
    total[_CENTER] += mass * cx
    total[_CENTER + 1] += mass * cy
    total[_CENTER + 2] += mass * cz
    inertia = np.empty(6)
    _inertia_in_area(row[at + INERTIA : at + INERTIA + 6], mass, w, x, y, z, inertia)
    a, b, c = frame[FRAME_SPIN : FRAME_SPIN + 3]
    xx, yy, zz, xy, xz, yz = inertia
    total[_ANGULAR] += xx * a + xy * b + xz * c + mass * (cy * vz - cz * vy)
    total[_ANGULAR + 1] += xy * a + yy * b + yz * c + mass * (cz * vx - cx * vz)
    total[_ANGULAR + 2] += xz * a + yz * b + zz * c + mass * (cx * vy - cy * vx)
    total[_INERTIA] += xx + mass * (cy * cy + cz * cz)
    total[_INERTIA + 1] += yy + mass * (cx * cx + cz * cz)
    total[_INERTIA + 2] += zz + mass * (cx * cx + cy * cy)
    total[_INERTIA + 3] += xy - mass * cx * cy
    total[_INERTIA + 4] += xz - mass * cx * cz
    total[_INERTIA + 5] += yz - mass * cy * cz


@compiled
def _add_impulse(
    row: NDArray[np.float64],
    ints: NDArray[np.int64],
    frame: NDArray[np.float64],
    push: NDArray[np.float64],
    contacts: NDArray[np.float64],
    timestep: float,
    total: NDArray[np.float64],
) -> None:
    """Add what gravity, the program and, at the root, all contacts of the tree did to its momentum."""
    at = AREA_WIDTH + BODY_WIDTH * ints[LINK_BODY]
    w, x, y, z = frame[FRAME_ROTATION : FRAME_ROTATION + 4]
    ox, oy, oz = rotate_wxyz(w, x, y, z, row[at + CENTER], row[at + CENTER + 1], row[at + CENTER + 2])
    cx, cy, cz = frame[0] + ox, frame[1] + oy, frame[2] + oz
    fx = push[0] + row[at + MASS] * row[GRAVITY]
    fy = push[1] + row[at + MASS] * row[GRAVITY + 1]
    fz = push[2] + row[at + MASS] * row[GRAVITY + 2]
    tx = push[3] + cy * fz - cz * fy
    ty = push[4] + cz * fx - cx * fz
    tz = push[5] + cx * fy - cy * fx
    if ints[LINK_KIND] == FREE:
        dof = ints[LINK_DOF]
        gx, gy, gz = contacts[dof], contacts[dof + 1], contacts[dof + 2]
        a, b, c = rotate_wxyz(w, x, y, z, contacts[dof + 3], contacts[dof + 4], contacts[dof + 5])
        fx, fy, fz = fx + gx, fy + gy, fz + gz
        tx += a + frame[1] * gz - frame[2] * gy
        ty += b + frame[2] * gx - frame[0] * gz
        tz += c + frame[0] * gy - frame[1] * gx
    total[_LINEAR] += timestep * fx
    total[_LINEAR + 1] += timestep * fy
    total[_LINEAR + 2] += timestep * fz
    total[_ANGULAR] += timestep * tx
    total[_ANGULAR + 1] += timestep * ty
    total[_ANGULAR + 2] += timestep * tz


@compiled
def _inertia_in_area(
    inverse: NDArray[np.float64],
    mass: float,
    w: float,
    x: float,
    y: float,
    z: float,
    out: NDArray[np.float64],
) -> None:
    """Inertia of a turned body in the frame of the area, from its inverse per unit of mass."""
    xx, yy, zz, xy, xz, yz = inverse
    own = np.empty((3, 3))
    for k in range(3):
        # One column of the inverse in the frame of the area: turn a unit vector back, apply, turn.
        ex, ey, ez = 1.0 if k == 0 else 0.0, 1.0 if k == 1 else 0.0, 1.0 if k == 2 else 0.0
        ex, ey, ez = rotate_wxyz(w, -x, -y, -z, ex, ey, ez)
        own[0, k], own[1, k], own[2, k] = rotate_wxyz(
            w,
            x,
            y,
            z,
            xx * ex + xy * ey + xz * ez,
            xy * ex + yy * ey + yz * ez,
            xz * ex + yz * ey + zz * ez,
        )
    out[0], out[3], out[4] = solve_symmetric(own, mass, 0.0, 0.0)
    _, out[1], out[5] = solve_symmetric(own, 0.0, mass, 0.0)
    _, _, out[2] = solve_symmetric(own, 0.0, 0.0, mass)


@compiled
def solve_symmetric(matrix: NDArray[np.float64], a: float, b: float, c: float) -> tuple[float, float, float]:
    """Solve a symmetric system of three equations by Cramer's rule; ``matrix`` is ``(3, 3)``."""
    xx, yy, zz = matrix[0, 0], matrix[1, 1], matrix[2, 2]
    xy, xz, yz = matrix[0, 1], matrix[0, 2], matrix[1, 2]
    ixx, iyy, izz = yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy
    ixy, ixz, iyz = xz * yz - xy * zz, xy * yz - xz * yy, xy * xz - xx * yz
    share = 1.0 / (xx * ixx + xy * ixy + xz * ixz)
    return (
        share * (ixx * a + ixy * b + ixz * c),
        share * (ixy * a + iyy * b + iyz * c),
        share * (ixz * a + iyz * b + izz * c),
    )


@compiled
def _move_tree(
    old: NDArray[np.float64],
    new: NDArray[np.float64],
    root: NDArray[np.float64],
    fastest: float,
    qvel: NDArray[np.float64],
) -> None:
    """Give a whole tree the motion that makes its momentum ``old`` again; ``qvel`` begins at its root."""
    mass = new[_MASS]
    cx, cy, cz = new[_CENTER] / mass, new[_CENTER + 1] / mass, new[_CENTER + 2] / mass
    px, py, pz = old[1] - new[1], old[2] - new[2], old[3] - new[3]
    about_center = np.empty((3, 3))
    for k in range(3):
        about_center[k, k] = new[_INERTIA + k]
    about_center[0, 0] -= mass * (cy * cy + cz * cz)
    about_center[1, 1] -= mass * (cx * cx + cz * cz)
    about_center[2, 2] -= mass * (cx * cx + cy * cy)
    about_center[0, 1] = new[_INERTIA + 3] + mass * cx * cy
    about_center[0, 2] = new[_INERTIA + 4] + mass * cx * cz
    about_center[1, 2] = new[_INERTIA + 5] + mass * cy * cz
    a, b, c = solve_symmetric(
        about_center,
        old[_ANGULAR] - new[_ANGULAR] - (cy * pz - cz * py),
        old[_ANGULAR + 1] - new[_ANGULAR + 1] - (cz * px - cx * pz),
        old[_ANGULAR + 2] - new[_ANGULAR + 2] - (cx * py - cy * px),
    )
    wx, wy, wz = a + root[FRAME_SPIN], b + root[FRAME_SPIN + 1], c + root[FRAME_SPIN + 2]
    speed = math.sqrt(wx * wx + wy * wy + wz * wz)
    if speed > fastest:
        excess = 1.0 - fastest / speed
        a, b, c = a - excess * wx, b - excess * wy, c - excess * wz
    dx, dy, dz = root[0] - cx, root[1] - cy, root[2] - cz
    qvel[0] += px / mass + b * dz - c * dy
    qvel[1] += py / mass + c * dx - a * dz
    qvel[2] += pz / mass + a * dy - b * dx
    w, x, y, z = root[FRAME_ROTATION : FRAME_ROTATION + 4]
    a, b, c = rotate_wxyz(w, -x, -y, -z, a, b, c)
    qvel[3] += a
    qvel[4] += b
    qvel[5] += c
