"""The world of 3DBall: a platform that can be tilted and a ball on it."""

from __future__ import annotations

from random import Random

from mlagents_sdk.physics import Lighting, Motion, PhysicsMaterial, Scene, Shape, TrainingArea
from mlagents_sdk.physics.rotations import IDENTITY, euler_rotation, turned_about_x, turned_about_z

DEGREES_PER_STEP = 2.0
"""How far an action of 1 turns the platform in one physics step."""

TILT_LIMIT = 0.25
"""The x and z components of the platform's quaternion stay below this (about 29 degrees)."""

_LOWEST = -2.0  # metres below the platform's centre, where the ball counts as lost
_FARTHEST = 3.0  # metres sideways from it
_START_HEIGHT = 4.0
_START_SPREAD = 1.5
_START_TILT = 10.0  # degrees

# Recordings of the original show a bounciness of 0.05 between ball and platform (docs/fidelity-3dball.md).
_BALL_MATERIAL = PhysicsMaterial(bounciness=0.1)


_BLUE = (0.129, 0.588, 0.953)
_ORANGE = (1.0, 0.6, 0.0)
_WHITE = (1.0, 1.0, 1.0)
_BLACK = (0.1, 0.1, 0.1)


def build_scene() -> Scene:
    """The scene of one area; the platform's centre is the origin."""
    scene = Scene(timestep=0.02, lighting=Lighting(euler_rotation(40.0, -45.0), intensity=0.7, ambient=0.8))
    scene.add_box("platform", size=(5.0, 5.0, 5.0), motion=Motion.SCRIPTED, color=_BLUE)
    scene.decorate("platform", Shape.box((5.02, 0.8, 5.02), color=_ORANGE))
    scene.add_sphere(
        "ball",
        radius=0.5,
        position=(0.0, 4.31, 0.0),
        motion=Motion.DYNAMIC,
        material=_BALL_MATERIAL,
        mass=1.0,
        drag=0.0,
        angular_drag=0.01,
        color=_WHITE,
        checks=_BLACK,
    )
    return scene


class BalanceBallArea:
    """One platform and its ball.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        platform: handle on the platform.
        ball: handle on the ball.
    """

    def __init__(self, area: TrainingArea) -> None:
        self._area = area
        self.platform = area.transform("platform")
        self.ball = area.body("ball")

    def tilt(self, around_z: float, around_x: float) -> None:
        """Turn the platform about its own z axis, then about its own x axis.

        A turn is left out when it would push a tilt further that is at its limit already.

        Args:
            around_z: action in [-1, 1], clipped; 1 is :data:`DEGREES_PER_STEP`.
            around_x: the same.
        """
        degrees_z = DEGREES_PER_STEP * min(max(around_z, -1.0), 1.0)
        degrees_x = DEGREES_PER_STEP * min(max(around_x, -1.0), 1.0)
        rotation = self.platform.rotation
        z = rotation[2]
        if (degrees_z > 0.0 and z < TILT_LIMIT) or (degrees_z < 0.0 and z > -TILT_LIMIT):
            rotation = turned_about_z(rotation, degrees_z)
        x = rotation[0]
        if (degrees_x > 0.0 and x < TILT_LIMIT) or (degrees_x < 0.0 and x > -TILT_LIMIT):
            rotation = turned_about_x(rotation, degrees_x)
        self.platform.rotation = rotation

    def ball_is_lost(self) -> bool:
        """Whether the ball fell below the platform or left it sideways."""
        x, y, z = self.ball.position
        return y < _LOWEST or abs(x) > _FARTHEST or abs(z) > _FARTHEST

    def observation(self) -> tuple[float, ...]:
        """Tilt (z and x of the quaternion), position of the ball (m) and its velocity (m/s): 8 floats."""
        x, _, z, _ = self.platform.rotation
        return (z, x, *self.ball.position, *self.ball.velocity)

    def reset(self, rng: Random) -> None:
        """Tilt the platform a little and drop the ball on it; the ball keeps its spin."""
        uniform = rng.uniform
        rotation = turned_about_x(IDENTITY, uniform(-_START_TILT, _START_TILT))
        self.platform.rotation = turned_about_z(rotation, uniform(-_START_TILT, _START_TILT))
        self.ball.velocity = (0.0, 0.0, 0.0)
        self.ball.position = (
            uniform(-_START_SPREAD, _START_SPREAD),
            _START_HEIGHT,
            uniform(-_START_SPREAD, _START_SPREAD),
        )

    def set_parameters(self, mass: float, scale: float, gravity: float) -> None:
        """Change the ball's mass (kg) and scale, and gravity (m/s², downwards)."""
        self.set_mass_and_scale(mass, scale)
        self.set_gravity(gravity)

    def set_mass_and_scale(self, mass: float, scale: float) -> None:
        """Change the ball's mass (kg) and scale."""
        self.ball.mass = mass
        self.ball.scale = scale

    def set_gravity(self, gravity: float) -> None:
        """Change gravity at once (m/s², downwards)."""
        self._area.gravity = (0.0, -gravity, 0.0)
