"""A scripted player of GridWorld: takes the shortest way to a goal that is wanted, around the others."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlagents_examples.grid_world.board import Board, Cell

_STAY = 0
_WALKS = range(1, 5)


def choose_action(board: Board) -> int:
    """The first step of a shortest way to a wanted goal; staying where there is none.

    Breadth-first search from where the agent stands.
    """
    first_step: dict[Cell, int] = {board.agent: _STAY}
    waiting = deque([board.agent])
    while waiting:
        cell = waiting.popleft()
        for action in _WALKS:
            there = board.neighbour(cell, action)
            if there in first_step or not board.contains(there):
                continue
            step = first_step[cell] or action
            kind = board.goals.get(there)
            if kind is board.wanted:
                return step
            first_step[there] = step
            if kind is None:
                waiting.append(there)
    return _STAY
