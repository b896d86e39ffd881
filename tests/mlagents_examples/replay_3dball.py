"""Replays recorded 3DBall demonstrations in our physics, and prints how far the predictions are off.

    python tests/mlagents_examples/replay_3dball.py Expert3DBall.demo Recent3DBall.demo

Every recorded decision is a test of its own: platform and ball are put where the observation has them,
the recorded action is carried out for the five physics steps of a decision, and the result is compared
with the next recorded observation. What the observation does not tell is carried over from the step
before: the y component of the platform's quaternion (0 turns about y at an episode's beginning) and the
spin of the ball (taken as unchanged by the beginning of an episode; 0 in the first).
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.demonstrations import Demonstration, action_alignment, read_demonstration
from mlagents_examples.balance_ball import DECISION_PERIOD
from mlagents_examples.balance_ball.area import BalanceBallArea, build_scene
from mlagents_sdk.physics import PhysicsWorld, Quaternion


class ReplayErrors(NamedTuple):
    """Distance between predicted and recorded states, one row per transition.

    Attributes:
        position: ball, metres ``[T]``.
        velocity: ball, m/s ``[T]``.
        rotation: platform, degrees ``[T]``.
    """

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    rotation: NDArray[np.float64]


def replay(path: Path) -> ReplayErrors:
    """Predict every transition of a recording, except those across the end of an episode."""
    demo = read_demonstration(path)
    world = PhysicsWorld(build_scene())
    area = BalanceBallArea(world.areas[0])
    errors = []
    lag = 1 if action_alignment(demo) == "lagged" else 0
    for row, first in _transitions(demo):
        before, after = demo.obs[0][row].tolist(), demo.obs[0][row + 1].tolist()
        z, x, *ball = before
        area.platform.rotation = (
            _start_rotation(z, x) if first else _known_rotation(z, x, area.platform.rotation)
        )
        area.ball.position = tuple(ball[:3])
        area.ball.velocity = tuple(ball[3:])
        around_z, around_x = demo.continuous_actions[row + lag].tolist()
        for _ in range(DECISION_PERIOD):
            area.tilt(around_z, around_x)
            world.step()
        predicted = area.observation()
        errors.append(
            (
                math.dist(predicted[2:5], after[2:5]),
                math.dist(predicted[5:], after[5:]),
                math.degrees(2.0 * math.dist(predicted[:2], after[:2])),
            )
        )
    return ReplayErrors(*np.array(errors).T)


def _transitions(demo: Demonstration) -> list[tuple[int, bool]]:
    """Rows that are followed by a whole decision of the same episode, and whether each is its first."""
    return [
        (row, row == 0 or bool(demo.done[row - 1]))
        for row in range(len(demo) - 1)
        if not demo.done[row] and not demo.done[row + 1]
    ]


def _start_rotation(z: float, x: float) -> Quaternion:
    """A turn by α about x, then by β about the own z: x = sin α/2 cos β/2, z = cos α/2 sin β/2."""
    total, difference = math.asin(x + z), math.asin(x - z)
    half_x, half_z = 0.5 * (total + difference), 0.5 * (total - difference)
    return (x, -math.sin(half_x) * math.sin(half_z), z, math.cos(half_x) * math.cos(half_z))


def _known_rotation(z: float, x: float, predicted: Quaternion) -> Quaternion:
    y = predicted[1]
    return (x, y, z, math.sqrt(1.0 - x * x - y * y - z * z))


def table(errors: dict[str, ReplayErrors]) -> str:
    """Markdown table of the errors of several recordings."""
    lines = [
        "| recording | transitions | quantity | median | mean | 90 % | 99 % | largest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, error in errors.items():
        for quantity, values in (
            ("ball position, cm", 100.0 * error.position),
            ("ball velocity, cm/s", 100.0 * error.velocity),
            ("platform rotation, degrees", error.rotation),
        ):
            numbers = (np.median(values), values.mean(), *np.percentile(values, [90, 99, 100]))
            cells = " | ".join(f"{number:.5f}" for number in numbers)
            lines.append(f"| {name} | {len(values)} | {quantity} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]]
    if not paths:
        sys.exit("usage: python tests/mlagents_examples/replay_3dball.py FILE.demo ...")
    print(table({path.stem: replay(path) for path in paths}))
