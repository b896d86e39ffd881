"""A scripted player of Sorter: goes inwards from a tile, over to the next one, and outwards to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlagents_examples.sorter.area import place_of_tile
from mlagents_examples.steering import course_to

if TYPE_CHECKING:
    from mlagents_examples.sorter.area import SorterArea

Actions = tuple[int, int, int]
"""One action per branch: ahead, aside, turn."""

_INSIDE = 13.0  # metres from the middle at which it goes from one tile to another
_OUTSIDE = 15.5  # metres from the middle beyond which it may run into tiles
_ASIDE = 0.7  # metres by which it may miss the middle of a tile when it sets out for it
_FAR_ASIDE = 1.5  # the same on the way
_REACTION = 0.2  # seconds by which it looks ahead of its own motion
_HEADING_TOLERANCE = 12.0  # degrees; one decision turns by 20
_SPEED = 9.0  # m/s, at most


def choose_actions(area: SorterArea) -> Actions:
    """The actions of one decision, given everything about the area."""
    if area.next_tile is None:
        return 0, 0, 0
    course = course_to(*_next_place(area, area.next_tile.place), area.agent, _REACTION)
    if abs(course.turn) > _HEADING_TOLERANCE:
        return 0, 0, 2 if course.turn > 0.0 else 1
    return int(course.speed < _SPEED), 0, 0


def _next_place(area: SorterArea, place: int) -> tuple[float, float]:
    """Where to go on the way to a tile: x and z, metres."""
    tile_x, _, tile_z = place_of_tile(place)
    distance = math.hypot(tile_x, tile_z)
    out_x, out_z = tile_x / distance, tile_z / distance
    x, _, z = area.agent.position
    radius = math.hypot(x, z)
    along, across = x * out_x + z * out_z, x * out_z - z * out_x
    if along > 0.0 and abs(across) < (_FAR_ASIDE if radius > _OUTSIDE else _ASIDE):
        return tile_x, tile_z
    if radius > _OUTSIDE:
        return x * _INSIDE / radius, z * _INSIDE / radius
    return _INSIDE * out_x, _INSIDE * out_z
