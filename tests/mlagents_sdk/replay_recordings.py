"""Replays recorded PushBlock and Pyramids demonstrations in our physics, and prints how far we are off.

    python tests/mlagents_sdk/replay_recordings.py ExpertPush.demo ExpertPyramid.demo

**PushBlock.** Observations are rays only. Where agent and block were at the first record of an episode was
found by search, as the place from which our rays, and those of the records until the agent touches the
block, agree with the recorded ones; it stands in :data:`EPISODES`. From there the whole episode is replayed
without correction: each recorded action for five physics steps. Compared are the seven lower rays.

**Pyramids.** Each transition between two records is a test of its own, of the velocity alone: the recorded
velocity is given to a cube on a floor, and the recorded action is carried out. What the agent touched is not
known, so transitions with walls and stones in the way are part of the sample.

In both files the action of a record is the one *before* its observation.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.demonstrations import Demonstration, read_demonstration
from mlagents_sdk import Academy, Agent, BehaviorParameters
from mlagents_sdk.physics import Body, ForceMode, Freeze, Motion, PhysicsMaterial, PhysicsWorld, Scene, Vector
from mlagents_sdk.physics.rotations import yaw_rotation
from mlagents_sdk.sensors.ray_perception import RayPerceptionSensorComponent
from mlagents_sdk.sensors.sensor import Sensor

STEPS_PER_DECISION = 5
GRAVITY = 9.81
"""m/s²: ExpertPush was recorded without the multiplier of the current scene."""

_FORWARD, _BACK, _RIGHT_TURN, _LEFT_TURN, _LEFT, _RIGHT = range(1, 7)


class Episode(NamedTuple):
    """Where an episode of ExpertPush begins.

    Attributes:
        first: its first record.
        last: the record at which it ends.
        x: of the agent, metres.
        z: ditto.
        yaw: of the agent, degrees.
        block_x: metres.
        block_z: ditto.
    """

    first: int
    last: int
    x: float
    z: float
    yaw: float
    block_x: float
    block_z: float


EPISODES = (
    Episode(0, 19, 4.234542, -0.379011, 180.0, -1.8117, -4.37768),
    Episode(71, 93, 4.869237, 2.874822, 220.0, -4.94452, 5.48136),
    Episode(94, 113, -2.79136, -1.240294, 160.0, 0.466, 3.52269),
    Episode(134, 155, -4.159695, -5.705979, 180.0, 3.20255, -1.44905),
    Episode(210, 240, 2.20179, -3.672453, 160.0, -2.44698, 3.69627),
    Episode(335, 360, 3.238689, 2.133558, 140.0, -2.09903, 4.23158),
    Episode(438, 443, 1.52647, 1.735344, 160.0, 3.95055, -4.39205),
    Episode(467, 474, 2.744512, 3.741998, 180.0, 0.74724, -5.15581),
    Episode(526, 551, 5.847179, -2.000469, 160.0, 3.38213, 2.971),
    Episode(570, 585, 4.61677, 2.328998, 180.0, -0.29133, 2.00082),
    Episode(586, 603, -3.520539, -3.670347, 220.0, 0.93979, -3.85781),
    Episode(756, 776, -6.513649, -2.952212, 140.0, -3.50033, 2.24599),
    Episode(786, 803, -4.943516, -1.754098, 200.0, 3.3121, 2.4508),
    Episode(955, 974, -4.836756, -4.814754, 200.0, 0.22811, -0.72918),
    Episode(975, 987, 0.816195, 2.186813, 180.0, -5.97224, -3.40524),
    Episode(988, 995, -1.538998, 0.265826, 200.0, -0.51535, -4.63677),
)


class RayErrors(NamedTuple):
    """How our rays differ from the recorded ones, per record and ray.

    Attributes:
        agrees: bool ``[T, 7]``: both meet the same tag, or nothing.
        distance: metres ``[T, 7]``, where they agree.
        pushed: bool ``[T]``: whether the block has been moved.
    """

    agrees: NDArray[np.bool_]
    distance: NDArray[np.float64]
    pushed: NDArray[np.bool_]


def push_block_scene() -> Scene:
    """PushBlock's area; the ground has no friction of its own."""
    scene = Scene(gravity=(0.0, -GRAVITY, 0.0))
    ice = PhysicsMaterial(0.0, 0.0)
    scene.add_box("ground", (25.0, 1.0, 25.0), (0.0, -0.5, 0.0), material=ice, tag="ground")
    for side in (-1.0, 1.0):
        scene.add_box(f"wall x {side}", (0.5, 2.0, 26.0), (12.75 * side, 0.5, 0.0), tag="wall")
        scene.add_box(f"wall z {side}", (25.0, 2.0, 0.5), (0.0, 0.5, 12.75 * side), tag="wall")
    scene.add_box("goal", (25.0, 3.0, 4.3), (0.0, -0.005, -10.5), tag="goal")
    moving = {"motion": Motion.DYNAMIC, "mass": 10.0, "freeze": Freeze.ROTATION}
    scene.add_box("agent", (1.0, 1.0, 1.0), drag=4.0, tag="agent", **moving)
    scene.add_box("block", (2.0, 0.75, 2.0), drag=0.5, tag="block", **moving)
    return scene


def lower_rays(agent_body: Body) -> Sensor:
    """The sensor without offset."""
    agent = Agent(Academy(), BehaviorParameters("PushBlock", vector_observation_size=0))
    return RayPerceptionSensorComponent(
        agent,
        agent_body,
        ["block", "goal", "wall"],
        rays_per_direction=3,
        max_ray_degrees=90.0,
        ray_length=12.0,
    ).create_sensors()[0]


def _times(factor: float, vector: Vector) -> Vector:
    return (factor * vector[0], factor * vector[1], factor * vector[2])


def act(world: PhysicsWorld, agent: Body, action: int, speed: float, turn: float) -> None:
    """Carry out one decision; ``speed`` in m/s and ``turn`` in degrees per physics step."""
    for _ in range(STEPS_PER_DECISION):
        if action in (_RIGHT_TURN, _LEFT_TURN):
            agent.turn(turn if action == _RIGHT_TURN else -turn)
        elif action in (_FORWARD, _BACK):
            sign = 1.0 if action == _FORWARD else -1.0
            agent.add_force(_times(sign * speed, agent.forward), ForceMode.VELOCITY_CHANGE)
        elif action in (_LEFT, _RIGHT):
            sign = 0.75 if action == _RIGHT else -0.75
            agent.add_force(_times(sign * speed, agent.right), ForceMode.VELOCITY_CHANGE)
        world.step()


def replay_push(demo: Demonstration, episode: Episode) -> RayErrors:
    """Replay one episode from its beginning to the record before its end."""
    world = PhysicsWorld(push_block_scene())
    agent, block = world.areas[0].body("agent"), world.areas[0].body("block")
    sensor = lower_rays(agent)
    actions = demo.discrete_actions[:, 0].tolist()
    agent.position, agent.rotation = (0.0, 101.0, 300.0), yaw_rotation(episode.yaw)
    block.position = (episode.block_x, 1.0, episode.block_z)
    if episode.first > 0:
        # The reset, at rest one metre up, was one decision before: fall, far from everything.
        before = actions[episode.first]
        agent.turn({_RIGHT_TURN: -20.0, _LEFT_TURN: 20.0}.get(before, 0.0))
        act(world, agent, before, 3.0, 4.0)
    agent.position = (episode.x, agent.position[1] - 100.0, episode.z)
    rays = np.zeros(35, np.float32)
    agrees, distance, pushed = [], [], []
    for record in range(episode.first, episode.last):
        sensor.write(rays)
        ours = rays.reshape(7, 5).astype(np.float64)
        recorded = demo.obs[1][record].reshape(3, 7, 5)[-1].astype(np.float64)
        agrees.append((ours[:, :4] == recorded[:, :4]).all(1))
        distance.append(12.0 * np.abs(ours[:, 4] - recorded[:, 4]))
        pushed.append(
            abs(block.position[0] - episode.block_x) + abs(block.position[2] - episode.block_z) > 1e-6
        )
        act(world, agent, actions[record + 1], 3.0, 4.0)
    return RayErrors(np.array(agrees), np.array(distance), np.array(pushed))


def replay_pyramids(demo: Demonstration) -> NDArray[np.float64]:
    """Largest error of a velocity component over each transition, m/s ``[T]``."""
    scene = Scene(position_iterations=12, velocity_iterations=12)
    scene.add_box("floor", (900.0, 1.0, 900.0), (0.0, -0.5, 0.0))
    scene.add_box(
        "agent",
        (1.0, 1.0, 1.0),
        motion=Motion.DYNAMIC,
        mass=25.0,
        drag=2.0,
        freeze=Freeze.ROTATION,
    )
    world = PhysicsWorld(scene)
    agent = world.areas[0].body("agent")
    velocities = demo.obs[3][:, 1:].astype(np.float64)
    errors = []
    for record in range(len(demo) - 1):
        if demo.done[record] or demo.done[record + 1]:
            continue
        agent.position, agent.rotation = (0.0, 0.5, 0.0), yaw_rotation(0.0)
        agent.velocity = tuple(velocities[record].tolist())
        act(world, agent, int(demo.discrete_actions[record + 1, 0]), 2.0, 4.0)
        errors.append(np.abs(np.array(agent.to_local(agent.velocity)) - velocities[record + 1]).max())
    return np.array(errors)


def push_table(errors: list[RayErrors]) -> str:
    """Markdown table of the errors of all episodes together."""
    lines = [
        "| records | rays | same tag | median, mm | 90 %, mm | 99 %, mm | largest, mm |",
        "|---|---|---|---|---|---|---|",
    ]
    agrees, distance, pushed = (np.concatenate(column) for column in zip(*errors, strict=True))
    for name, rows in (("before the block moves", ~pushed), ("since it moves", pushed)):
        values = 1000.0 * distance[rows][agrees[rows]]
        numbers = " | ".join(f"{number:.3f}" for number in np.percentile(values, [50, 90, 99, 100]))
        lines.append(
            f"| {name} ({rows.sum()}) | {agrees[rows].size} | {agrees[rows].mean():.2%} | {numbers} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tests/mlagents_sdk/replay_recordings.py ExpertPush.demo ExpertPyramid.demo")
    push, pyramids = (read_demonstration(Path(argument)) for argument in sys.argv[1:])
    print(push_table([replay_push(push, episode) for episode in EPISODES]))
    velocity_errors = replay_pyramids(pyramids)
    shares = ", ".join(
        f"{(velocity_errors < limit).mean():.1%} below {limit} m/s" for limit in (1e-5, 1e-4, 1e-2)
    )
    print(
        f"Pyramids: {len(velocity_errors)} transitions, median {np.median(velocity_errors):.2e} m/s; {shares}"
    )
