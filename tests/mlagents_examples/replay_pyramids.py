"""Compares our Pyramids with a recorded demonstration, and prints how far the two are apart.

    python tests/mlagents_examples/replay_pyramids.py ExpertPyramid.demo

The recording holds rays and the agent's velocity, no places. Velocities are predicted from one row to the
next, without anything to reconstruct. Where the prediction is right, the agent touched nothing, and the
way between the rows is known. Rows that hang together like this are laid over the map of the walls: its
heading (turns are exact, and the first one is a whole number of degrees) from neighbouring rays that met
the same wall, its place from all rays that met walls. From there the rays of all three sensors are cast in
our scene. The switch is put where its level rays say, and then run into, as in the recording.

The action in a row was carried out before the row's observation.
"""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.demonstrations import read_demonstration
from mlagents_examples.movement import TURN_LEFT, TURN_RIGHT, walk
from mlagents_examples.pyramids import DECISION_PERIOD, PyramidsAgent, PyramidsArea, build_scene
from mlagents_examples.pyramids.agent import DEGREES_PER_STEP, SPEED
from mlagents_sdk import Academy
from mlagents_sdk.physics import PhysicsWorld
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

RAY_LENGTH = 35.0
RAY_RADIUS = 0.5
LEVEL_ANGLES = np.radians([0.0, 70 / 3, -70 / 3, 140 / 3, -140 / 3, 70.0, -70.0])
BLOCK, WALL, GOAL, OFF, ON, STONE, MISS, UNTAGGED = range(8)
LANDED = 8
"""Rows after which the agent stands on the floor."""

_SAME = 2e-3  # m/s: a velocity predicted so well was not disturbed
_SWITCH_HALF = 2.0


class Recording(NamedTuple):
    """Rows of a demonstration, ``T`` of them.

    Attributes:
        kinds: what each ray met, one of BLOCK ... UNTAGGED ``[T, 3, 7]``.
        distances: how far ahead, metres ``[T, 3, 7]``.
        switch: whether the switch is on ``[T]``.
        velocities: along the agent's own axes ``[T, 3]``.
        actions: carried out before each row ``[T]``.
        starts: first rows of the episodes, and the number of rows.
    """

    kinds: NDArray[np.int64]
    distances: Array
    switch: Bools
    velocities: Array
    actions: NDArray[np.int64]
    starts: list[int]


class Pose(NamedTuple):
    """Where the agent is: x and z in metres, degrees."""

    x: float
    z: float
    heading: float


class Rays(NamedTuple):
    """Rays compared: whether both met the same kind of thing, and the difference where they did, metres."""

    same: Bools
    error: Array


def read_recording(path: Path) -> Recording:
    """Read a demonstration of Pyramids."""
    demo = read_demonstration(path)
    rays = np.stack([sensor.reshape(-1, 7, 8) for sensor in demo.obs[:3]], axis=1)
    starts = [0, *(np.flatnonzero(demo.done) + 1).tolist()]
    return Recording(
        _kinds(rays),
        RAY_LENGTH * rays[..., 7].astype(np.float64),
        demo.obs[3][:, 0] > 0.0,
        demo.obs[3][:, 1:].astype(np.float64),
        demo.discrete_actions[:, 0].astype(np.int64),
        starts,
    )


class Stage:
    """One area of Pyramids in which rows are set up; there is nothing in it but walls, agent and switch."""

    def __init__(self) -> None:
        self._world = PhysicsWorld(build_scene())
        self.area = PyramidsArea(self._world.areas[0])
        self._agent = PyramidsAgent(Academy(), self.area)
        self._agent.enable()
        for pyramid in (*self.area.stones, self.area.bricks):
            pyramid.remove()
        self.put_switch(None)

    def put_switch(self, place: tuple[float, float] | None) -> None:
        """Put the switch on the floor, upright and at rest, or take it away."""
        switch = self.area.switch
        switch.stop()
        switch.enabled = place is not None
        switch.rotation = IDENTITY
        if place is not None:
            switch.position = (place[0], 0.0, place[1])

    def put_agent(self, pose: Pose, velocity: Array, height: float = 0.5) -> None:
        """Put the agent somewhere, with a velocity along its own axes."""
        agent = self.area.agent
        agent.position = (pose.x, height, pose.z)
        agent.rotation = yaw_rotation(pose.heading)
        x, y, z = velocity.tolist()
        agent.velocity = agent.to_world((x, y, z))

    def act(self, action: int) -> Array:
        """Carry out the action of one decision; returns the velocity along the agent's own axes."""
        for _ in range(DECISION_PERIOD):
            walk(self.area.agent, action, SPEED, DEGREES_PER_STEP)
            self._world.step()
        return np.array(self.area.agent.to_local(self.area.agent.velocity))

    def look(self) -> tuple[NDArray[np.int64], Array]:
        """What the rays meet and how far ahead, both ``[3, 7]``."""
        rays = np.zeros((3, 56), np.float32)
        for sensor, out in zip(self._agent.runtime.observation_sensors(), rays, strict=False):
            sensor.update()
            sensor.write(out)
        frame = rays.reshape(3, 7, 8)
        return _kinds(frame), RAY_LENGTH * frame[..., 7].astype(np.float64)


class Walls:
    """The walls seen from above, as rectangles."""

    def __init__(self) -> None:
        walls = [body for name, body in build_scene().colliders.items() if name.startswith("wall")]
        self._centers = np.array([[wall.position[0], wall.position[2]] for wall in walls])
        self._halves = np.array(
            [[wall.shapes[0].half_size[0], wall.shapes[0].half_size[2]] for wall in walls]
        )
        self._cell = 0.2
        axis = np.arange(-60.0, 60.0, self._cell)
        self._grid = np.abs(self.gaps(np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)))

    def gaps(self, points: Array) -> Array:
        """Distance ``[...]`` between spheres of a ray at ``points`` ``[..., 2]`` and the nearest wall."""
        nearest = np.full(points.shape[:-1], np.inf)
        for center, half in zip(self._centers, self._halves, strict=True):
            nearest = np.minimum(nearest, _box_distance(points - center, half))
        return nearest - RAY_RADIUS

    def find(self, hits: Array, near: Array, reach: float) -> tuple[Array, Array]:
        """Shift ``[2]`` that lays ``hits`` ``[n, 2]`` on the walls, and how far they then are off ``[n]``.

        Only shifts within ``reach`` of ``near`` ``[2]`` along x and z are tried. Where the hits leave the
        shift open along some direction, they count as infinitely far off.
        """
        few = hits[:: max(1, len(hits) // 20)]
        steps = np.arange(-reach, reach, 0.25)
        shifts = near + np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        cost = np.zeros(len(shifts))
        for hit in few:
            cells = np.clip(np.rint((hit + shifts + 60.0) / self._cell), 0, len(self._grid) - 1).astype(int)
            cost += np.minimum(self._grid[cells[:, 0], cells[:, 1]], 0.5)
        shift = shifts[cost.argmin()]
        for _ in range(12):
            gaps = self.gaps(hits + shift)
            slopes = np.stack(
                [(self.gaps(hits + shift + step) - gaps) / 1e-6 for step in 1e-6 * np.eye(2)], axis=1
            )
            close = np.abs(gaps) <= max(0.01, 3.0 * float(np.median(np.abs(gaps))))
            shift = shift - np.linalg.lstsq(slopes[close], gaps[close], rcond=None)[0]
        determined = np.linalg.svd(slopes[close], compute_uv=False)[-1] > 1.7  # by three rays across
        return shift, np.abs(self.gaps(hits + shift)) if determined else np.full(len(hits), np.inf)


class Track(NamedTuple):
    """What comes of playing each row from the one before it, as if there were nothing but the floor.

    Attributes:
        errors: difference of the velocities, m/s ``[T]``; NaN for first rows of episodes.
        headings: degrees ``[T]``, relative to the episode's first row.
        places: x and z in metres ``[T, 2]``, along the axes of the first row.
    """

    errors: Array
    headings: Array
    places: Array


def play_rows(recording: Recording, stage: Stage) -> Track:
    """Play all rows, each from the recorded velocity of the one before it."""
    count = len(recording.actions)
    track = Track(np.full(count, np.nan), np.zeros(count), np.zeros((count, 2)))
    for start, end in pairwise(recording.starts):
        for row in range(start + 1, end):
            before, action = recording.velocities[row - 1], int(recording.actions[row])
            # In the air there is no friction.
            stage.put_agent(Pose(0.0, 0.0, 0.0), before, 0.5 if abs(before[1]) < 1e-3 else 50.0)
            track.errors[row] = np.abs(stage.act(action) - recording.velocities[row]).max()
            x, _, z = stage.area.agent.position
            heading = track.headings[row - 1]
            track.places[row] = track.places[row - 1] + _turned(np.array([x, z]), heading)
            turn = {TURN_RIGHT: 1.0, TURN_LEFT: -1.0}.get(action, 0.0)
            track.headings[row] = heading + turn * DEGREES_PER_STEP * DECISION_PERIOD
    return track


def find_poses(recording: Recording, track: Track, walls: Walls) -> dict[int, Pose]:
    """Poses of the rows that belong to an undisturbed stretch which saw enough walls, by row."""
    poses: dict[int, Pose] = {}
    for start, end in pairwise(recording.starts):
        stretches = _undisturbed(track, start + LANDED, end - 1)
        headings = track.headings + _heading_of_first(recording, track, start, end - 1)
        places = _turned(track.places, headings[start])
        quarter, anchor, shift = _lay_longest(recording, headings, places, stretches, walls)
        headings, places = headings + 90.0 * quarter, _turned(places, 90.0 * quarter)
        for order in (range(anchor, len(stretches)), range(anchor, -1, -1)):
            near = shift
            for index in order:
                rows = stretches[index]
                hits = _level_hits(recording, rows, places, headings, WALL)
                if len(hits) < 8:
                    continue
                found, off = walls.find(hits, near, 4.0)
                if off.max() < 0.025:
                    near = found
                    for row in rows.tolist():
                        x, z = (places[row] + found).tolist()
                        poses[row] = Pose(x, z, float(headings[row]))
    return poses


def compare_rays(recording: Recording, stage: Stage, poses: dict[int, Pose], kind: int) -> Rays:
    """Cast the rays of all rows with a pose, and compare those that met one kind of thing."""
    same, errors = [], []
    for row, pose in poses.items():
        stage.put_agent(pose, np.zeros(3))
        kinds, distances = stage.look()
        chosen = recording.kinds[row] == kind
        agreed = chosen & (kinds == kind)
        same.append(agreed[chosen])
        errors.append(np.abs(distances - recording.distances[row])[agreed])
    return Rays(np.concatenate(same), np.concatenate(errors))


def find_switch(
    recording: Recording, poses: dict[int, Pose], start: int, end: int
) -> tuple[float, float] | None:
    """x and z of the switch of an episode, from the level rays that met it before it was touched."""
    rows = np.array([row for row in range(start, end) if row in poses], np.int64)
    if not len(rows):
        return None
    columns = np.array([poses.get(row, Pose(0.0, 0.0, 0.0)) for row in range(end)])
    hits = _level_hits(recording, rows, columns[:, :2], columns[:, 2], OFF)
    if len(hits) < 8:
        return None
    half = np.full(2, _SWITCH_HALF)
    steps = np.linspace(-3.0, 3.0, 61)
    places = hits.mean(axis=0) + np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    gaps = _box_distance(hits[:, None] - places, half) - RAY_RADIUS
    place = places[np.minimum(np.abs(gaps), 0.3).sum(axis=0).argmin()]
    for _ in range(12):
        gaps = _box_distance(hits - place, half) - RAY_RADIUS
        ahead = [_box_distance(hits - place - step, half) - RAY_RADIUS for step in 1e-6 * np.eye(2)]
        slopes = np.stack([(other - gaps) / 1e-6 for other in ahead], axis=1)
        place = place - np.linalg.lstsq(slopes, gaps, rcond=None)[0]
    return (float(place[0]), float(place[1])) if np.abs(gaps).max() < 1e-3 else None


def run_into_switch(
    recording: Recording, stage: Stage, poses: dict[int, Pose], start: int, end: int, rows: int
) -> tuple[Array, Array] | None:
    """Velocities recorded and played ``[rows, 3]``, from the last row before the switch was touched."""
    touched = start + int(recording.switch[start:end].argmax())
    first = touched - 1
    place = find_switch(recording, poses, start, touched)
    if first not in poses or place is None:
        return None
    stage.put_switch(place)
    stage.put_agent(poses[first], recording.velocities[first])
    played = [stage.act(int(recording.actions[row])) for row in range(touched, touched + rows)]
    stage.put_switch(None)
    return recording.velocities[touched : touched + rows], np.array(played)


def _undisturbed(track: Track, start: int, end: int) -> list[NDArray[np.int64]]:
    """Rows between which the agent touched nothing."""
    breaks = [row for row in range(start + 1, end) if track.errors[row] > _SAME]
    return [np.arange(first, last) for first, last in pairwise([start, *breaks, end])]


def _lay_longest(
    recording: Recording,
    headings: Array,
    places: Array,
    stretches: list[NDArray[np.int64]],
    walls: Walls,
) -> tuple[int, int, Array]:
    """Quarter turns to the right that make the longest stretch fit, which one that is, and its shift."""
    longest = max(range(len(stretches)), key=lambda index: len(stretches[index]))
    found = []
    for quarter in range(4):
        turned = _turned(places, 90.0 * quarter)
        hits = _level_hits(recording, stretches[longest], turned, headings + 90.0 * quarter, WALL)
        shift, off = walls.find(hits, np.zeros(2), 50.0)
        found.append((float(np.minimum(off, 0.1).sum()), quarter, shift))
    _, quarter, shift = min(found, key=lambda one: one[0])
    return quarter, longest, shift


def _heading_of_first(recording: Recording, track: Track, start: int, end: int) -> float:
    """Whole degrees, 0 to 89: neighbouring rays that met one wall then have equal x or equal z."""
    walls = recording.kinds[start:end, 0] == WALL
    angles = np.radians(track.headings[start:end, None]) + LEVEL_ANGLES
    scores = []
    for degrees in range(90):
        yaw = angles + math.radians(degrees)
        hits = recording.distances[start:end, 0, :, None] * np.stack([np.sin(yaw), np.cos(yaw)], axis=-1)
        aligned = 0
        for one, other in ((0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)):
            close = (np.abs(hits[:, one] - hits[:, other]) < 0.003).any(axis=1)
            aligned += int((close & walls[:, one] & walls[:, other]).sum())
        scores.append(aligned)
    return float(np.argmax(scores))


def _level_hits(
    recording: Recording, rows: NDArray[np.int64], places: Array, headings: Array, kind: int
) -> Array:
    """Centres ``[n, 2]`` of the spheres of level rays where they met something."""
    yaw = np.radians(headings[rows])[:, None] + LEVEL_ANGLES
    ways = recording.distances[rows, 0, :, None] * np.stack([np.sin(yaw), np.cos(yaw)], axis=-1)
    return (places[rows][:, None] + ways)[recording.kinds[rows, 0] == kind]


def _box_distance(offsets: Array, half: Array) -> Array:
    """Distance ``[...]`` of ``offsets`` ``[..., 2]`` from a rectangle about 0, negative inside."""
    beyond = np.abs(offsets) - half
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=-1)
    return outside + np.minimum(beyond.max(axis=-1), 0.0)


def _turned(points: Array, degrees: float) -> Array:
    """Points ``[..., 2]`` (x, z), turned clockwise seen from above."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, z = points[..., 0], points[..., 1]
    return np.stack([c * x + s * z, c * z - s * x], axis=-1)


def _kinds(rays: NDArray[np.float32]) -> NDArray[np.int64]:
    flags = rays[..., :7]
    return np.where(flags.any(axis=-1), flags.argmax(axis=-1), UNTAGGED)


def main(path: Path) -> None:
    """Print everything."""
    recording, stage, walls = read_recording(path), Stage(), Walls()
    track = play_rows(recording, stage)
    errors = track.errors[np.isfinite(track.errors)]
    print(
        f"velocities: {100 * (errors < 1e-4).mean():.1f} % of {len(errors)} predicted to 1e-4 m/s, median "
        f"difference {np.median(errors):.1e} m/s"
    )
    poses = find_poses(recording, track, walls)
    rays = compare_rays(recording, stage, poses, WALL)
    quantiles = np.percentile(rays.error, (50, 90, 99)).round(4)
    print(
        f"walls, from {len(poses)} rows: {len(rays.same)} rays, {100 * rays.same.mean():.2f} % the same, "
        f"difference (50, 90, 99 %): {quantiles} m"
    )
    for start, end in pairwise(recording.starts):
        touched = start + int(recording.switch[start:end].argmax())
        place = find_switch(recording, poses, start, touched)
        if place is None:
            continue
        stage.put_switch(place)
        before = {row: pose for row, pose in poses.items() if start <= row < touched}
        rays = compare_rays(recording, stage, before, OFF)
        print(
            f"switch of rows {start}-{end}: {len(rays.same)} rays, {100 * rays.same.mean():.1f} % the same, "
            f"difference at most {rays.error.max():.5f} m"
        )
        stage.put_switch(None)
        run = run_into_switch(recording, stage, poses, start, end, 5)
        if run is not None:
            print("  run into, m/s:", *(f"{a.round(2)} / {b.round(2)};" for a, b in zip(*run, strict=True)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
