"""What MuJoCo's constraint solver is told about drives, limits, contacts and bounces, for machine code.

MuJoCo looks for the acceleration ``a`` that minimises ``½ |a - a_free|²_M + Σ s_i(J_i a - r_i)``, one term
per constraint, where ``r`` is the reference acceleration. Between the two halves of a MuJoCo step the terms
are known and not used yet, and here they are rewritten.

**Drives.** For every driven axis MuJoCo has a friction constraint, whose force is ``-D (a - r)``, cut to a
limit. As in the original, the spring ``k`` and the damper ``d`` of a drive with the target ``q*, v*`` act
on what will be: ``k (q* - q - H v') + d (v* - v')``, where ``H`` is a physics step and ``v' = v + h a`` the
velocity after one of MuJoCo's, ``h``. With ``c = d + H k`` that is ``-D (a - r)`` for ``D = h c`` and
``r = (k (q* - q) + d v*) / (h c) - v / h``. So a drive of any stiffness is stable, its limit counts for the
force that really acts, and contacts know how firmly it holds.

**Limits and contacts** are found some way ahead. MuJoCo would push at that distance; here only that is
prevented which would go through: ``r = -(distance / h + v) / h``. Behind the surface MuJoCo's own spring
and damper act. Where a contact bounces, ``r`` is what turns the speed of approach around.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.contacts import BOUNCE_THRESHOLD
from mlagents_sdk.physics.joints_layout import DAMPER, GOAL, GOAL_RATE, HIGHEST, LOWEST, MAX_FORCE, SPRING

# Columns of the table of driven degrees of freedom, int64 (drives, 5), in MuJoCo's order.
DRIVE_DOF = 0  # index in qvel
DRIVE_QPOS = 1  # index in qpos
DRIVE_JOINT = 2  # first column of the joint's block
DRIVE_AXIS = 3  # axis of the joint: 0 x, 1 y, 2 z
DRIVE_LINK = 4  # line in the tables of links
DRIVE_WIDTH = 5

_MOST = 1e10  # N m: a limit that stands for none
_FULL_TURN = 2.0 * math.pi
_WIDEST = math.pi  # rad; limits of angles are narrower


@compiled
def write_drives(
    drives: NDArray[np.int64],
    joints: NDArray[np.float64],
    geometry: NDArray[np.float64],
    turning: NDArray[np.bool_],
    qpos: NDArray[np.float64],
    qvel: NDArray[np.float64],
    timestep: float,
    horizon: float,
    reference: NDArray[np.float64],
    weight: NDArray[np.float64],
    softness: NDArray[np.float64],
    limit: NDArray[np.float64],
) -> None:
    """Write the constraints of all drives; they are MuJoCo's first.

    Args:
        drives: int64 ``(drives, 5)``, see the columns above.
        joints: ``(joints · 22,)`` of the area.
        geometry: ``(links, 25)``.
        turning: bool ``(drives,)``: whether it turns something; sliders do not.
        qpos: MuJoCo's coordinates.
        qvel: MuJoCo's velocities.
        timestep: of MuJoCo, seconds.
        horizon: the physics step, seconds.
        reference: ``r`` ``(constraints,)``, written.
        weight: ``D`` ``(constraints,)``, written.
        softness: ``1 / D`` ``(constraints,)``, written.
        limit: ``(constraints,)``, largest force of each, written.
    """
    for k in range(len(drives)):
        at, axis = drives[k, DRIVE_JOINT], drives[k, DRIVE_AXIS]
        floats = geometry[drives[k, DRIVE_LINK]]
        spring, damper = joints[at + SPRING], joints[at + DAMPER]
        firmness = damper + horizon * spring
        if firmness <= 0.0:
            limit[k] = 0.0
            continue
        position, speed = qpos[drives[k, DRIVE_QPOS]], qvel[drives[k, DRIVE_DOF]]
        goal = min(max(joints[at + GOAL + axis], floats[LOWEST + axis]), floats[HIGHEST + axis])
        error = goal - position
        if turning[k] and floats[HIGHEST + axis] > _WIDEST:
            error -= _FULL_TURN * math.floor(error / _FULL_TURN + 0.5)
        wanted = spring * error + damper * joints[at + GOAL_RATE + axis]
        reference[k] = (wanted / firmness - speed) / timestep
        weight[k] = timestep * firmness
        softness[k] = 1.0 / weight[k]
        limit[k] = min(joints[at + MAX_FORCE], _MOST)


@compiled
def look_ahead(
    first: int,
    timestep: float,
    distance: NDArray[np.float64],
    margin: NDArray[np.float64],
    speed: NDArray[np.float64],
    stiffness: NDArray[np.float64],
    reference: NDArray[np.float64],
) -> None:
    """Write the references of limits and of the normals of contacts.

    Args:
        first: index of the first constraint that is no drive.
        timestep: of MuJoCo, seconds.
        distance: ``(constraints,)``, m or rad, negative behind the surface.
        margin: ``(constraints,)``: how far ahead it was found; zero for the friction of contacts.
        speed: ``(constraints,)``, of leaving.
        stiffness: ``(constraints, 4)``, MuJoCo's stiffness, damping, impedance and its slope.
        reference: ``(constraints,)``, written.
    """
    for k in range(first, len(reference)):
        if margin[k] <= 0.0:
            continue
        if distance[k] > 0.0:
            reference[k] = -(distance[k] / timestep + speed[k]) / timestep
        else:
            reference[k] = -stiffness[k, 1] * speed[k] - stiffness[k, 0] * stiffness[k, 2] * distance[k]


@compiled
def bounce(
    timestep: float,
    bounciness: NDArray[np.float64],
    geoms: NDArray[np.int32],
    addresses: NDArray[np.int32],
    distance: NDArray[np.float64],
    speed: NDArray[np.float64],
    reference: NDArray[np.float64],
) -> None:
    """Have contacts give back a share of a fast approach.

    Args:
        timestep: of MuJoCo, seconds.
        bounciness: ``(geoms, geoms)``.
        geoms: int32 ``(contacts, 2)``.
        addresses: int32 ``(contacts,)``: the constraint of each contact's normal, negative for none.
        distance: ``(constraints,)``, metres.
        speed: ``(constraints,)``, m/s, of leaving.
        reference: ``(constraints,)``, written.
    """
    for contact in range(len(geoms)):
        k = addresses[contact]
        share = bounciness[geoms[contact, 0], geoms[contact, 1]]
        if k >= 0 and share > 0.0 and -speed[k] > max(BOUNCE_THRESHOLD, distance[k] / timestep):
            reference[k] = -(1.0 + share) * speed[k] / timestep
