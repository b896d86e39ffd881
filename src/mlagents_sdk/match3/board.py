"""What a Match-3 board offers to the sensor and the actuator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.match3.move import BoardSize, Move

__all__ = ["AbstractBoard", "BoardSize", "all_moves"]


class AbstractBoard(ABC):
    """A Match-3 board; derive from it and fill in the rules of the game.

    Rows are counted from the bottom, columns from the left. A board that keeps its cells in arrays
    should also override :meth:`cell_types`, :meth:`special_types` and :meth:`valid_moves`, because
    asking for cells and moves one by one is slow.

    Attributes:
        on_no_valid_moves_action: called when a decision is due and no move is valid; the board may
            shuffle then. Without it, such a decision causes a warning.
    """

    on_no_valid_moves_action: Callable[[], None] | None = None

    @abstractmethod
    def get_max_board_size(self) -> BoardSize:
        """Size of the largest board; decides observations and actions, so it never changes."""

    def get_current_board_size(self) -> BoardSize:
        """Size of the board now, at most the largest; here the largest itself."""
        return self.get_max_board_size()

    @abstractmethod
    def get_cell_type(self, row: int, column: int) -> int:
        """Kind of a cell, 0 to ``num_cell_types - 1``."""

    @abstractmethod
    def get_special_type(self, row: int, column: int) -> int:
        """Special kind of a cell, 0 (plain) to ``num_special_types``."""

    @abstractmethod
    def is_move_valid(self, move: Move) -> bool:
        """Whether the rules allow a move whose cells lie on the current board."""

    @abstractmethod
    def make_move(self, move: Move) -> bool:
        """Carry a move out.

        Returns:
            Whether it was valid.
        """

    def cell_types(self) -> NDArray[np.integer]:
        """Kinds of all cells of the current board, ``(rows, columns)``."""
        return self._collect(self.get_cell_type)

    def special_types(self) -> NDArray[np.integer]:
        """Special kinds of all cells of the current board, ``(rows, columns)``."""
        return self._collect(self.get_special_type)

    def valid_moves(self) -> NDArray[np.bool_]:
        """For each move of the largest board, ``(num_potential_moves,)``, whether it can be made now."""
        size = self.get_current_board_size()
        moves = all_moves(self.get_max_board_size())
        return np.array(
            [move.in_range_for_board(size) and self.is_move_valid(move) for move in moves], np.bool_
        )

    def _collect(self, get: Callable[[int, int], int]) -> NDArray[np.integer]:
        size = self.get_current_board_size()
        cells = [[get(row, column) for column in range(size.columns)] for row in range(size.rows)]
        return np.array(cells, dtype=np.int64)


@lru_cache(maxsize=32)
def all_moves(max_size: BoardSize) -> tuple[Move, ...]:
    """All moves of a board, by index; made once per size."""
    return tuple(Move.from_move_index(index, max_size) for index in range(Move.num_potential_moves(max_size)))
