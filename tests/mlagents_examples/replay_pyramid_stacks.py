"""Compares how our stone pyramids lie after their fall with what a recorded demonstration saw of them.

    python tests/mlagents_examples/replay_pyramid_stacks.py ExpertPyramid.demo

Where a pyramid was built is not recorded. So one falls in our physics, and the fallen one is moved about
until the rays that met stones in its room agree best: two unknowns for dozens of rays at three heights.
Only rows before the agent came near are used, so that nobody has touched the stones.
"""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from replay_pyramids import (
    LANDED,
    LEVEL_ANGLES,
    STONE,
    Array,
    Pose,
    Rays,
    Recording,
    Stage,
    Walls,
    find_poses,
    play_rows,
    read_recording,
)

from mlagents_examples.pyramids import build_scene
from mlagents_examples.pyramids.stacks import STONE_PYRAMID, Pyramid
from mlagents_sdk.physics import Body, PhysicsWorld, Quaternion, Vector

_ROOM = 30.0  # metres between the middles of two rooms
_SETTLED = LANDED + 4  # rows after which all stones lie still
_FALLING_STEPS = 150
_MISSED = 1.0  # metres that a ray counts for that meets something else


class Stack(NamedTuple):
    """What came of one pyramid.

    Attributes:
        origin: where it was built, x and z from the middle of its room, metres.
        rays: all that met stones of it.
    """

    origin: tuple[float, float]
    rays: Rays


class _Seen(NamedTuple):
    """Rows that saw a pyramid, and which of their rays ``[3, 7]`` met it."""

    rows: list[int]
    rays: list[NDArray[np.bool_]]


def fallen_pyramid() -> list[tuple[Vector, Quaternion]]:
    """Poses of the stones of a pyramid that was built at the origin, once they lie still."""
    area = PhysicsWorld(build_scene()).areas[0]
    pyramid = Pyramid(area, "stones 0", STONE_PYRAMID)
    pyramid.build((0.0, 2.0, 0.0))
    area.transform("switch").enabled = False
    area.body("agent").position = (-30.0, 0.5, -30.0)
    for _ in range(_FALLING_STEPS):
        area.world.step()
    return [(body.position, body.rotation) for body in pyramid.bodies]


def compare_stacks(recording: Recording, stage: Stage, poses: dict[int, Pose], most: int) -> list[Stack]:
    """Compare the ``most`` pyramids that were seen by most rays."""
    fallen, bodies = fallen_pyramid(), stage.area.stones[0].bodies
    seen = [
        one
        for start, end in pairwise(recording.starts)
        for one in _pyramids_seen(recording, poses, start, end)
    ]
    seen.sort(key=lambda one: -sum(int(rays.sum()) for rays in one[1].rays))
    stacks = []
    for room, what in seen[:most]:
        origin = _find_origin(recording, stage, poses, what, fallen, bodies, _ROOM * np.array(room))
        _place(bodies, fallen, origin)
        x, z = (origin - _ROOM * np.array(room)).tolist()
        stacks.append(Stack((x, z), _compare(recording, stage, poses, what)))
    stage.area.stones[0].remove()
    return stacks


def _pyramids_seen(
    recording: Recording, poses: dict[int, Pose], start: int, end: int
) -> list[tuple[tuple[int, int], _Seen]]:
    """Rooms in which an episode saw stones, while nobody was near."""
    found: dict[tuple[int, int], _Seen] = {}
    entered: set[tuple[int, int]] = set()
    for row in range(start + _SETTLED, end):
        if row not in poses:
            continue
        pose = poses[row]
        entered.add(_room_of(pose.x, pose.z))
        met = recording.kinds[row] == STONE
        # The rays of all sensors point about where those of the level one do, as seen from far away.
        for sensor, ray in np.argwhere(met).tolist():
            yaw = math.radians(pose.heading) + LEVEL_ANGLES[ray] * (1.0, 65 / 70, 75 / 70)[sensor]
            distance = recording.distances[row, sensor, ray]
            room = _room_of(pose.x + distance * math.sin(yaw), pose.z + distance * math.cos(yaw))
            if room in entered:
                continue
            what = found.setdefault(room, _Seen([], []))
            if not what.rows or what.rows[-1] != row:
                what.rows.append(row)
                what.rays.append(np.zeros((3, 7), np.bool_))
            what.rays[-1][sensor, ray] = True
    return list(found.items())


def _find_origin(
    recording: Recording,
    stage: Stage,
    poses: dict[int, Pose],
    what: _Seen,
    fallen: list[tuple[Vector, Quaternion]],
    bodies: list[Body],
    room: Array,
) -> Array:
    """Where the pyramid was built: x and z, metres; a coarse grid first, then ever smaller steps."""

    def cost(origin: Array) -> float:
        _place(bodies, fallen, origin)
        rays = _compare(recording, stage, poses, what)
        return float(np.minimum(rays.error, _MISSED).sum() + _MISSED * (~rays.same).sum())

    steps = np.linspace(-12.0, 12.0, 21)
    grid = [room + np.array((x, z)) for x in steps for z in steps]
    best = min((cost(origin), *origin.tolist()) for origin in grid)
    least, origin, step = best[0], np.array(best[1:]), 1.0
    around = [np.array((x, z)) for x in (-1.0, 0.0, 1.0) for z in (-1.0, 0.0, 1.0) if x or z]
    while step > 5e-4:
        tried = min((cost(origin + step * way), *(origin + step * way).tolist()) for way in around)
        if tried[0] < least:
            least, origin = tried[0], np.array(tried[1:])
        else:
            step *= 0.5
    return origin


def _place(bodies: list[Body], fallen: list[tuple[Vector, Quaternion]], origin: Array) -> None:
    x, z = origin.tolist()
    for body, (position, rotation) in zip(bodies, fallen, strict=True):
        body.enabled = True
        body.position = (position[0] + x, position[1], position[2] + z)
        body.rotation = rotation


def _compare(recording: Recording, stage: Stage, poses: dict[int, Pose], what: _Seen) -> Rays:
    same, errors = [], []
    for row, rays in zip(what.rows, what.rays, strict=True):
        stage.put_agent(poses[row], np.zeros(3))
        kinds, distances = stage.look()
        agreed = rays & (kinds == STONE)
        same.append(agreed[rays])
        errors.append(np.abs(distances - recording.distances[row])[agreed])
    return Rays(np.concatenate(same), np.concatenate(errors))


def _room_of(x: float, z: float) -> tuple[int, int]:
    return round(x / _ROOM), round(z / _ROOM)


if __name__ == "__main__":
    demo = read_recording(Path(sys.argv[1]))
    one_stage = Stage()
    found = find_poses(demo, play_rows(demo, one_stage), Walls())
    for stack in compare_stacks(demo, one_stage, found, 100):
        spread = np.percentile(stack.rays.error, (50, 90)).round(4) if len(stack.rays.error) else None
        print(
            f"built at {np.round(stack.origin, 2)} of its room: {stack.rays.same.sum()} of "
            f"{len(stack.rays.same)} rays meet stones, difference (50, 90 %): {spread} m"
        )
