"""Hands the bodies of an area to MuJoCo and takes them back, for machine code.

MuJoCo keeps its own joint coordinates from step to step. Only where a program changed a pose or a velocity
of a tree of links since then are they worked out anew, from what the row says of all its bodies: the pose
of the root, and for the others how they are turned (sliders: moved) as seen from their parents. A child
cannot leave its joint, so the rest of its pose is a consequence of that. Velocities that the joints do not
allow become the nearest ones that they do: those to which the joints would force free bodies in an instant
(the momenta of the bodies, projected with the mass matrix). Everything is in MuJoCo's frame.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.articulation_frames import (
    FRAME_ROTATION,
    FRAME_VELOCITY,
    FRAME_WIDTH,
    hang,
    joint_angles,
    read_frame,
    turn_since_start,
    write_frame,
)
from mlagents_sdk.physics.articulation_rows import DRIVE_AXIS, DRIVE_JOINT
from mlagents_sdk.physics.articulation_tracing import solve_symmetric, trace_link
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import rotate_wxyz
from mlagents_sdk.physics.joints import JointKind
from mlagents_sdk.physics.joints_layout import (
    ANGLE,
    AXES,
    FORCE,
    FREE,
    JOINT_WIDTH,
    LINK_AXES,
    LINK_BODY,
    LINK_COUNT,
    LINK_DOF,
    LINK_JOINT,
    LINK_KIND,
    LINK_MUJOCO,
    LINK_PARENT,
    LINK_QPOS,
    LINK_TREE,
    RATE,
)
from mlagents_sdk.physics.layout import (
    ANGULAR_DRAG,
    AREA_WIDTH,
    BODY_WIDTH,
    DRAG,
    ENABLED,
    FROZEN,
    INERTIA,
    MASS,
    POSITION,
    PUSH,
    ROTATION,
    SPIN,
    TWIST,
    VELOCITY,
)

KNOWN_WIDTH = PUSH
"""Columns of a body that MuJoCo knows: pose and velocities."""

_SLIDER = int(JointKind.SLIDER)
_BALL = int(JointKind.BALL)


@compiled
def place_scripted(
    row: NDArray[np.float64],
    scripted: NDArray[np.int64],
    positions: NDArray[np.float64],
    rotations: NDArray[np.float64],
) -> None:
    """Tell MuJoCo where the program put things.

    Args:
        row: ``(width,)`` of the area.
        scripted: int64 ``(scripted bodies, 2)``: body, and its line in the next two.
        positions: ``(scripted bodies, 3)``, filled, metres.
        rotations: ``(scripted bodies, 4)``, filled.
    """
    for body, line in scripted:
        at = AREA_WIDTH + BODY_WIDTH * body
        for k in range(3):
            positions[line, k] = row[at + POSITION + k]
        for k in range(4):
            rotations[line, k] = row[at + ROTATION + k]


@compiled
def load_area(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    links: NDArray[np.int64],
    geometry: NDArray[np.float64],
    known: NDArray[np.float64],
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
    forces: NDArray[np.float64],
    momenta: NDArray[np.float64],
    stale: NDArray[np.bool_],
    timestep: float,
) -> bool:
    """Tell MuJoCo what the program changed, and which forces act in this step.

    Args:
        row: ``(width,)`` of the area; pending forces are consumed.
        bodies: int64 ``(bodies, 4)``.
        links: int64 ``(links, 13)``.
        geometry: ``(links, 25)``.
        known: ``(links, 13)``: poses and velocities that stand behind ``qpos`` and ``qvel``.
        qpos: MuJoCo's coordinates, changed in place.
        qvel: MuJoCo's velocities, changed in place for bodies without joints.
        forces: ``(MuJoCo's bodies, 6)``, filled: force and torque on the centre of mass, N and N m.
        momenta: ``(MuJoCo's bodies, 6)``, filled if anything is stale: momentum and angular momentum about
            the centre of mass of the bodies whose trees were changed, N s and N m s; else zero.
        stale: bool ``(dofs,)``, filled: which of ``qvel`` have to be worked out from these momenta.
        timestep: seconds in which the forces act.

    Returns:
        Whether anything is stale.
    """
    changed = np.zeros(len(links), np.bool_)
    sizes = np.zeros(len(links), np.int64)
    for link in range(len(links)):
        tree = links[link, LINK_TREE]
        at = AREA_WIDTH + BODY_WIDTH * links[link, LINK_BODY]
        sizes[tree] += 1 if links[link, LINK_KIND] == FREE else 2
        for k in range(KNOWN_WIDTH):
            if row[at + k] != known[link, k]:
                changed[tree] = True
                break
    parent, child = np.empty(FRAME_WIDTH), np.empty(FRAME_WIDTH)
    jointed = False
    for link in range(len(links)):
        jointed |= changed[links[link, LINK_TREE]] and sizes[links[link, LINK_TREE]] > 1
    if jointed:
        momenta[:] = 0.0
        stale[:] = False
    for link in range(len(links)):
        ints = links[link]
        if changed[ints[LINK_TREE]]:
            read_frame(row, bodies, ints[LINK_PARENT], parent)
            read_frame(row, bodies, ints[LINK_BODY], child)
            _read_joint(ints, geometry[link], parent, child, qpos)
            if sizes[ints[LINK_TREE]] > 1:
                _read_momentum(row, ints, momenta, stale)
            else:
                _read_velocity(row, ints, child, qvel)
        _push(row, ints, forces, timestep)
    return jointed


@compiled
def _read_joint(
    ints: NDArray[np.int64],
    floats: NDArray[np.float64],
    parent: NDArray[np.float64],
    child: NDArray[np.float64],
    qpos: NDArray[np.float64],
) -> None:
    """Coordinates of one link from where its two bodies are."""
    at, kind = ints[LINK_QPOS], ints[LINK_KIND]
    if kind == FREE:
        for k in range(7):
            qpos[at + k] = child[k]
        return
    if ints[LINK_COUNT] == 0:
        return
    if kind == _SLIDER:
        start = np.empty(FRAME_WIDTH)
        hang(floats, parent, (1.0, 0.0, 0.0, 0.0), 0.0, start)
        w, x, y, z = start[FRAME_ROTATION : FRAME_ROTATION + 4]
        dx, dy, dz = rotate_wxyz(w, x, y, z, floats[AXES], floats[AXES + 1], floats[AXES + 2])
        qpos[at] = dx * (child[0] - start[0]) + dy * (child[1] - start[1]) + dz * (child[2] - start[2])
        return
    turn = turn_since_start(parent, child, floats)
    if kind == _BALL:
        qpos[at], qpos[at + 1], qpos[at + 2], qpos[at + 3] = turn
        return
    angles = np.empty(3)
    joint_angles(turn[0], turn[1], turn[2], turn[3], floats, angles)
    for k in range(ints[LINK_COUNT]):
        qpos[at + k] = angles[ints[LINK_AXES + k]]


@compiled
def _read_velocity(
    row: NDArray[np.float64], ints: NDArray[np.int64], frame: NDArray[np.float64], qvel: NDArray[np.float64]
) -> None:
    """Velocities of a body without joints."""
    at, dof = AREA_WIDTH + BODY_WIDTH * ints[LINK_BODY], ints[LINK_DOF]
    for k in range(3):
        qvel[dof + k] = frame[FRAME_VELOCITY + k]
        qvel[dof + 3 + k] = row[at + SPIN + k]


@compiled
def _read_momentum(
    row: NDArray[np.float64],
    ints: NDArray[np.int64],
    momenta: NDArray[np.float64],
    stale: NDArray[np.bool_],
) -> None:
    """Momentum of a body with joints."""
    at = AREA_WIDTH + BODY_WIDTH * ints[LINK_BODY]
    out = momenta[ints[LINK_MUJOCO]]
    for k in range(3):
        out[k] = row[at + MASS] * row[at + VELOCITY + k]
    out[3], out[4], out[5] = _times_inertia(row, at, row[at + SPIN], row[at + SPIN + 1], row[at + SPIN + 2])
    for k in range(ints[LINK_COUNT]):
        stale[ints[LINK_DOF] + k] = True


@compiled
def _times_inertia(
    row: NDArray[np.float64], at: int, a: float, b: float, c: float
) -> tuple[float, float, float]:
    """Inertia of a body times a vector along its own axes, in the frame of the area."""
    inverse = np.empty((3, 3))
    for k in range(3):
        inverse[k, k] = row[at + INERTIA + k]
    inverse[0, 1] = row[at + INERTIA + 3]
    inverse[0, 2] = row[at + INERTIA + 4]
    inverse[1, 2] = row[at + INERTIA + 5]
    mass, turn = row[at + MASS], at + ROTATION
    a, b, c = solve_symmetric(inverse, mass * a, mass * b, mass * c)
    return rotate_wxyz(row[turn], row[turn + 1], row[turn + 2], row[turn + 3], a, b, c)


@compiled
def _push(
    row: NDArray[np.float64], ints: NDArray[np.int64], forces: NDArray[np.float64], timestep: float
) -> None:
    """Turn pending changes of velocity and the two drags of one body into a force and a torque."""
    at = AREA_WIDTH + BODY_WIDTH * ints[LINK_BODY]
    out = forces[ints[LINK_MUJOCO]]
    mass = row[at + MASS]
    drag = min(row[at + DRAG], 1.0 / timestep)
    angular_drag = min(row[at + ANGULAR_DRAG], 1.0 / timestep)
    for k in range(3):
        out[k] = mass * (row[at + PUSH + k] / timestep - drag * row[at + VELOCITY + k])
        row[at + PUSH + k] = 0.0
    w, x, y, z = row[at + ROTATION], row[at + ROTATION + 1], row[at + ROTATION + 2], row[at + ROTATION + 3]
    a, b, c = rotate_wxyz(w, -x, -y, -z, row[at + TWIST], row[at + TWIST + 1], row[at + TWIST + 2])
    row[at + TWIST : at + TWIST + 3] = 0.0
    out[3], out[4], out[5] = _times_inertia(
        row,
        at,
        a / timestep - angular_drag * row[at + SPIN],
        b / timestep - angular_drag * row[at + SPIN + 1],
        c / timestep - angular_drag * row[at + SPIN + 2],
    )


@compiled
def store_area(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    links: NDArray[np.int64],
    geometry: NDArray[np.float64],
    known: NDArray[np.float64],
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
    joints: NDArray[np.float64],
    drives: NDArray[np.int64],
    forces: NDArray[np.float64],
) -> None:
    """Take from MuJoCo how bodies and joints move now; trees of which a body is disabled stay put.

    Args:
        row: ``(width,)`` of the area, changed in place.
        bodies: int64 ``(bodies, 4)``.
        links: int64 ``(links, 13)``.
        geometry: ``(links, 25)``.
        known: ``(links, 13)``, filled.
        qpos: MuJoCo's coordinates.
        qvel: MuJoCo's velocities.
        joints: ``(joints · 22,)``, angles, rates and forces are filled.
        drives: int64 ``(drives, 5)``, see :mod:`mlagents_sdk.physics.articulation_rows`.
        forces: of MuJoCo's constraints, those of the drives first.
    """
    held = np.zeros(len(links), np.bool_)
    for link in range(len(links)):
        if row[AREA_WIDTH + BODY_WIDTH * links[link, LINK_BODY] + ENABLED] == 0.0:
            held[links[link, LINK_TREE]] = True
    frames = np.empty((len(links), FRAME_WIDTH))
    for link in range(len(links)):
        ints = links[link]
        at = AREA_WIDTH + BODY_WIDTH * ints[LINK_BODY]
        if held[ints[LINK_TREE]]:
            known[link, 0] = np.nan  # its coordinates are worked out anew in the next step
            continue
        if ints[LINK_KIND] == FREE:
            _keep_frozen(row, at, bodies[ints[LINK_BODY], FROZEN], ints, qpos, qvel)
        trace_link(row, bodies, links, geometry, link, np.inf, qpos, qvel, frames)
        write_frame(row, ints[LINK_BODY], frames[link])
        for k in range(KNOWN_WIDTH):
            known[link, k] = row[at + k]
        if ints[LINK_JOINT] >= 0:
            block = joints[JOINT_WIDTH * ints[LINK_JOINT] :][:JOINT_WIDTH]
            _tell_joint(ints, geometry[link], qpos, qvel, block)
    for k in range(min(len(drives), len(forces))):
        joints[drives[k, DRIVE_JOINT] + FORCE + drives[k, DRIVE_AXIS]] = forces[k]


@compiled
def _keep_frozen(
    row: NDArray[np.float64],
    at: int,
    frozen: int,
    ints: NDArray[np.int64],
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
) -> None:
    """Take back what a root moved along and about its frozen axes."""
    pose, dof = ints[LINK_QPOS], ints[LINK_DOF]
    for k in range(3):
        if frozen >> k & 1:
            qpos[pose + k], qvel[dof + k] = row[at + POSITION + k], 0.0
        if frozen >> (3 + k) & 1:
            qvel[dof + 3 + k] = 0.0
    if frozen >> 3 == 7:
        for k in range(4):
            qpos[pose + 3 + k] = row[at + ROTATION + k]


@compiled
def _tell_joint(
    ints: NDArray[np.int64],
    floats: NDArray[np.float64],
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
    block: NDArray[np.float64],
) -> None:
    """Note angles and rates of a joint in its block."""
    at, dof = ints[LINK_QPOS], ints[LINK_DOF]
    if ints[LINK_KIND] == _BALL:
        joint_angles(qpos[at], qpos[at + 1], qpos[at + 2], qpos[at + 3], floats, block[ANGLE : ANGLE + 3])
        for axis in range(3):
            block[RATE + axis] = 0.0
            for k in range(3):
                block[RATE + axis] += qvel[dof + k] * floats[AXES + 3 * axis + k]
        return
    for k in range(ints[LINK_COUNT]):
        block[ANGLE + ints[LINK_AXES + k]] = qpos[at + k]
        block[RATE + ints[LINK_AXES + k]] = qvel[dof + k]
