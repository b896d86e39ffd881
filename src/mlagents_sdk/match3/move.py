"""Swaps of two neighbouring cells, and their numbering as actions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mlagents_sdk.exception import AgentsError


@dataclass(frozen=True, slots=True)
class BoardSize:
    """How large a Match-3 board is, and what its cells may hold.

    Attributes:
        rows: number of rows; row 0 is the bottom.
        columns: number of columns.
        num_cell_types: number of kinds of cells, such as colours.
        num_special_types: number of special kinds beside the plain one; 0 for none.

    Raises:
        AgentsError: a number is too small.
    """

    rows: int
    columns: int
    num_cell_types: int
    num_special_types: int = 0

    def __post_init__(self) -> None:
        if min(self.rows, self.columns, self.num_cell_types) < 1 or self.num_special_types < 0:
            raise AgentsError(
                f"{self} is no board: rows, columns and num_cell_types must be at least 1, "
                "num_special_types at least 0."
            )

    def fits_in(self, other: BoardSize) -> bool:
        """Whether no number exceeds that of ``other``."""
        return (
            self.rows <= other.rows
            and self.columns <= other.columns
            and self.num_cell_types <= other.num_cell_types
            and self.num_special_types <= other.num_special_types
        )


class Direction(Enum):
    """Where the cell lies with which another one is swapped; the value is (rows, columns)."""

    UP = (1, 0)
    DOWN = (-1, 0)
    LEFT = (0, -1)
    RIGHT = (0, 1)


@dataclass(frozen=True, slots=True)
class Move:
    """A swap of one cell with the cell to its right or above it.

    On a board of at most R rows and C columns, swaps with the right neighbour come first, with index
    ``column + row·(C-1)``, then those with the upper one, ``R·(C-1) + column + row·C``.

    Attributes:
        index: number of the move as an action.
        row: row of the lower or left cell.
        column: its column.
        direction: RIGHT or UP.
    """

    index: int
    row: int
    column: int
    direction: Direction

    @staticmethod
    def num_potential_moves(size: BoardSize) -> int:
        """Number of moves of a board, valid or not."""
        return size.rows * (size.columns - 1) + (size.rows - 1) * size.columns

    @classmethod
    def from_move_index(cls, index: int, max_size: BoardSize) -> Move:
        """The move of an action.

        Args:
            index: 0 to ``num_potential_moves(max_size) - 1``.
            max_size: size of the largest board, which decides the numbering.

        Raises:
            AgentsError: there is no such move.
        """
        columns = max_size.columns
        num_right = max_size.rows * (columns - 1)
        if not 0 <= index < cls.num_potential_moves(max_size):
            raise AgentsError(
                f"There is no move {index}: a board of {max_size.rows} rows and {columns} columns has "
                f"{cls.num_potential_moves(max_size)} moves, counted from 0."
            )
        if index < num_right:
            row, column = divmod(index, columns - 1)
            return cls(index, row, column, Direction.RIGHT)
        row, column = divmod(index - num_right, columns)
        return cls(index, row, column, Direction.UP)

    @classmethod
    def from_position_and_direction(
        cls, row: int, column: int, direction: Direction, max_size: BoardSize
    ) -> Move:
        """The move that swaps a cell with its neighbour in any direction.

        Args:
            row: row of the cell.
            column: its column.
            direction: where the neighbour lies; LEFT and DOWN become RIGHT and UP of the neighbour.
            max_size: size of the largest board, which decides the numbering.

        Raises:
            AgentsError: one of the two cells lies outside.
        """
        rows, columns = direction.value
        low_row, low_column = min(row, row + rows), min(column, column + columns)
        if (
            min(low_row, low_column) < 0
            or max(row, row + rows) >= max_size.rows
            or max(column, column + columns) >= max_size.columns
        ):
            raise AgentsError(
                f"The cell in row {row}, column {column} has no neighbour {direction.name} on a board of "
                f"{max_size.rows} rows and {max_size.columns} columns, both counted from 0."
            )
        if rows == 0:
            index = low_column + low_row * (max_size.columns - 1)
            return cls(index, low_row, low_column, Direction.RIGHT)
        index = max_size.rows * (max_size.columns - 1) + low_column + low_row * max_size.columns
        return cls(index, low_row, low_column, Direction.UP)

    def other_cell(self) -> tuple[int, int]:
        """Row and column of the upper or right cell."""
        rows, columns = self.direction.value
        return self.row + rows, self.column + columns

    def in_range_for_board(self, size: BoardSize) -> bool:
        """Whether both cells lie on a board of ``size``, which may be smaller than the largest."""
        row, column = self.other_cell()
        return row < size.rows and column < size.columns
