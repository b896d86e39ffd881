"""The world of RollerBall: a floor without walls, a ball that can be pushed and a cube to reach."""

from __future__ import annotations

import math
from random import Random

from mlagents_sdk.physics import Motion, Scene, TrainingArea, Vector

REACH = 1.42
"""Distance between the centres of ball and cube, metres, below which the ball has arrived.

Less than that, the ball might touch the cube: a corner is 0.71 m from the cube's centre, the ball's radius
is 0.5 m.
"""

_RADIUS = 0.5
_START: Vector = (0.0, _RADIUS, 0.0)
_TARGET_SPREAD = 4.0  # metres from the centre of the floor, which ends at 5


def build_scene() -> Scene:
    """The scene of one area; the centre of the floor's surface is the origin."""
    scene = Scene(timestep=0.02)
    # The original's floor is infinitely thin. Its thickness matters to a ball whose centre is below the
    # surface, and by then the ball counts as fallen.
    scene.add_box("floor", size=(10.0, 1.0, 10.0), position=(0.0, -0.5, 0.0))
    scene.add_box("target", size=(1.0, 1.0, 1.0), position=(3.0, 0.5, 3.0), motion=Motion.SCRIPTED)
    scene.add_sphere(
        "ball",
        radius=_RADIUS,
        position=_START,
        motion=Motion.DYNAMIC,
        mass=1.0,
        drag=0.0,
        angular_drag=0.05,
    )
    return scene


class RollerBallArea:
    """One floor with its ball and its cube.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        ball: handle on the ball.
        target: handle on the cube.
    """

    def __init__(self, area: TrainingArea) -> None:
        self.ball = area.body("ball")
        self.target = area.transform("target")

    def push(self, force_x: float, force_z: float) -> None:
        """Push the ball at its centre during the next physics step (N)."""
        self.ball.add_force((force_x, 0.0, force_z))

    def target_is_reached(self) -> bool:
        """Whether the ball is nearer to the cube than :data:`REACH`."""
        return math.dist(self.ball.position, self.target.position) < REACH

    def ball_has_fallen(self) -> bool:
        """Whether the ball's centre is below the floor's surface."""
        return self.ball.position[1] < 0.0

    def observation(self) -> tuple[float, ...]:
        """Position of the cube, of the ball (m), and the ball's velocity along x and z (m/s): 8 floats."""
        velocity_x, _, velocity_z = self.ball.velocity
        return (*self.target.position, *self.ball.position, velocity_x, velocity_z)

    def reset(self, rng: Random) -> None:
        """Move the cube; put the ball back only if it fell, else it keeps position and velocity."""
        if self.ball_has_fallen():
            self.ball.angular_velocity = (0.0, 0.0, 0.0)
            self.ball.velocity = (0.0, 0.0, 0.0)
            self.ball.position = _START
        uniform = rng.uniform
        self.target.position = (
            uniform(-_TARGET_SPREAD, _TARGET_SPREAD),
            0.5,
            uniform(-_TARGET_SPREAD, _TARGET_SPREAD),
        )
