"""Runs, swaps and falling cells of a Match-3 board, as kernels over its arrays.

``cells`` and ``special`` are int64 ``(rows, columns)`` of the current board, row 0 at the bottom: the colour
of each cell, or :data:`EMPTY`, and how special it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled

EMPTY = -1
RUN = 3
"""Cells of one colour in a row or column that make a run, at least."""


@compiled
def mark_runs(cells: NDArray[np.int64], marked: NDArray[np.bool_]) -> int:
    """Mark the cells of all runs.

    Args:
        cells: without empty ones.
        marked: ``(rows, columns)``, overwritten.

    Returns:
        How many were marked.
    """
    rows, columns = cells.shape
    marked[:] = False
    for r in range(rows):
        for c in range(columns - RUN + 1):
            if cells[r, c] == cells[r, c + 1] == cells[r, c + 2]:
                marked[r, c] = marked[r, c + 1] = marked[r, c + 2] = True
    for r in range(rows - RUN + 1):
        for c in range(columns):
            if cells[r, c] == cells[r + 1, c] == cells[r + 2, c]:
                marked[r, c] = marked[r + 1, c] = marked[r + 2, c] = True
    return int(marked.sum())


@compiled
def clear_marked(
    cells: NDArray[np.int64],
    special: NDArray[np.int64],
    marked: NDArray[np.bool_],
    points: NDArray[np.int64],
) -> int:
    """Empty the marked cells.

    Returns:
        The sum of their ``points``, which has one number per special kind.
    """
    total = 0
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1]):
            if marked[r, c]:
                total += points[special[r, c]]
                cells[r, c] = EMPTY
    return total


@compiled
def drop(cells: NDArray[np.int64], special: NDArray[np.int64]) -> None:
    """Let cells fall into the empty ones below them."""
    rows, columns = cells.shape
    for c in range(columns):
        to = 0
        for r in range(rows):
            if cells[r, c] != EMPTY:
                cells[to, c], special[to, c] = cells[r, c], special[r, c]
                to += 1
        for r in range(to, rows):
            cells[r, c] = EMPTY


@compiled
def fill(
    cells: NDArray[np.int64],
    special: NDArray[np.int64],
    draws: NDArray[np.float64],
    num_colors: int,
    special_limits: NDArray[np.float64],
) -> None:
    """Fill the empty cells.

    Args:
        cells: colours.
        special: special kinds.
        draws: one number of [0, 1) per empty cell; times ``num_colors``, its integer part is the colour
            and the rest decides how special the cell is.
        num_colors: number of colours.
        special_limits: rising; the special kind is the number of limits that the rest reaches.
    """
    used = 0
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1]):
            if cells[r, c] == EMPTY:
                value = draws[used] * num_colors
                used += 1
                cells[r, c] = int(value)
                kind = 0
                for limit in special_limits:
                    if value - cells[r, c] >= limit:
                        kind += 1
                special[r, c] = kind


@compiled
def _run_length(cells: NDArray[np.int64], r: int, c: int, dr: int, dc: int) -> int:
    """Cells of the colour at ``(r, c)`` that follow it without a gap in one direction."""
    length = 0
    color = cells[r, c]
    r, c = r + dr, c + dc
    while 0 <= r < cells.shape[0] and 0 <= c < cells.shape[1] and cells[r, c] == color:
        length += 1
        r, c = r + dr, c + dc
    return length


@compiled
def _points_at(
    cells: NDArray[np.int64], special: NDArray[np.int64], r: int, c: int, points: NDArray[np.int64]
) -> int:
    """Points of the runs through a cell, which counts once; 0 without any."""
    total = 0
    for dr, dc in ((0, 1), (1, 0)):
        before, after = _run_length(cells, r, c, -dr, -dc), _run_length(cells, r, c, dr, dc)
        if before + after + 1 >= RUN:
            for k in range(-before, after + 1):
                if k != 0:
                    total += points[special[r + k * dr, c + k * dc]]
    return total + points[special[r, c]] if total > 0 else 0


@compiled
def swap(cells: NDArray[np.int64], special: NDArray[np.int64], r: int, c: int, r2: int, c2: int) -> None:
    """Swap two cells."""
    cells[r, c], cells[r2, c2] = cells[r2, c2], cells[r, c]
    special[r, c], special[r2, c2] = special[r2, c2], special[r, c]


@compiled
def swap_points(
    cells: NDArray[np.int64],
    special: NDArray[np.int64],
    r: int,
    c: int,
    r2: int,
    c2: int,
    points: NDArray[np.int64],
) -> int:
    """Points of the runs that a swap would make at once, not those that follow; 0 if it is not valid."""
    if cells[r, c] == cells[r2, c2]:
        return 0
    swap(cells, special, r, c, r2, c2)
    total = _points_at(cells, special, r, c, points) + _points_at(cells, special, r2, c2, points)
    swap(cells, special, r, c, r2, c2)
    return total


@compiled
def find_valid_moves(
    cells: NDArray[np.int64],
    special: NDArray[np.int64],
    points: NDArray[np.int64],
    max_rows: int,
    max_columns: int,
    valid: NDArray[np.bool_],
) -> int:
    """Tell for each move of the largest board whether it makes a run.

    Args:
        cells: colours.
        special: special kinds.
        points: per special kind; all positive.
        max_rows: rows of the largest board.
        max_columns: its columns.
        valid: ``(moves,)``, overwritten; swaps with the right neighbour first, then those with the upper one.

    Returns:
        How many are valid.
    """
    rows, columns = cells.shape
    valid[:] = False
    for r in range(rows):
        for c in range(columns - 1):
            if swap_points(cells, special, r, c, r, c + 1, points) > 0:
                valid[r * (max_columns - 1) + c] = True
    first = max_rows * (max_columns - 1)
    for r in range(rows - 1):
        for c in range(columns):
            if swap_points(cells, special, r, c, r + 1, c, points) > 0:
                valid[first + r * max_columns + c] = True
    return int(valid.sum())
