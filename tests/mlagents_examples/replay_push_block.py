"""Replays a recorded PushBlock demonstration in our physics, and prints how far the predictions are off.

    python tests/mlagents_examples/replay_push_block.py ExpertPush.demo

The recording holds rays, no states. So the start of an episode is reconstructed: the agent's heading from
two rays that met the goal's face at any time of the episode (turns are exact), its place from rays that met
goal and walls, the block's place from the rays that met it before it was pushed. Then the whole episode is
played from there with the recorded actions, without correcting anything on the way, and the rays of both
sensors are compared with the recorded ones at every decision. Episodes of which the start cannot be
reconstructed are left out.

What the recording shows of the original of its time: gravity was 9.81 m/s²; the action in a row was
carried out *before* the row's observation; at an episode's first observation one action has been carried
out since the reset already.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.demonstrations import read_demonstration
from mlagents_examples.movement import TURN_LEFT, TURN_RIGHT, walk
from mlagents_examples.push_block import DECISION_PERIOD, PushBlockAgent, PushBlockArea, build_scene
from mlagents_examples.push_block.agent import DEGREES_PER_STEP, SIDEWAYS_SPEED, SPEED
from mlagents_sdk import Academy
from mlagents_sdk.physics import PhysicsWorld
from mlagents_sdk.physics.rotations import yaw_rotation

Array = NDArray[np.float64]

RAY_LENGTH = 12.0
RAY_RADIUS = 0.5
RAY_DEGREES = np.array([0.0, 30.0, -30.0, 60.0, -60.0, 90.0, -90.0])
BLOCK, GOAL, WALL, MISS = range(4)
GOAL_FACE = -8.35 + RAY_RADIUS  # z of the centre of a sphere that touches it
WALL_FACE = 12.5 - RAY_RADIUS  # the same for walls, along x and towards +z
BLOCK_HALF = 1.0
LANDED = 5
"""Decisions after which agent and block rest on the floor."""


class Replay(NamedTuple):
    """What came of the rays, for all that were compared after landing, before and after the first push.

    Attributes:
        episodes: number of episodes replayed.
        same_before: whether both rays met the same kind of thing ``[R]``, before the first push.
        error_before: difference of the distances where they did, metres ``[<= R]``.
        same_after: the same from the first push on.
        error_after: the same.
    """

    episodes: int
    same_before: NDArray[np.bool_]
    error_before: Array
    same_after: NDArray[np.bool_]
    error_after: Array


class Episode(NamedTuple):
    """Recorded rows of one episode without the terminal one, ``T`` of them.

    Attributes:
        kinds: what each ray met, one of BLOCK ... MISS ``[T, 2, 7]``; sensors raised, level.
        distances: metres ``[T, 2, 7]``.
        actions: carried out before each row ``[T]``.
    """

    kinds: NDArray[np.int64]
    distances: Array
    actions: NDArray[np.int64]


def replay(path: Path) -> Replay:
    """Play all episodes of a recording whose start can be reconstructed."""
    stage = _Stage()
    same: tuple[list[Array], list[Array]] = ([], [])
    errors: tuple[list[Array], list[Array]] = ([], [])
    count = 0
    for episode in _episodes(path):
        heading = find_heading(episode)
        place = None if heading is None else find_place(episode.kinds[0], episode.distances[0], heading)
        if heading is None or place is None:
            continue
        alone = stage.play(episode, heading, place, None)
        block = find_block(episode, alone)
        if block is None:
            continue
        count += 1
        played = stage.play(episode, heading, place, block)
        for row in range(LANDED, len(episode.actions)):
            agreed = played.kinds[row] == episode.kinds[row]
            after = int(played.pushed[row])
            same[after].append(agreed.ravel())
            errors[after].append(np.abs(played.distances[row] - episode.distances[row])[agreed])
    join = np.concatenate
    return Replay(count, join(same[0]), join(errors[0]), join(same[1]), join(errors[1]))


def find_heading(episode: Episode) -> float | None:
    """Degrees between the way to the goal and where the agent looks at the first row, clockwise."""
    turns = np.where(episode.actions == TURN_RIGHT, 1.0, 0.0) - np.where(
        episode.actions == TURN_LEFT, 1.0, 0.0
    )
    turned = np.cumsum(turns * DEGREES_PER_STEP * DECISION_PERIOD)
    turned -= turned[0]
    for row in range(len(episode.actions)):
        rays = np.flatnonzero(episode.kinds[row, 1] == GOAL)
        if len(rays) < 2:
            continue
        # d cos(heading + angle) is the distance from the goal's face, the same for both rays.
        angle = np.radians(RAY_DEGREES[rays[:2]])
        along, across = episode.distances[row, 1, rays[:2]] * [np.cos(angle), np.sin(angle)]
        heading = np.degrees(np.arctan((along[0] - along[1]) / (across[0] - across[1])))
        return float(heading - turned[row])
    return None


def find_place(kinds: NDArray[np.int64], distances: Array, heading: float) -> tuple[float, float] | None:
    """x and z of the agent from the rays ``(2, 7)`` that met goal and walls; None where they are too few."""
    directions = ray_directions(heading)
    z_known = [GOAL_FACE - distances[1, ray] * directions[ray, 1] for ray in np.flatnonzero(kinds[1] == GOAL)]
    walls = np.flatnonzero(kinds[1] == WALL)
    faces = ((0, WALL_FACE), (0, -WALL_FACE), (1, WALL_FACE))
    found: tuple[list[float], list[float]] = ([], z_known[:1])
    for ray in walls:
        for axis, face in faces:
            if directions[ray, axis] * face > 0.02 and not (axis == 1 and z_known):
                found[axis].append(face - distances[1, ray] * directions[ray, axis])
    for x in found[0]:
        for z in found[1]:
            if max(abs(x), z) > WALL_FACE or z < GOAL_FACE:
                continue
            expected = [
                min(
                    (face - (x, z)[axis]) / directions[ray, axis]
                    for axis, face in faces
                    if directions[ray, axis] * face > 0.0
                )
                for ray in walls
            ]
            if np.abs(np.array(expected) - distances[1, walls]).max() < 1e-3:
                return float(x), float(z)
    return None


def find_block(episode: Episode, alone: _Played) -> Array | None:
    """x and z of the block from all level rays that met it where it lay at first; None if too few did.

    Args:
        episode: the recording.
        alone: the same played without a block; its agent is right until it meets the block.
    """
    touches = np.zeros((0, 2))
    directions = np.zeros((0, 2))
    block = None
    for row in range(len(episode.actions)):
        seen = episode.kinds[row, 1] != BLOCK
        if (alone.kinds[row, 1] != episode.kinds[row, 1])[seen].any():
            break
        rays = np.flatnonzero(~seen)
        if not len(rays):
            continue
        ways = ray_directions(alone.heading[row])[rays]
        centers = alone.place[row] + episode.distances[row, 1, rays, None] * ways
        more = np.concatenate([touches, centers]), np.concatenate([directions, ways])
        fitted = _fit_block(*more) if len(more[0]) >= 2 else None
        if fitted is None and block is not None:
            break  # pushed by now
        touches, directions = more
        block = fitted
    return block


def ray_directions(heading: float) -> Array:
    """x and z ``(7, 2)`` of the directions of the rays."""
    yaw = np.radians(180.0 + heading + RAY_DEGREES)
    return np.stack([np.sin(yaw), np.cos(yaw)], axis=1)


def _fit_block(touches: Array, directions: Array) -> Array | None:
    """Where a block must be for spheres at ``touches`` to touch it, coming along ``directions``."""
    for angle in np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False):
        block = touches.mean(axis=0) + 1.3 * np.array([np.sin(angle), np.cos(angle)])
        for _ in range(60):  # Gauss-Newton
            gaps = _gap(touches - block)
            slopes = np.stack(
                [(_gap(touches - block - shift) - gaps) / 1e-6 for shift in 1e-6 * np.eye(2)], axis=1
            )
            step = np.linalg.lstsq(slopes, -gaps, rcond=None)[0]
            block = block + np.clip(step, -0.5, 0.5)
            if np.abs(step).max() < 1e-10:
                break
        unique = np.linalg.svd(slopes, compute_uv=False)[-1] > 0.05
        outside = (_gap(touches - 0.01 * directions - block) > -1e-4).all()
        if unique and outside and np.abs(gaps).max() < 1e-3:
            return block
    return None


def _gap(offsets: Array) -> Array:
    """Distance ``(n,)`` between spheres at ``offsets`` ``(n, 2)`` from a block and its sides."""
    beyond = np.abs(offsets) - BLOCK_HALF
    outside = np.hypot(*np.maximum(beyond, 0.0).T)
    return outside + np.minimum(beyond.max(axis=1), 0.0) - RAY_RADIUS


class _Played(NamedTuple):
    """Rows like those of an episode, and the states behind them."""

    kinds: NDArray[np.int64]
    distances: Array
    place: Array
    heading: Array
    pushed: NDArray[np.bool_]


class _Stage:
    """One area of PushBlock in which episodes are played."""

    def __init__(self) -> None:
        self._world = PhysicsWorld(build_scene())
        self._world.areas[0].gravity = (0.0, -9.81, 0.0)
        self._area = PushBlockArea(self._world.areas[0])
        self._agent = PushBlockAgent(Academy(), self._area)
        self._agent.enable()

    def play(
        self, episode: Episode, heading: float, place: tuple[float, float], block: Array | None
    ) -> _Played:
        """Play with the recorded actions from the agent's heading and place at the first row."""
        area = self._area
        for body in (area.agent, area.block):
            body.stop()
        area.block.enabled = block is not None
        if block is not None:
            area.block.position = (float(block[0]), 1.0, float(block[1]))
        area.agent.position = (0.0, 1.0, 0.0)
        area.agent.rotation = yaw_rotation(180.0 + heading)
        first = int(episode.actions[0])
        if first in (TURN_LEFT, TURN_RIGHT):
            area.agent.turn((-1 if first == TURN_RIGHT else 1) * DEGREES_PER_STEP * DECISION_PERIOD)
        self._act(first)
        area.agent.position = (place[0], area.agent.position[1], place[1])
        rows = [self._look()]
        for action in episode.actions[1:].tolist():
            self._act(action)
            rows.append(self._look())
        kinds, distances, places, headings, blocks = (np.array(column) for column in zip(*rows, strict=True))
        pushed = np.abs(blocks - blocks[0]).max(axis=1) > 1e-4
        return _Played(kinds, distances, places, headings, pushed)

    def _act(self, action: int) -> None:
        for _ in range(DECISION_PERIOD):
            walk(self._area.agent, action, SPEED, DEGREES_PER_STEP, SIDEWAYS_SPEED)
            self._world.step()

    def _look(self) -> tuple[NDArray[np.int64], Array, tuple[float, float], float, tuple[float, float]]:
        frames = []
        for sensor in self._agent.runtime.observation_sensors():
            stacked = np.zeros(105, np.float32)
            sensor.update()
            sensor.write(stacked)
            frames.append(stacked[-35:].reshape(7, 5))
        frame = np.stack(frames)
        x, _, z = self._area.agent.position
        fx, _, fz = self._area.agent.forward
        block_x, _, block_z = self._area.block.position
        heading = float(np.degrees(np.arctan2(-fx, -fz)))
        return (*_decode(frame), (x, z), heading, (block_x, block_z))


def _decode(frames: NDArray[np.float32]) -> tuple[NDArray[np.int64], Array]:
    return frames[..., :4].argmax(axis=-1), RAY_LENGTH * frames[..., 4].astype(np.float64)


def _episodes(path: Path) -> Iterator[Episode]:
    demo = read_demonstration(path)
    rays = np.stack([stacked.reshape(-1, 3, 7, 5)[:, 2] for stacked in demo.obs], axis=1)
    kinds, distances = _decode(rays)
    ends = np.flatnonzero(demo.done)
    # What was done before the first episode's first row is not recorded, so it is left out.
    for start, end in zip(ends[:-1] + 1, ends[1:], strict=True):
        rows = slice(start, end)
        yield Episode(kinds[rows], distances[rows], demo.discrete_actions[rows, 0].astype(np.int64))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        result = replay(Path(name))
        print(f"{name}: {result.episodes} episodes")
        for when, same, error in (
            ("before the first push", result.same_before, result.error_before),
            ("afterwards", result.same_after, result.error_after),
        ):
            quantiles = ", ".join(f"{100 * value:.2f}" for value in np.percentile(error, (50, 90, 95, 99)))
            print(
                f"  {when}: {len(same)} rays, {100 * same.mean():.1f} % meet the same kind of thing; "
                f"difference (50, 90, 95, 99 %): {quantiles} cm"
            )
