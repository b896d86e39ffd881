"""A scripted player of Pyramids, who knows where everything is and finds the way around walls and stones."""

from __future__ import annotations

import math
from collections import deque
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from mlagents_examples.movement import BACK, FORWARD, STAY, TURN_LEFT, TURN_RIGHT
from mlagents_examples.pyramids.area import build_scene
from mlagents_examples.steering import course_to

if TYPE_CHECKING:
    from mlagents_examples.pyramids.area import PyramidsArea
    from mlagents_sdk.physics import Transform

Cell = tuple[int, int]

_CELL = 1.5  # metres
_CELLS = 66  # along x and z
_ROOM_TO_PASS = 1.3  # metres to keep from walls and stones
_LOOK_AHEAD = 8  # cells
_REACTION = 0.25  # seconds by which the player looks ahead of its own motion
_HEADING_TOLERANCE = 12.0  # degrees; one decision turns by 20
_TURNING_SPEED, _SPEED = 4.0, 14.0  # m/s, at most
_STUCK_SPEED, _PATIENCE, _RETREAT = 1.0, 12, 5  # m/s, and decisions


class Expert:
    """Plays one area; remembers its way and whether it got stuck.

    Args:
        area: the area.
    """

    def __init__(self, area: PyramidsArea) -> None:
        self._area = area
        self._steps_left: dict[Cell, int] = {}
        self._planned_for: tuple[str, Cell] | None = None
        self._idle = 0
        self._retreat = 0

    def choose_action(self) -> int:
        """The action of one decision: on to the switch, then to the goal."""
        agent = self._area.agent
        vx, _, vz = agent.velocity
        self._idle = self._idle + 1 if math.hypot(vx, vz) < _STUCK_SPEED else 0
        if self._idle > _PATIENCE:
            self._idle, self._retreat = 0, _RETREAT
        if self._retreat > 0:
            self._retreat -= 1
            return BACK
        course = course_to(*self._next_place(), agent, _REACTION)
        if abs(course.turn) > _HEADING_TOLERANCE:
            if course.speed > _TURNING_SPEED and abs(course.turn) > 90.0:
                return BACK
            return TURN_RIGHT if course.turn > 0.0 else TURN_LEFT
        return FORWARD if course.speed < _SPEED else STAY

    def _next_place(self) -> tuple[float, float]:
        """The farthest place on the way to which nothing bars the straight line: x and z, metres."""
        area = self._area
        target = area.bricks.top if area.is_on else area.switch
        goal = _cell_of(target)
        if self._planned_for != (target.name, goal):
            self._planned_for = (target.name, goal)
            self._steps_left = _steps_to(goal, _blocked_cells(area))
        x, _, z = target.position
        here = _cell_of(area.agent)
        place = here
        for _ in range(_LOOK_AHEAD):
            nearer = min(_neighbours(place), key=lambda cell: self._steps_left.get(cell, 1 << 30))
            if not self._is_straight(here, nearer):
                break
            place = nearer
            if place == goal:
                return x, z
        return (x, z) if place == here else _middle_of(place)

    def _is_straight(self, start: Cell, end: Cell) -> bool:
        """Whether all cells between two are free."""
        length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        between = (
            (
                start[0] + round(step * (end[0] - start[0]) / length),
                start[1] + round(step * (end[1] - start[1]) / length),
            )
            for step in range(1, length + 1)
        )
        return all(cell in self._steps_left for cell in between)


def _steps_to(goal: Cell, blocked: set[Cell]) -> dict[Cell, int]:
    """How many steps, along the grid or across, each free cell is from the goal; the goal may be blocked."""
    steps = {goal: 0}
    queue = deque([goal])
    while queue:
        cell = queue.popleft()
        for nearby in _neighbours(cell):
            if nearby not in steps and nearby not in blocked:
                steps[nearby] = steps[cell] + 1
                queue.append(nearby)
    return steps


def _neighbours(cell: Cell) -> list[Cell]:
    column, row = cell
    around = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
    return [
        (column + dx, row + dz) for dx, dz in around if 0 <= column + dx < _CELLS and 0 <= row + dz < _CELLS
    ]


def _blocked_cells(area: PyramidsArea) -> set[Cell]:
    blocked = set(_wall_cells())
    for pyramid in area.stones:
        for stone in pyramid.bodies:
            x, _, z = stone.position
            blocked.update(_cells_within(x, z, 0.5, 0.5))
    return blocked


def _cells_within(x: float, z: float, half_x: float, half_z: float) -> list[Cell]:
    """Cells that lie, if only partly, too close to a rectangle."""
    reach_x, reach_z = half_x + _ROOM_TO_PASS, half_z + _ROOM_TO_PASS
    (left, near), (right, far) = _cell(x - reach_x, z - reach_z), _cell(x + reach_x, z + reach_z)
    return list(product(range(left, right + 1), range(near, far + 1)))


def _cell_of(transform: Transform) -> Cell:
    x, _, z = transform.position
    return _cell(x, z)


def _cell(x: float, z: float) -> Cell:
    column, row = (min(max(int(value / _CELL + 0.5 * _CELLS), 0), _CELLS - 1) for value in (x, z))
    return column, row


def _middle_of(cell: Cell) -> tuple[float, float]:
    return (cell[0] + 0.5 - 0.5 * _CELLS) * _CELL, (cell[1] + 0.5 - 0.5 * _CELLS) * _CELL


@cache
def _wall_cells() -> frozenset[Cell]:
    cells: set[Cell] = set()
    for body in build_scene().colliders.values():
        if body.tag == "wall":
            half_x, _, half_z = body.shapes[0].half_size
            cells.update(_cells_within(body.position[0], body.position[2], half_x, half_z))
    return frozenset(cells)
