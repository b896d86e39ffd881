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
    FROZEN,
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

    Functions that are called for single bodies are handed its parts: to take a part out of the whole
    costs more than most of them do.

    Attributes:
        placement: where colliders are.
        motions: the bodies.
        patches: who touches whom.
        spheres: ``(bodies, 4)``: origin and reach of each body, so close together that looking through all
            pairs of many bodies is fast; infinitely far away for those that are not there.
        boxes: ``(bodies, 6)``: lowest and highest corner of what encloses each body; not a number where
            it is not known in this step.
        placed: int64 ``(colliders,)``: 1 for those whose placement is known in this step.
        queue: int64 ``(bodies,)``: moving bodies in the order in which their contacts are looked for.
        others: int64 ``(bodies,)``: those that physics never moves.
        looked: int64 ``(bodies,)``: 1 for bodies whose contacts with all movable ones are known.
    """

    placement: Placement
    motions: Motions
    patches: Patches
    spheres: NDArray[np.float64]
    boxes: NDArray[np.float64]
    placed: NDArray[np.int64]
    queue: NDArray[np.int64]
    others: NDArray[np.int64]
    looked: NDArray[np.int64]


@compiled
def _make_workspace(bodies: int, colliders: int) -> Workspace:
    return Workspace(
        empty_placement(colliders),
        empty_motions(bodies),
        empty_patches(_PATCHES_PER_COLLIDER * colliders),
        np.empty((bodies, 4)),
        np.empty((bodies, 6)),
        np.empty(colliders, np.int64),
        np.empty(bodies, np.int64),
        np.empty(bodies, np.int64),
        np.empty(bodies, np.int64),
    )


@compiled
def _place(
    row: NDArray[np.float64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    collider: int,
    placed: NDArray[np.int64],
    placement: Placement,
) -> None:
    """Work out where a collider is, unless that is known."""
    if placed[collider] == 0:
        placed[collider] = 1
        place_collider(row, colliders, first_collider_at, collider, placement)
        bound_collider(colliders[collider, KIND], collider, 0.5 * CONTACT_OFFSET, placement)


@compiled
def _bound_bodies(row: NDArray[np.float64], spheres: NDArray[np.float64]) -> None:
    """Fill ``spheres``."""
    for body in range(len(spheres)):
        at = AREA_WIDTH + BODY_WIDTH * body
        for axis in range(3):
            spheres[body, axis] = row[at + POSITION + axis] if row[at + ENABLED] != 0.0 else np.inf
        spheres[body, 3] = row[at + REACH]


@compiled
def _far_apart(spheres: NDArray[np.float64], a: int, b: int) -> bool:
    """Whether two bodies, the first of which is there, cannot touch."""
    dx = spheres[a, 0] - spheres[b, 0]
    dy = spheres[a, 1] - spheres[b, 1]
    dz = spheres[a, 2] - spheres[b, 2]
    reach = spheres[a, 3] + spheres[b, 3] + CONTACT_OFFSET
    return bool(dx * dx + dy * dy + dz * dz > reach * reach)


@compiled
def _bound_body(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    body: int,
    boxes: NDArray[np.float64],
    placed: NDArray[np.int64],
    placement: Placement,
) -> None:
    """Work out the box of a body, which is empty where nothing of it is solid."""
    for axis in range(3):
        boxes[body, axis] = np.inf
        boxes[body, 3 + axis] = -np.inf
    for k in range(bodies[body, FIRST], bodies[body, FIRST] + bodies[body, COUNT]):
        if row[first_collider_at + COLLIDER_WIDTH * k + TRIGGER] == 0.0:
            _place(row, colliders, first_collider_at, k, placed, placement)
            for axis in range(3):
                boxes[body, axis] = min(boxes[body, axis], placement.bounds[k, axis])
                boxes[body, 3 + axis] = max(boxes[body, 3 + axis], placement.bounds[k, 3 + axis])


@compiled
def _add_patches(
    row: NDArray[np.float64],
    bodies: NDArray[np.int64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    a: int,
    b: int,
    timestep: float,
    placement: Placement,
    motions: Motions,
    out: Patches,
    patches: int,
) -> int:
    """Look where two placed bodies touch; returns the number of patches after that."""
    for i in range(bodies[a, FIRST], bodies[a, FIRST] + bodies[a, COUNT]):
        at_i = first_collider_at + COLLIDER_WIDTH * i
        if row[at_i + TRIGGER] != 0.0:
            continue
        for j in range(bodies[b, FIRST], bodies[b, FIRST] + bodies[b, COUNT]):
            at_j = first_collider_at + COLLIDER_WIDTH * j
            if row[at_j + TRIGGER] != 0.0 or patches >= len(out.patches):
                continue
            if not bounds_overlap(placement.bounds, i, j):
                continue
            kind_i, kind_j = colliders[i, KIND], colliders[j, KIND]
            found = collide(kind_i, i, kind_j, j, placement, CONTACT_OFFSET, out.found)
            if found > 0:
                patches += write_patch(row, at_i, at_j, a, b, found, timestep, motions, out, patches)
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
    placement, motions, out = work.placement, work.motions, work.patches
    queue, others, looked = work.queue, work.others, work.looked
    spheres, boxes, placed = work.spheres, work.boxes, work.placed
    _bound_bodies(row, spheres)
    boxes[:, 0] = np.nan
    placed[:] = 0
    queued = 0
    num_others = 0
    for body in range(len(bodies)):
        looked[body] = 0
        if bodies[body, MOTION] != DYNAMIC:
            others[num_others] = body
            num_others += 1
        elif is_moving(row, bodies, body):
            prepare_body(row, bodies, body, timestep, motions)
            queue[queued] = body
            queued += 1
    patches = 0
    k = 0
    while k < queued:
        a = queue[k]
        k += 1
        looked[a] = 1
        rest_at = AREA_WIDTH + BODY_WIDTH * a + REST
        _bound_body(row, bodies, colliders, first_collider_at, a, boxes, placed, placement)
        for b in range(len(bodies)):
            if _far_apart(spheres, a, b) or bodies[b, MOTION] != DYNAMIC or looked[b] == 1:
                continue
            if np.isnan(boxes[b, 0]):
                _bound_body(row, bodies, colliders, first_collider_at, b, boxes, placed, placement)
            if not bounds_overlap(boxes, a, b):
                continue
            before = patches
            patches = _add_patches(
                row, bodies, colliders, first_collider_at, a, b, timestep, placement, motions, out, before
            )
            if patches == before:
                continue
            other_rest_at = AREA_WIDTH + BODY_WIDTH * b + REST
            if row[other_rest_at] > 0.0:
                longer = max(row[rest_at], row[other_rest_at])
                row[rest_at] = longer
                row[other_rest_at] = longer
            elif row[rest_at] == AWAKE_TIME:
                row[other_rest_at] = AWAKE_TIME
                prepare_body(row, bodies, b, timestep, motions)
                queue[queued] = b
                queued += 1
                patches = _add_patches(
                    row, bodies, colliders, first_collider_at, a, b, timestep, placement, motions, out, before
                )
    for k in range(queued):
        a = queue[k]
        for b in others[:num_others]:
            if _far_apart(spheres, a, b):
                continue
            if np.isnan(boxes[b, 0]):
                _bound_body(row, bodies, colliders, first_collider_at, b, boxes, placed, placement)
            if bounds_overlap(boxes, a, b):
                patches = _add_patches(
                    row,
                    bodies,
                    colliders,
                    first_collider_at,
                    a,
                    b,
                    timestep,
                    placement,
                    motions,
                    out,
                    patches,
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
            body = work.queue[k]
            at = AREA_WIDTH + BODY_WIDTH * body
            move_body(row, at, bodies[body, FROZEN], motions.motions, motions.centers, body, timestep)
        _solve(work, patches, velocity_iterations, True)
        for k in range(moving):
            body = work.queue[k]
            at = AREA_WIDTH + BODY_WIDTH * body
            write_velocity(row, at, bodies[body, FROZEN], motions.motions, body)
            rest_or_not(row, at, timestep)
            forget_body(motions, body)
        for patch in range(patches):
            # What is not finite reaches even those that do not move, but not the next area.
            forget_body(motions, work.patches.patches[patch, 1])
