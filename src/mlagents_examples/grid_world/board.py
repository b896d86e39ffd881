"""The rules of GridWorld: who stands where on a square of cells, and what a step leads to. No physics."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from random import Random
from typing import Any, NamedTuple

from mlagents_sdk.exception import AgentsError

MIN_SIZE = 2
MAX_SIZE = 100

STAY, UP, DOWN, LEFT, RIGHT = range(5)
"""The actions; up is towards positive z, right towards positive x."""

STEPS = ((0, 0), (0, 1), (0, -1), (-1, 0), (1, 0))
"""How far each action leads along x and z."""


class Kind(IntEnum):
    """The two kinds of goals; the number is the place in the observed one-hot vector."""

    PLUS = 0
    EX = 1


class Cell(NamedTuple):
    """One cell, counted from the corner at the smallest x and z."""

    x: int
    z: int


class Board:
    """A square of cells with an agent and goals on it, all on different cells.

    Attributes:
        size: cells along either side.
        agent: where the agent is.
        goals: where the goals are, and which kind each is; the pluses come first.
        wanted: the kind that the agent should reach.
    """

    def __init__(self) -> None:
        self.size = MIN_SIZE
        self.agent = Cell(0, 0)
        self.goals: dict[Cell, Kind] = {}
        self.wanted = Kind.PLUS

    def reset(self, rng: Random, size: int, num_pluses: int, num_exes: int) -> None:
        """Begin anew: all places are equally likely, and so are the two kinds that may be wanted.

        Args:
            rng: chance.
            size: cells along either side.
            num_pluses: goals of that kind.
            num_exes: goals of the other.

        Raises:
            AgentsError: the numbers make no sense together.
        """
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise AgentsError(f"GridWorld: gridSize is {size}; it must lie in {MIN_SIZE}-{MAX_SIZE}.")
        if min(num_pluses, num_exes) < 0 or num_pluses + num_exes >= size * size:
            raise AgentsError(
                f"GridWorld: {num_pluses} pluses, {num_exes} exes and an agent do not fit on {size * size} "
                "cells; change numPlusGoals, numExGoals or gridSize."
            )
        self.size = size
        count = num_pluses + num_exes
        cells = [Cell(*divmod(index, size)) for index in rng.sample(range(size * size), count + 1)]
        kinds = [Kind.PLUS] * num_pluses + [Kind.EX] * num_exes
        self.goals = dict(zip(cells, kinds, strict=False))
        self.agent = cells[count]
        self.wanted = rng.choice(tuple(Kind))

    def move(self, action: int) -> Kind | None:
        """Take a step; one that would leave the grid leads nowhere.

        Returns:
            The kind of the goal where the agent is now, if there is one.
        """
        cell = self.neighbour(self.agent, action)
        if self.contains(cell):
            self.agent = cell
        return self.goals.get(self.agent)

    def leaving_actions(self) -> Iterator[int]:
        """Actions that would lead out of the grid."""
        return (
            action for action in range(len(STEPS)) if not self.contains(self.neighbour(self.agent, action))
        )

    def contains(self, cell: Cell) -> bool:
        """Whether a cell belongs to the grid."""
        return 0 <= cell.x < self.size and 0 <= cell.z < self.size

    @staticmethod
    def neighbour(cell: Cell, action: int) -> Cell:
        """The cell to which an action leads, inside the grid or not."""
        x, z = STEPS[action]
        return Cell(cell.x + x, cell.z + z)

    def get_state(self) -> dict[str, Any]:
        """Everything about the board, in plain numbers."""
        return {
            "size": self.size,
            "agent": list(self.agent),
            "goals": [[cell.x, cell.z, int(kind)] for cell, kind in self.goals.items()],
            "wanted": int(self.wanted),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self.size = state["size"]
        self.agent = Cell(*state["agent"])
        self.goals = {Cell(x, z): Kind(kind) for x, z, kind in state["goals"]}
        self.wanted = Kind(state["wanted"])
