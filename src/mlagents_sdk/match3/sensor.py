"""A sensor that shows the cells of a Match-3 board, one-hot."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_envs.exception import EnvironmentWarning
from mlagents_sdk.components import ComponentOwner
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.match3.board import AbstractBoard, BoardSize
from mlagents_sdk.sensors.compression import UNCOMPRESSED, CompressionSpec, CompressionType
from mlagents_sdk.sensors.sensor import Sensor, vector_spec, visual_spec


class Match3ObservationType(Enum):
    """How a board is laid out in the observation."""

    VECTOR = "vector"
    """``(rows·columns·K,)``: cell after cell, row after row, one-hot of ``K``."""
    UNCOMPRESSED_VISUAL = "uncompressed_visual"
    """``(K, rows, columns)``, sent as floats."""
    COMPRESSED_VISUAL = "compressed_visual"
    """``(K, rows, columns)``, sent as PNGs of three channels each."""


class Match3Sensor:
    """One-hot of one property of each cell; cells outside the current board are zero.

    Args:
        board: the board.
        read: the property of all cells of the current board, int ``(rows, columns)``.
        num_values: number of values of the property, ``K``.
        observation_type: layout of the observation.
        name: name of the sensor.
    """

    def __init__(
        self,
        board: AbstractBoard,
        read: Callable[[], NDArray[np.integer]],
        num_values: int,
        observation_type: Match3ObservationType,
        name: str,
    ) -> None:
        self._board = board
        self._read = read
        self._num_values = num_values
        self._max = board.get_max_board_size()
        self._type = observation_type
        rows, columns = self._max.rows, self._max.columns
        cells = np.arange(rows * columns).reshape(rows, columns)
        if observation_type is Match3ObservationType.VECTOR:
            self._spec = vector_spec(rows * columns * num_values, name)
            self._first, self._stride = cells * num_values, 1
        else:
            self._spec = visual_spec(num_values, rows, columns, name)
            self._first, self._stride = cells, rows * columns

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape by the type of the observation."""
        return self._spec

    def get_compression_spec(self) -> CompressionSpec:
        """PNGs of three channels each where asked for."""
        if self._type is Match3ObservationType.COMPRESSED_VISUAL:
            return CompressionSpec(CompressionType.PNG)
        return UNCOMPRESSED

    def update(self) -> None:
        """Nothing yet: the board is read when the observation is written."""

    def reset(self) -> None:
        """Nothing to forget."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Write the board as it is now.

        Raises:
            AgentsError: a cell holds something that the board does not declare.
        """
        size = self._board.get_current_board_size()
        if not size.fits_in(self._max):
            self._warn_about_size(size)
        values = self._read()[: self._max.rows, : self._max.columns]
        if values.min() < 0 or values.max() >= self._num_values:
            self._refuse(values)
        rows, columns = values.shape
        out[...] = 0.0
        # Put also fills arrays that are not contiguous, which a flat view could not.
        out.put(self._first[:rows, :columns] + self._stride * values, 1.0)
        return out.size

    def _warn_about_size(self, size: BoardSize) -> None:
        warnings.warn(
            f"Sensor {self._spec.name}: the board is now {size}, but at most {self._max} was declared; what "
            "exceeds it is not seen. Let get_max_board_size() return the largest board of the game.",
            EnvironmentWarning,
            stacklevel=3,
        )

    def _refuse(self, values: NDArray[np.integer]) -> None:
        row, column = np.argwhere((values < 0) | (values >= self._num_values))[0].tolist()
        raise AgentsError(
            f"Sensor {self._spec.name}: the cell in row {row}, column {column} has the type "
            f"{values[row, column]}, but the board declares the types 0 to {self._num_values - 1}. Correct "
            "the board's cells, or its get_max_board_size()."
        )


class Match3SensorComponent:
    """Adds the sensors of a Match-3 board to an agent.

    They are ``"<sensor_name> (cells)"`` and, where the board has special cells,
    ``"<sensor_name> (special)"``.

    Args:
        agent: what gets the sensors.
        board: the board.
        sensor_name: first part of the names.
        observation_type: layout of the observations.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        board: AbstractBoard,
        sensor_name: str = "Match3 Sensor",
        observation_type: Match3ObservationType = Match3ObservationType.VECTOR,
    ) -> None:
        self._board = board
        self._name = sensor_name
        self._type = observation_type
        agent.add_component(self)

    def create_sensors(self) -> list[Sensor]:
        """One sensor, or two where there are special cells."""
        board, kind = self._board, self._type
        size = board.get_max_board_size()
        cells = Match3Sensor(board, board.cell_types, size.num_cell_types, kind, f"{self._name} (cells)")
        if size.num_special_types == 0:
            return [cells]
        num_special = size.num_special_types + 1
        special = Match3Sensor(board, board.special_types, num_special, kind, f"{self._name} (special)")
        return [cells, special]
