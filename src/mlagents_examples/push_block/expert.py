"""A scripted player of PushBlock: walks around the block and pushes it straight into the goal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents_examples.movement import BACK, FORWARD, STAY, STEP_LEFT, STEP_RIGHT, TURN_LEFT, TURN_RIGHT
from mlagents_examples.steering import Gait, Region, Step, heading_of, place_of_rest, step_into

if TYPE_CHECKING:
    from mlagents_examples.push_block.area import PushBlockArea

_GAIT = Gait(sliding_time=0.13, stride=2.0, side_stride=1.4)
_AGENT_HALF = 0.5
_GRIP = 0.3  # metres by which the agent has to overlap the block's face to push it
_GAP = 0.3  # metres to keep from the block when passing by
_INSIDE = 11.5  # metres from the centre within which nobody touches a wall
_BEFORE_GOAL = -7.5
_HEADING_TOLERANCE = 12.0  # degrees; one decision turns by 20
_ACTIONS = {
    Step(0, 0): STAY,
    Step(1, 0): FORWARD,
    Step(-1, 0): BACK,
    Step(0, 1): STEP_RIGHT,
    Step(0, -1): STEP_LEFT,
}


def choose_action(area: PushBlockArea) -> int:
    """The action of one decision, given everything about the area."""
    # Steps aside are the finer ones, so they are kept for aiming: across the way to the goal.
    off_axis = (heading_of(area.agent) + 90.0) % 180.0 - 90.0
    if abs(off_axis) > _HEADING_TOLERANCE:
        return TURN_LEFT if off_axis > 0.0 else TURN_RIGHT
    region = _region_to_go_to(area)
    if region is None:
        return FORWARD if area.agent.forward[2] < 0.0 else BACK
    return _ACTIONS[step_into(region, area.agent, _GAIT)]


def _region_to_go_to(area: PushBlockArea) -> Region | None:
    """Where the agent should come to rest; None when it should push towards negative z."""
    x, _, z = area.agent.position
    rest_x, _ = place_of_rest(area.agent, _GAIT)
    block_x, _, block_z = area.block.position
    reach = 0.5 * area.block_size + _AGENT_HALF
    behind = block_z + reach
    grip = reach - _GRIP
    if z > behind - 0.1:
        if abs(x - block_x) < grip and abs(rest_x - block_x) < grip:
            return None
        return Region(block_x - grip, block_x + grip, behind + _GAP, _INSIDE)
    clear = reach + _GAP
    low_x, high_x = (block_x + clear, _INSIDE) if x > block_x else (-_INSIDE, block_x - clear)
    if abs(x - block_x) > reach + 0.5 * _GAP:
        return Region(low_x, high_x, behind + _GAP, _INSIDE)
    return Region(low_x, high_x, _BEFORE_GOAL, max(z, block_z - reach))
