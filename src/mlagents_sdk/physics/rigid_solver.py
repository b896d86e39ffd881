"""Solves the contacts of one area as the original's engine does: sequential impulses in two phases.

Each step is solved twice, as :mod:`mlagents_sdk.physics.contacts` describes for a single sphere: first with
the position error, to find where bodies go, then without it, to find how fast they then are. Impulses are
accumulated and clamped one contact after another (projected Gauss-Seidel; E. Catto, "Iterative dynamics
with temporal coherence", 2005).

Friction belongs to the patch, all points in which two colliders touch, and acts at its *anchors*: at the
point itself where there is one, else at the two that lie farthest apart. Each anchor may oppose the
motion with the Coulomb limit of the whole patch. So a box that slides flat is slowed by twice Coulomb
friction, as recordings of the original show. Friction is left out of the first position iterations.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.box_contacts import MAX_CONTACTS
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.contacts import (
    BOUNCE_THRESHOLD,
    MAX_DEPENETRATION_SPEED,
    SEPARATION_SHARE,
)

# Columns of a constraint: what it does to two bodies, and how far it got.
_DIRECTION = 0  # 3
_ARM_A = 3  # 3, torque of a unit impulse on a
_ARM_B = 6  # 3, on b
_TURN_A = 9  # 3, change of angular velocity of a by a unit impulse
_TURN_B = 12  # 3
RESPONSE = 15  # change of relative velocity by a unit impulse
_TARGET = 16  # velocity to reach in the position phase, m/s
_FINAL_TARGET = 17  # and in the velocity phase
_IMPULSE = 18  # so far, N s
CONSTRAINT_WIDTH = 19

# Columns of a patch, floats beside the integers (body a, body b, normals, anchors).
STATIC_LIMIT = 0
DYNAMIC_LIMIT = 1
ANCHOR_WEIGHT = 2  # how many anchors one anchor stands for
PATCH_WIDTH = 3

CONSTRAINTS_PER_PATCH = MAX_CONTACTS + 4
"""Room for four normals and two anchors with two directions of friction each."""

_SOLVED = 1e-12  # m/s: a round that changes no velocity by more has found the solution
_FRICTION_ITERATIONS = 3  # of the position phase, its last ones


@compiled
def write_constraint(
    constraints: NDArray[np.float64],
    patch: int,
    k: int,
    dx: float,
    dy: float,
    dz: float,
    found: NDArray[np.float64],
    point: int,
    body_a: int,
    body_b: int,
    centers: NDArray[np.float64],
    inverses: NDArray[np.float64],
) -> None:
    """Prepare one direction in which two bodies push each other.

    Args:
        constraints: ``(patches, 8, 19)``; targets and impulse of the one written are zero afterwards.
        patch: first index of the constraint.
        k: second index.
        dx: direction of the impulse on ``a``, unit length.
        dy: ditto.
        dz: ditto.
        found: ``(4, 7)`` contacts.
        point: which of them gives the point.
        body_a: row of ``a`` in the next two.
        body_b: row of ``b``.
        centers: ``(bodies, 3)`` centres of mass, metres.
        inverses: ``(bodies, 12)``: inverse mass along x, y, z and inverse inertia in the frame of the
            area, all zero for what does not move.
    """
    constraints[patch, k, _DIRECTION] = dx
    constraints[patch, k, _DIRECTION + 1] = dy
    constraints[patch, k, _DIRECTION + 2] = dz
    response = 0.0
    for side in range(2):
        body = body_a if side == 0 else body_b
        torque_at = _ARM_A if side == 0 else _ARM_B
        turn_at = _TURN_A if side == 0 else _TURN_B
        ox = found[point, 4] - centers[body, 0]
        oy = found[point, 5] - centers[body, 1]
        oz = found[point, 6] - centers[body, 2]
        tx = oy * dz - oz * dy
        ty = oz * dx - ox * dz
        tz = ox * dy - oy * dx
        ax = inverses[body, 3] * tx + inverses[body, 4] * ty + inverses[body, 5] * tz
        ay = inverses[body, 6] * tx + inverses[body, 7] * ty + inverses[body, 8] * tz
        az = inverses[body, 9] * tx + inverses[body, 10] * ty + inverses[body, 11] * tz
        constraints[patch, k, torque_at] = tx
        constraints[patch, k, torque_at + 1] = ty
        constraints[patch, k, torque_at + 2] = tz
        constraints[patch, k, turn_at] = ax
        constraints[patch, k, turn_at + 1] = ay
        constraints[patch, k, turn_at + 2] = az
        response += inverses[body, 0] * dx * dx + inverses[body, 1] * dy * dy + inverses[body, 2] * dz * dz
        response += tx * ax + ty * ay + tz * az
    constraints[patch, k, RESPONSE] = response
    constraints[patch, k, _TARGET] = 0.0
    constraints[patch, k, _FINAL_TARGET] = 0.0
    constraints[patch, k, _IMPULSE] = 0.0


@compiled
def relative_velocity(
    constraints: NDArray[np.float64], patch: int, k: int, motions: NDArray[np.float64], a: int, b: int
) -> float:
    """How fast body ``a`` leaves body ``b`` along a constraint, m/s; motions are ``(bodies, 6)``."""
    speed = 0.0
    for axis in range(3):
        speed += constraints[patch, k, axis] * (motions[a, axis] - motions[b, axis])
        speed += constraints[patch, k, _ARM_A + axis] * motions[a, 3 + axis]
        speed -= constraints[patch, k, _ARM_B + axis] * motions[b, 3 + axis]
    return speed


@compiled
def _apply(
    constraints: NDArray[np.float64],
    patch: int,
    k: int,
    impulse: float,
    motions: NDArray[np.float64],
    inverses: NDArray[np.float64],
    a: int,
    b: int,
) -> None:
    for axis in range(3):
        push = impulse * constraints[patch, k, axis]
        motions[a, axis] += push * inverses[a, axis]
        motions[b, axis] -= push * inverses[b, axis]
        motions[a, 3 + axis] += impulse * constraints[patch, k, _TURN_A + axis]
        motions[b, 3 + axis] -= impulse * constraints[patch, k, _TURN_B + axis]


@compiled
def set_targets(
    constraints: NDArray[np.float64],
    patch: int,
    k: int,
    separation: float,
    approach: float,
    bounciness: float,
    timestep: float,
) -> None:
    """Which normal velocities a contact asks for; ``approach`` is how fast the bodies come together."""
    closing = -SEPARATION_SHARE * separation / timestep
    if bounciness > 0.0 and approach > BOUNCE_THRESHOLD and approach * timestep > separation:
        constraints[patch, k, _TARGET] = bounciness * approach
        constraints[patch, k, _FINAL_TARGET] = bounciness * approach
    else:
        constraints[patch, k, _TARGET] = min(closing, MAX_DEPENETRATION_SPEED)
        constraints[patch, k, _FINAL_TARGET] = min(closing, 0.0)


@compiled
def solve_patches(
    patches: NDArray[np.int64],
    numbers: NDArray[np.float64],
    count: int,
    constraints: NDArray[np.float64],
    motions: NDArray[np.float64],
    inverses: NDArray[np.float64],
    iterations: int,
    final: bool,
) -> None:
    """Solve all patches of an area, one phase.

    Args:
        patches: int64 ``(patches, 4)``: rows of ``motions`` of both bodies, number of normals and anchors.
        numbers: ``(patches, 3)``: friction coefficients and weight of an anchor.
        count: how many patches there are.
        constraints: ``(patches, 8, 19)``: normals first, then two directions per anchor.
        motions: ``(bodies, 6)`` velocity of the centre of mass and angular velocity, in and out.
        inverses: ``(bodies, 12)``, see :func:`write_constraint`.
        iterations: rounds over everything.
        final: whether this is the velocity phase.
    """
    target_at = _FINAL_TARGET if final else _TARGET
    first_with_friction = 0 if final else max(0, iterations - _FRICTION_ITERATIONS)
    iteration = 0
    while iteration < iterations:
        friction = iteration >= first_with_friction
        largest = 0.0
        for patch in range(count):
            a = patches[patch, 0]
            b = patches[patch, 1]
            normals = patches[patch, 2]
            total = 0.0
            for k in range(normals):
                speed = relative_velocity(constraints, patch, k, motions, a, b)
                before = constraints[patch, k, _IMPULSE]
                wanted = (constraints[patch, k, target_at] - speed) / constraints[patch, k, RESPONSE]
                after = max(0.0, before + wanted)
                constraints[patch, k, _IMPULSE] = after
                total += after
                largest = max(largest, abs(after - before) * constraints[patch, k, RESPONSE])
                _apply(constraints, patch, k, after - before, motions, inverses, a, b)
            if not friction:
                continue
            total *= numbers[patch, ANCHOR_WEIGHT]
            for k in range(normals, normals + 2 * patches[patch, 3]):
                if constraints[patch, k, RESPONSE] <= 0.0:
                    continue
                speed = relative_velocity(constraints, patch, k, motions, a, b)
                before = constraints[patch, k, _IMPULSE]
                after = before - speed / constraints[patch, k, RESPONSE]
                if abs(after) > numbers[patch, STATIC_LIMIT] * total:
                    after = math.copysign(numbers[patch, DYNAMIC_LIMIT] * total, after)
                constraints[patch, k, _IMPULSE] = after
                largest = max(largest, abs(after - before) * constraints[patch, k, RESPONSE])
                _apply(constraints, patch, k, after - before, motions, inverses, a, b)
        iteration += 1
        if largest < _SOLVED:
            # Further rounds would change nothing; only friction may still have to come.
            if friction:
                return
            iteration = max(iteration, first_with_friction)
