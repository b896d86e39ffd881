"""One physics step of free rigid bodies, area by area: velocities, contacts, motion.

In the order of the original: velocities change by forces, gravity and drag; contacts are found where the
bodies are now; their impulses decide where bodies go and how fast they then are
(:mod:`mlagents_sdk.physics.rigid_solver`). Everything is in MuJoCo's frame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.contacts import CONTACT_OFFSET
from mlagents_sdk.physics.geometry import (
    Placement,
    bound_collider,
    bounds_overlap,
    empty_placement,
    place_collider,
)
from mlagents_sdk.physics.layout import (
    AREA_WIDTH,
    AWAKE_TIME,
    BODY_WIDTH,
    COLLIDER_WIDTH,
    COUNT,
    ENABLED,
    FIRST,
    KIND,
    MOTION,
    POSITION,
    REACH,
    REST,
    TRIGGER,
)
from mlagents_sdk.physics.narrow_phase import collide
from mlagents_sdk.physics.rigid_bodies import (
    DYNAMIC,
    Motions,
    empty_motions,
    forget_body,
    is_moving,
    move_body,
    prepare_body,
    rest_or_not,
    wake_disturbed,
    write_velocity,
)
from mlagents_sdk.physics.rigid_patches import Patches, empty_patches, write_patch
from mlagents_sdk.physics.rigid_solver import solve_patches

_PATCHES_PER_COLLIDER = 12


class Workspace(NamedTuple):
    """Room to work in, for one area at a time.

    Attributes:
        placement: where colliders are.
        motions: the bodies.
        patches: who touches whom.
        placed: int64 ``(colliders,)``: 1 for those whose placement is known in this step.
        queue: int64 ``(bodies,)``: moving bodies in the order in which their contacts are looked for.
        looked: int64 ``(bodies,)``: 1 for bodies whose contacts with all movable ones are known.
    """

    placement: Placement
    motions: Motions
    patches: Patches
    placed: NDArray[np.int64]
    queue: NDArray[np.int64]
    looked: NDArray[np.int64]


@compiled
def _make_workspace(bodies: int, colliders: int) -> Workspace:
    return Workspace(
        empty_placement(colliders),
        empty_motions(bodies),
        empty_patches(_PATCHES_PER_COLLIDER * colliders),
        np.empty(colliders, np.int64),
        np.empty(bodies, np.int64),
        np.empty(bodies, np.int64),
    )


@compiled
def _place(
    row: NDArray[np.float64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    collider: int,
    work: Workspace,
) -> None:
    """Work out where a collider is, unless that is known."""
    if work.placed[collider] == 0:
        work.placed[collider] = 1
        place_collider(row, colliders, first_collider_at, collider, work.placement)
        bound_collider(colliders[collider, KIND], collider, 0.5 * CONTACT_OFFSET, work.placement)


@compiled
def _far_apart(row: NDArray[np.float64], a: int, b: int) -> bool:
    """Whether two bodies cannot touch, because what is there of them lies too far apart."""
    at = AREA_WIDTH + BODY_WIDTH * a
    other_at = AREA_WIDTH + BODY_WIDTH * b
    dx = row[at + POSITION] - row[other_at + POSITION]
    dy = row[at + POSITION + 1] - row[other_at + POSITION + 1]
    dz = row[at + POSITION + 2] - row[other_at + POSITION + 2]
    reach = row[at + REACH] + row[other_at + REACH] + CONTACT_OFFSET
    return bool(dx * dx + dy * dy + dz * dz > reach * reach or row[other_at + ENABLED] == 0.0)


@compiled
def _add_patches(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    a: int,
    b: int,
    timestep: float,
    work: Workspace,
    patches: int,
) -> int:
    """Look where two bodies touch; returns the number of patches after that."""
    for i in range(bodies[a, FIRST], bodies[a, FIRST] + bodies[a, COUNT]):
        at_i = first_collider_at + COLLIDER_WIDTH * i
        if row[at_i + TRIGGER] != 0.0:
            continue
        _place(row, colliders, first_collider_at, i, work)
        for j in range(bodies[b, FIRST], bodies[b, FIRST] + bodies[b, COUNT]):
            at_j = first_collider_at + COLLIDER_WIDTH * j
            if row[at_j + TRIGGER] != 0.0 or patches >= len(work.patches.patches):
                continue
            _place(row, colliders, first_collider_at, j, work)
            if not bounds_overlap(work.placement.bounds, i, j):
                continue
            found = collide(
                colliders[i, KIND],
                i,
                colliders[j, KIND],
                j,
                work.placement,
                CONTACT_OFFSET,
                work.patches.found,
            )
            if found > 0:
                patches += write_patch(
                    row, at_i, at_j, a, b, found, timestep, work.motions, work.patches, patches
                )
    return patches


@compiled
def _find_patches(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    timestep: float,
    work: Workspace,
) -> tuple[int, int]:
    """Find who touches whom and prepare the constraints.

    What moves wakes what it touches, and that in turn what it touches. Pairs of movable bodies come
    first, so that the last word is that of what cannot move.

    Returns:
        Number of patches, and of moving bodies in the queue.
    """
    queue, looked = work.queue, work.looked
    queued = 0
    for body in range(len(bodies)):
        looked[body] = 0
        if is_moving(row, bodies, body):
            prepare_body(row, bodies, body, timestep, work.motions)
            queue[queued] = body
            queued += 1
    for collider in range(len(colliders)):
        work.placed[collider] = 0
    patches = 0
    k = 0
    while k < queued:
        a = queue[k]
        k += 1
        looked[a] = 1
        rest_at = AREA_WIDTH + BODY_WIDTH * a + REST
        for b in range(len(bodies)):
            if bodies[b, MOTION] != DYNAMIC or looked[b] == 1 or _far_apart(row, a, b):
                continue
            before = patches
            patches = _add_patches(row, bodies, colliders, first_collider_at, a, b, timestep, work, before)
            if patches == before:
                continue
            other_rest_at = AREA_WIDTH + BODY_WIDTH * b + REST
            if row[other_rest_at] > 0.0:
                longer = max(row[rest_at], row[other_rest_at])
                row[rest_at] = longer
                row[other_rest_at] = longer
            elif row[rest_at] == AWAKE_TIME:
                row[other_rest_at] = AWAKE_TIME
                prepare_body(row, bodies, b, timestep, work.motions)
                queue[queued] = b
                queued += 1
                patches = _add_patches(
                    row, bodies, colliders, first_collider_at, a, b, timestep, work, before
                )
    for k in range(queued):
        a = queue[k]
        for b in range(len(bodies)):
            if bodies[b, MOTION] != DYNAMIC and not _far_apart(row, a, b):
                patches = _add_patches(
                    row, bodies, colliders, first_collider_at, a, b, timestep, work, patches
                )
    return patches, queued


@compiled
def _solve(work: Workspace, patches: int, iterations: int, final: bool) -> None:
    """Solve one phase; see :func:`~mlagents_sdk.physics.rigid_solver.solve_patches`."""
    solve_patches(
        work.patches.patches,
        work.patches.numbers,
        patches,
        work.patches.constraints,
        work.motions.motions,
        work.motions.inverses,
        iterations,
        final,
    )


@compiled
def step_areas(
    rows: NDArray[np.float64],
    bodies: NDArray[np.int64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    timestep: float,
    position_iterations: int,
    velocity_iterations: int,
) -> None:
    """Advance all areas by one step.

    Args:
        rows: ``(areas, width)``, changed in place.
        bodies: int64 ``(bodies, 4)``.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        timestep: seconds.
        position_iterations: rounds of the position phase.
        velocity_iterations: rounds of the velocity phase.
    """
    work = _make_workspace(len(bodies), len(colliders))
    motions = work.motions
    for area in range(len(rows)):
        row = rows[area]
        wake_disturbed(row, bodies)
        patches, moving = _find_patches(row, bodies, colliders, first_collider_at, timestep, work)
        _solve(work, patches, position_iterations, False)
        for k in range(moving):
            at = AREA_WIDTH + BODY_WIDTH * work.queue[k]
            move_body(row, at, motions.motions, motions.centers, work.queue[k], timestep)
        _solve(work, patches, velocity_iterations, True)
        for k in range(moving):
            at = AREA_WIDTH + BODY_WIDTH * work.queue[k]
            write_velocity(row, at, motions.motions, work.queue[k])
            rest_or_not(row, at, timestep)
            forget_body(motions, work.queue[k])
        for patch in range(patches):
            # What is not finite reaches even those that do not move, but not the next area.
            forget_body(motions, work.patches.patches[patch, 1])
