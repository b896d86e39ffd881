"""The world of Sorter: a round floor inside a ring, and numbered tiles along the ring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from mlagents_sdk.physics import Freeze, Motion, Scene, Shape, TrainingArea, Transform, Vector
from mlagents_sdk.physics.rotations import yaw_rotation

GRAVITY = 2.5 * 9.81
"""m/s², downwards."""

MAX_TILES = 20
"""Tiles are numbered from 1 to this, and there are so many places for them."""

TILE_TAG = "tile"

_FLOOR = -0.21  # height of the floor's surface, m
_DEGREES_BETWEEN_TILES = 360.0 / MAX_TILES
_TILE_SIZE: Vector = (3.5, 4.28, 1.52)
_TILE_DISTANCE, _TILE_HEIGHT = 20.5, 1.84  # of its centre, from the middle and above y = 0, m
_RING_INNER, _RING_OUTER = 20.0, 21.1  # radii, m
_RING_LOW, _RING_HIGH = -0.68, 3.68
_RING_PARTS = 60
_AGENT_START: Vector = (0.0, 1.0, 0.0)
_BLUE, _GREY, _SAND = (0.13, 0.59, 0.95), (0.6, 0.6, 0.6), (0.9, 0.85, 0.7)


class Tile(NamedTuple):
    """A tile that is there.

    Attributes:
        number: 1 to :data:`MAX_TILES`.
        place: which of the places along the ring it stands at, clockwise from the one at +z.
        visited: whether it was touched in its turn.
    """

    number: int
    place: int
    visited: bool


def build_scene() -> Scene:
    """The scene of one area; the middle of the floor is the origin, its surface a little below."""
    scene = Scene(timestep=0.02, gravity=(0.0, -GRAVITY, 0.0))
    side = 2.0 * _RING_OUTER
    scene.add_box("floor", (side, 1.0, side), (0.0, _FLOOR - 0.5, 0.0), color=_SAND)
    scene.add_body("ring", list(_ring_parts()), color=_GREY)
    for place in range(MAX_TILES):
        degrees = _DEGREES_BETWEEN_TILES * place
        scene.add_box(f"tile {place}", _TILE_SIZE, place_of_tile(place), yaw_rotation(degrees), tag=TILE_TAG)
    scene.add_box(
        "agent",
        (1.0, 1.0, 1.0),
        _AGENT_START,
        motion=Motion.DYNAMIC,
        mass=10.0,
        drag=4.0,
        freeze=Freeze.ROTATION,
        tag="agent",
        color=_BLUE,
    )
    return scene


def place_of_tile(place: int) -> Vector:
    """Centre of the tile at one of the places, metres."""
    radians = math.radians(_DEGREES_BETWEEN_TILES * place)
    return (_TILE_DISTANCE * math.sin(radians), _TILE_HEIGHT, _TILE_DISTANCE * math.cos(radians))


class SorterArea:
    """One floor with its agent and tiles.

    Args:
        area: a copy of :func:`build_scene`.

    Attributes:
        agent: handle on the agent's body.
        tiles: those that are there, by ascending numbers.
    """

    def __init__(self, area: TrainingArea) -> None:
        self.agent = area.body("agent")
        self._places = [area.transform(f"tile {place}") for place in range(MAX_TILES)]
        self._place_of = {body.name: place for place, body in enumerate(self._places)}
        self.tiles: list[Tile] = []

    @property
    def next_tile(self) -> Tile | None:
        """The lowest tile that was not visited; None when all were."""
        return next((tile for tile in self.tiles if not tile.visited), None)

    def reset(self, rng: Random, max_tiles: int) -> None:
        """Put up to ``max_tiles`` tiles up, and the agent into the middle; it keeps its heading."""
        count = rng.randint(1, max_tiles)
        numbers = sorted(rng.sample(range(1, MAX_TILES + 1), count))
        places = rng.sample(range(MAX_TILES), count)
        self._put_up([Tile(number, place, False) for number, place in zip(numbers, places, strict=True)])
        self.agent.position = _AGENT_START
        self.agent.velocity = (0.0, 0.0, 0.0)

    def tile_of(self, body: Transform) -> Tile:
        """The tile whose body it is."""
        place = self._place_of[body.name]
        return next(tile for tile in self.tiles if tile.place == place)

    def visit(self, visited: Tile) -> None:
        """Mark a tile."""
        self.tiles = [tile._replace(visited=True) if tile is visited else tile for tile in self.tiles]

    def get_state(self) -> dict[str, Any]:
        """What the physics does not know."""
        return {"tiles": [list(tile) for tile in self.tiles]}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self._put_up([Tile(number, place, bool(visited)) for number, place, visited in state["tiles"]])

    def _put_up(self, tiles: list[Tile]) -> None:
        self.tiles = tiles
        there = {tile.place for tile in tiles}
        for place, body in enumerate(self._places):
            body.enabled = place in there


def _ring_parts() -> Iterator[Shape]:
    """Boxes whose inner faces lie along the ring's inside."""
    degrees = 360.0 / _RING_PARTS
    length = 2.0 * _RING_OUTER * math.tan(math.radians(0.5 * degrees))
    size = (length, _RING_HIGH - _RING_LOW, _RING_OUTER - _RING_INNER)
    radius, height = 0.5 * (_RING_INNER + _RING_OUTER), 0.5 * (_RING_LOW + _RING_HIGH)
    for part in range(_RING_PARTS):
        yaw = part * degrees
        x, z = math.sin(math.radians(yaw)), math.cos(math.radians(yaw))
        yield Shape.box(size, (radius * x, height, radius * z), yaw_rotation(yaw))
