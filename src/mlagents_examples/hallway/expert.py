"""A scripted player of Hallway, who knows where the right goal is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlagents_examples.movement import FORWARD, TURN_LEFT, TURN_RIGHT

if TYPE_CHECKING:
    from mlagents_examples.hallway.area import HallwayArea

_LOOK_AHEAD = 6.0  # metres
_LANE = 1.07  # the lane is a little outside the goal's middle, to pass by the symbol
_HEADING_TOLERANCE = 12.0  # degrees; one decision turns by 18
_TURNING_SPEED = 3.0  # m/s


def choose_action(area: HallwayArea) -> int:
    """The action of one decision: join the lane of the right goal and follow it."""
    x, _, _ = area.agent.position
    fx, _, fz = area.agent.forward
    wanted = math.degrees(math.atan2(_LANE * area.goal_x - x, _LOOK_AHEAD))
    error = (wanted - math.degrees(math.atan2(fx, fz)) + 180.0) % 360.0 - 180.0
    if abs(error) > _HEADING_TOLERANCE:
        return TURN_RIGHT if error > 0.0 else TURN_LEFT
    return FORWARD
