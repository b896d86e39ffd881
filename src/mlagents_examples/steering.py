"""How scripted players steer a fast body by coarse steps.

One decision moves such a body by a metre or two and it slides on, so aiming at points fails. Instead a
player picks the step after which the body will come to rest in a region, or nearest to it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from mlagents_sdk.physics import Body


class Region(NamedTuple):
    """A rectangle of the floor, metres."""

    low_x: float
    high_x: float
    low_z: float
    high_z: float

    def distance(self, x: float, z: float) -> float:
        """How far outside a point is, along x plus along z."""
        return max(self.low_x - x, 0.0, x - self.high_x) + max(self.low_z - z, 0.0, z - self.high_z)


class Gait(NamedTuple):
    """How a body moves, measured on the floor.

    Attributes:
        sliding_time: seconds for which it slides on at its present speed.
        stride: metres that one decision to step forward or back moves it, from rest to rest.
        side_stride: the same for a step aside.
    """

    sliding_time: float
    stride: float
    side_stride: float


class Step(NamedTuple):
    """One of five ways to step; at most one of the numbers is not 0.

    Attributes:
        ahead: 1 forward, -1 back.
        right: 1 to the right, -1 to the left.
    """

    ahead: int
    right: int


STEPS = (Step(0, 0), Step(0, 1), Step(0, -1), Step(1, 0), Step(-1, 0))
"""In the order of preference where they are equally good; those aside are the finer ones."""


def place_of_rest(body: Body, gait: Gait) -> tuple[float, float]:
    """Where a body that does nothing comes to rest: x and z, metres."""
    x, _, z = body.position
    vx, _, vz = body.velocity
    return x + gait.sliding_time * vx, z + gait.sliding_time * vz


def step_into(region: Region, body: Body, gait: Gait) -> Step:
    """The step after which a body comes to rest in a region or nearest to it; none where it need not."""
    x, z = place_of_rest(body, gait)
    fx, _, fz = body.forward

    def distance_after(step: Step) -> float:
        ahead, right = gait.stride * step.ahead, gait.side_stride * step.right
        return region.distance(x + ahead * fx + right * fz, z + ahead * fz - right * fx)

    return min(STEPS, key=distance_after)


def heading_of(body: Body) -> float:
    """Degrees between z and where a body looks, positive clockwise, -180 to 180."""
    x, _, z = body.forward
    return math.degrees(math.atan2(x, z))


class Course(NamedTuple):
    """How a body has to change its way.

    Attributes:
        turn: degrees to the right from where it looks to where it should go, -180 to 180.
        speed: how fast it goes where it looks, m/s.
    """

    turn: float
    speed: float


def course_to(x: float, z: float, body: Body, reaction: float) -> Course:
    """The course to a point, metres, for who looks ``reaction`` seconds ahead of the own motion."""
    at_x, _, at_z = body.position
    vx, _, vz = body.velocity
    fx, _, fz = body.forward
    to_x, to_z = x - at_x - reaction * vx, z - at_z - reaction * vz
    turn = math.degrees(math.atan2(to_x * fz - to_z * fx, to_x * fx + to_z * fz))
    return Course(turn, fx * vx + fz * vz)
