"""Images as one byte per number, without losing anything.

Games send images as bytes; what a network sees is ``k / 255`` for a whole number k of 0 to 255. A column that
holds nothing else keeps k, a quarter of the memory of float32, and gives the same float32 numbers back.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

LEVELS = 255
_TABLE: NDArray[np.float32] = np.arange(LEVELS + 1, dtype=np.float32) / np.float32(LEVELS)
_Rows = slice | NDArray[Any]


@njit(cache=True)
def _to_levels(values: NDArray[np.float32], table: NDArray[np.float32], levels: NDArray[np.uint8]) -> bool:
    """Write k where a value is ``k / 255``; False as soon as one is not (NaN and infinity included)."""
    for index in range(values.shape[0]):
        value = values[index]
        if not (value >= 0.0 and value <= 1.0):
            return False
        level = math.floor(value * np.float32(255.0) + np.float32(0.5))
        if table[level] != value:
            return False
        levels[index] = level
    return True


def decode_levels(levels: Tensor) -> Tensor:
    """Float32 tensor of a tensor of levels; a tensor that is float32 already is returned as it is.

    Args:
        levels: uint8 or float32, any shape, on any device. Images ``[B, C, H, W]`` on the CPU come out with
            their channels last in memory, as convolutions there want them.
    """
    if levels.dtype != torch.uint8:
        return levels
    if levels.dim() == 4 and levels.device.type == "cpu":
        levels = levels.contiguous(memory_format=torch.channels_last)
    # by a tensor: on CUDA, division by a number multiplies with its rounded inverse instead
    return levels.float().div_(torch.full((), float(LEVELS), device=levels.device))


class ImageColumn:
    """A column of float32 observations ``[R, *shape]`` that is kept as uint8 while that loses nothing.

    Reading gives float32 copies. The first value that is not a multiple of 1/255 turns the whole column into
    float32, for good.

    Args:
        capacity: rows, R.
        shape: shape of one observation.

    Attributes:
        data: uint8 or float32 ``[R, *shape]``, what is kept.
    """

    def __init__(self, capacity: int, shape: tuple[int, ...]) -> None:
        self.data: NDArray[Any] = np.zeros((capacity, *shape), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, rows: _Rows) -> NDArray[np.float32]:
        """Float32 copy of rows."""
        kept = self.data[rows]
        return _TABLE[kept] if kept.dtype == np.uint8 else kept.astype(np.float32)

    def __setitem__(self, rows: _Rows, values: NDArray[np.float32]) -> None:
        """Write float32 ``values`` ``[n, *shape]`` to rows."""
        if self.data.dtype == np.uint8:
            levels = np.empty(values.shape, dtype=np.uint8)
            flat = np.ascontiguousarray(values, dtype=np.float32).reshape(-1)
            if _to_levels(flat, _TABLE, levels.reshape(-1)):
                self.data[rows] = levels
                return
            self.data = _TABLE[self.data]
        self.data[rows] = values

    def grown(self, capacity: int) -> ImageColumn:
        """A longer column with the same rows at its front."""
        bigger = ImageColumn(0, self.data.shape[1:])
        bigger.data = np.zeros((capacity, *self.data.shape[1:]), dtype=self.data.dtype)
        bigger.data[: len(self)] = self.data
        return bigger

    def restore(self, kept: NDArray[Any]) -> None:
        """Overwrite the first rows with what :attr:`data` had in another column, and take over its form."""
        if kept.dtype == np.uint8 and self.data.dtype != np.uint8:
            self.data = np.zeros(self.data.shape, dtype=np.uint8)
        elif kept.dtype != np.uint8 and self.data.dtype == np.uint8:
            self.data = np.zeros(self.data.shape, dtype=np.float32)
        self.data[: len(kept)] = kept


ObservationColumn = NDArray[np.float32] | ImageColumn
"""Rows ``[R, *shape]`` of one observation; indexing either gives float32."""


def make_column(capacity: int, shape: tuple[int, ...]) -> ObservationColumn:
    """A column for an observation of this shape: one that keeps bytes for images and grids ``[C, H, W]``."""
    if len(shape) == 3:
        return ImageColumn(capacity, tuple(shape))
    return np.zeros((capacity, *shape), dtype=np.float32)


def raw_rows(column: ObservationColumn, rows: _Rows) -> NDArray[Any]:
    """Rows in the form in which they are kept: uint8 levels or float32; a view where ``rows`` is a slice."""
    kept: NDArray[Any] = column.data[rows] if isinstance(column, ImageColumn) else column[rows]
    return kept
