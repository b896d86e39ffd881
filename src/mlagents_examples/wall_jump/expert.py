"""A scripted player of WallJump: jumps over a low wall, and over a high one from the block.

It always looks towards the goal's side and steps aside to aim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents_examples.steering import Gait, Region, Step, heading_of, place_of_rest, step_into
from mlagents_examples.wall_jump.area import WALL_Z

if TYPE_CHECKING:
    from mlagents_examples.wall_jump.area import WallJumpArea

Actions = tuple[int, int, int, int]
"""One action per branch: ahead, turn, aside, jump."""

_GAIT = Gait(sliding_time=0.13, stride=2.0, side_stride=0.9)
_GOAL = Region(4.9, 7.9, 1.4, 4.4)
_HEADING_TOLERANCE = 16.0  # degrees; one decision turns by 30
_BEHIND_THE_WALL = WALL_Z + 1.0
_HIGHEST_WITHOUT_BLOCK = 2.8  # metres above y = 0
_AT_THE_WALL = WALL_Z - 2.25  # z of a block that touches the wall
_TAKE_OFF = WALL_Z - 3.5  # where a jump over the wall begins at the latest
_REACH = 2.0  # half of the block plus half of the agent
_IN_THE_AIR = 1.3  # height of an agent that certainly flies
_FALLING_TIME = 0.35  # seconds for which it keeps its speed
_LOWEST_Z = -13.5
_INSIDE = 9.5  # metres along x within which nobody falls
_ON_THE_BLOCK = 2.7  # height of an agent that stands there, at least


def choose_actions(area: WallJumpArea) -> Actions:
    """The actions of one decision, given everything about the area."""
    heading = heading_of(area.agent)
    if abs(heading) > _HEADING_TOLERANCE:
        return 0, 1 if heading > 0.0 else 2, 0, 0
    _, y, z = area.agent.position
    if z > _BEHIND_THE_WALL:
        if y > _IN_THE_AIR and z + _FALLING_TIME * area.agent.velocity[2] > _GOAL.high_z:
            return 2, 0, 0, 0
        return _towards(area, _GOAL)
    if area.wall_top > _HIGHEST_WITHOUT_BLOCK:
        return _over_a_high_wall(area)
    return _over_a_low_wall(area)


def _over_a_low_wall(area: WallJumpArea) -> Actions:
    """Run along a lane without the block and jump before the wall."""
    block_x = area.block.position[0]
    lane = 0.5 * (_GOAL.low_x + _GOAL.high_x)
    if abs(block_x - lane) < _REACH + 1.0:
        lane = block_x - _REACH - 1.2
    if not _is_within(area, lane, 1.0):
        return _towards(area, Region(lane - 0.6, lane + 0.6, _LOWEST_Z, _TAKE_OFF))
    return 1, 0, 0, int(area.agent.position[2] > _TAKE_OFF - 1.5)


def _over_a_high_wall(area: WallJumpArea) -> Actions:
    """Push the block to the wall, jump onto it, and over the wall from there."""
    x, y, z = area.agent.position
    block_x, _, block_z = area.block.position
    beside = abs(x - block_x) > _REACH + 0.15
    if y > _ON_THE_BLOCK:
        return 1, 0, 0, 1
    if z > block_z - _REACH + 0.1 and not beside:  # between block and wall
        side = 1.0 if x > block_x else -1.0
        return _towards(area, _beside(block_x, side, block_z - _REACH, z))
    if z > block_z - _REACH + 0.1:
        side = 1.0 if x > block_x else -1.0
        return _towards(area, _beside(block_x, side, _LOWEST_Z, block_z - _REACH - 0.3))
    if not _is_within(area, block_x, 1.2):
        return _towards(area, Region(block_x - 0.7, block_x + 0.7, _LOWEST_Z, block_z - _REACH - 0.3))
    pushed = block_z > _AT_THE_WALL - 0.4
    return 1, 0, 0, int(pushed and z > block_z - _REACH - 1.5)


def _beside(block_x: float, side: float, low_z: float, high_z: float) -> Region:
    near, far = block_x + side * (_REACH + 0.3), side * _INSIDE
    return Region(min(near, far), max(near, far), low_z, high_z)


def _is_within(area: WallJumpArea, x: float, tolerance: float) -> bool:
    """Whether the agent is, and comes to rest, in a lane along z."""
    rest_x, _ = place_of_rest(area.agent, _GAIT)
    return abs(area.agent.position[0] - x) < tolerance and abs(rest_x - x) < tolerance


def _towards(area: WallJumpArea, region: Region) -> Actions:
    step: Step = step_into(region, area.agent, _GAIT)
    return step.ahead % 3, 0, -step.right % 3, 0
