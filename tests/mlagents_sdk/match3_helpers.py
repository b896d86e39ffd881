"""A Match-3 board for tests, without the rules of the game."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.match3 import AbstractBoard, BoardSize, Move


class TableBoard(AbstractBoard):
    """Shows given tables; the moves in ``valid`` are valid, and those made are remembered."""

    def __init__(self, cells: NDArray[Any], special: NDArray[Any] | None, largest: BoardSize) -> None:
        self.cells = cells
        self.special = special
        self.largest = largest
        self.valid: set[int] = set()
        self.made: list[int] = []

    def get_max_board_size(self) -> BoardSize:
        return self.largest

    def get_current_board_size(self) -> BoardSize:
        rows, columns = self.cells.shape
        return BoardSize(rows, columns, self.largest.num_cell_types, self.largest.num_special_types)

    def get_cell_type(self, row: int, column: int) -> int:
        return int(self.cells[row, column])

    def get_special_type(self, row: int, column: int) -> int:
        assert self.special is not None
        return int(self.special[row, column])

    def is_move_valid(self, move: Move) -> bool:
        row, column = move.other_cell()
        assert row < self.cells.shape[0]
        assert column < self.cells.shape[1]
        return move.index in self.valid

    def make_move(self, move: Move) -> bool:
        self.made.append(move.index)
        return move.index in self.valid


def empty_board(rows: int, columns: int, largest: BoardSize) -> TableBoard:
    """A board of which only the size matters."""
    return TableBoard(np.zeros((rows, columns), np.int64), None, largest)
