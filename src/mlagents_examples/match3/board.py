"""The board of Match3: cells of six colours, some of them worth more."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_examples.match3 import rules
from mlagents_sdk.match3 import AbstractBoard, BoardSize, Move

MIN_ROWS, MAX_ROWS = 6, 9
MIN_COLUMNS, MAX_COLUMNS = 6, 8

NUM_COLORS = 6

POINTS = (1, 2, 3)
"""Points for clearing a plain cell, a special one, and a very special one."""

SPECIAL_LIMITS = (0.7, 0.9)
"""A cell is plain with probability 0.7, special with 0.2 and very special with 0.1."""

_MAX_SIZE = BoardSize(MAX_ROWS, MAX_COLUMNS, NUM_COLORS, len(POINTS) - 1)


class Match3Board(AbstractBoard):
    """A board whose runs of three or more cells of a colour are cleared, and which fills itself again.

    The original documents mean scores of 34.2 for random valid moves and 37.0 for greedy ones. They are
    those of boards that always have 9 rows and 8 columns, as in its first version; on boards of all sizes
    players earn some six percent less.

    Args:
        rng: decides the size of the board and what fills it.
        min_rows: rows that it has at least.
        min_columns: the same for columns.
    """

    def __init__(self, rng: Random, min_rows: int = MIN_ROWS, min_columns: int = MIN_COLUMNS) -> None:
        self._rng = rng
        self._min_rows, self._min_columns = min_rows, min_columns
        self._points = np.array(POINTS)
        self._limits = np.array(SPECIAL_LIMITS)
        self._valid = np.zeros(Move.num_potential_moves(_MAX_SIZE), np.bool_)
        self._resize(MAX_ROWS, MAX_COLUMNS)

    def get_max_board_size(self) -> BoardSize:
        """9 rows, 8 columns, 6 colours, 2 special kinds beside the plain one."""
        return _MAX_SIZE

    def get_current_board_size(self) -> BoardSize:
        """Size in this episode."""
        return self._size

    def get_cell_type(self, row: int, column: int) -> int:
        """Colour of a cell."""
        return int(self._cells[row, column])

    def get_special_type(self, row: int, column: int) -> int:
        """How special a cell is, 0 to 2."""
        return int(self._special[row, column])

    def is_move_valid(self, move: Move) -> bool:
        """Whether the swap makes a run."""
        return self.points_of(move) > 0

    def make_move(self, move: Move) -> bool:
        """Swap, if that is valid; runs are cleared by :meth:`resolve`."""
        if not self.is_move_valid(move):
            return False
        rules.swap(self._cells, self._special, move.row, move.column, *move.other_cell())
        return True

    def cell_types(self) -> NDArray[np.integer]:
        """Colours, int64 ``(rows, columns)``."""
        return self._cells

    def special_types(self) -> NDArray[np.integer]:
        """Special kinds, int64 ``(rows, columns)``."""
        return self._special

    def valid_moves(self) -> NDArray[np.bool_]:
        """Which of the 127 moves can be made now."""
        self._find_valid_moves()
        return self._valid

    def points_of(self, move: Move) -> int:
        """Points that a move earns at once, without what follows; 0 where it is not valid."""
        if not move.in_range_for_board(self._size):
            return 0
        points: int = rules.swap_points(
            self._cells, self._special, move.row, move.column, *move.other_cell(), self._points
        )
        return points

    def set_cells(self, cells: NDArray[np.integer], special: NDArray[np.integer]) -> None:
        """Replace the whole board, int ``(rows, columns)`` each; for tests and puzzles."""
        self._resize(*cells.shape)
        self._cells[:] = cells
        self._special[:] = special

    def reset(self) -> None:
        """Draw a size, and cells among which there is neither a run nor a lack of moves."""
        rows = self._rng.randint(self._min_rows, MAX_ROWS)
        self._resize(rows, self._rng.randint(self._min_columns, MAX_COLUMNS))
        self._fill_anew()
        self.ensure_moves()

    def resolve(self) -> int:
        """Clear runs, let cells fall and fill up, until there are no runs.

        Returns:
            The points earned.
        """
        total = 0
        while count := rules.mark_runs(self._cells, self._marked):
            total += rules.clear_marked(self._cells, self._special, self._marked, self._points)
            rules.drop(self._cells, self._special)
            self._fill(count)
        return total

    def ensure_moves(self) -> None:
        """Draw all cells anew while no move is valid."""
        while self._find_valid_moves() == 0:
            self._fill_anew()

    def get_state(self) -> dict[str, Any]:
        """The cells."""
        return {"cells": self._cells.copy(), "special": self._special.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back the state of :meth:`get_state`."""
        self.set_cells(state["cells"], state["special"])

    def _resize(self, rows: int, columns: int) -> None:
        self._size = BoardSize(rows, columns, NUM_COLORS, len(POINTS) - 1)
        self._cells = np.full((rows, columns), rules.EMPTY)
        self._special = np.zeros((rows, columns), np.int64)
        self._marked = np.zeros((rows, columns), np.bool_)

    def _fill_anew(self) -> None:
        self._cells[:] = rules.EMPTY
        self._fill(self._cells.size)
        self.resolve()

    def _fill(self, count: int) -> None:
        draws = np.array([self._rng.random() for _ in range(count)])
        rules.fill(self._cells, self._special, draws, NUM_COLORS, self._limits)

    def _find_valid_moves(self) -> int:
        count: int = rules.find_valid_moves(
            self._cells, self._special, self._points, MAX_ROWS, MAX_COLUMNS, self._valid
        )
        return count
