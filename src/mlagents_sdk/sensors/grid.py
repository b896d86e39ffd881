"""A sensor that looks at a grid of cells around an agent and tells by tag what lies in each.

Shape ``(channels, cells to the right, cells forward)``. The cell that lies farthest to the right comes
first along the second axis; along the third, cells run from back to front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import DimensionProperty, ObservationSpec, ObservationType
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import ALL_LAYERS, Transform, Vector
from mlagents_sdk.physics.layout import BODY, TAG
from mlagents_sdk.sensors.grid_cells import GridShape, fill_cells, write_one_hot
from mlagents_sdk.sensors.sensor import Sensor
from mlagents_sdk.sensors.stacking_sensor import StackingSensor

if TYPE_CHECKING:
    from mlagents_sdk.components import ComponentOwner


class GridCells:
    """The cells around one body, and what was last seen in them; several sensors may share them.

    Args:
        body: the body in their middle, which is not seen.
        detectable_tags: tags that are looked for.
        cell_scale: size of a cell along x and z, and *half* its size along y, metres.
        grid_size: number of cells along x, 1, and along z.
        rotate_with_agent: whether the grid turns with the body, or only moves with it.
        layers: mask of the layers that count.
        position: centre of the grid in the frame of the body, metres.

    Attributes:
        tags: the detectable tags.
        closest: int64 ``(cells along x, cells along z)``: the collider in each cell, -1 for none.
    """

    def __init__(
        self,
        body: Transform,
        detectable_tags: Sequence[str],
        cell_scale: Vector,
        grid_size: tuple[int, int, int],
        rotate_with_agent: bool,
        layers: int,
        position: Vector,
    ) -> None:
        world = body.world
        self.world = world
        self.tags = list(detectable_tags)
        self.size = (grid_size[0], grid_size[2])
        self._body = body
        self._channels = np.full(world.tags.limit, -1, np.int64)
        for channel, tag in reversed(list(enumerate(self.tags))):
            self._channels[world.tags.number(tag)] = channel
        self._shape = GridShape(
            grid_size[0],
            grid_size[2],
            float(cell_scale[0]),
            float(cell_scale[2]),
            float(cell_scale[1]),
            rotate_with_agent,
            layers,
        )
        self._offset = (float(position[0]), float(position[2]), float(position[1]))
        self.closest = np.full(self.size, -1, np.int64)
        self._no_counts = np.zeros((0, *self.size), np.float32)

    def look(self, counts: NDArray[np.float32] | None = None) -> None:
        """See what lies in the cells now.

        Args:
            counts: float32 ``(tags, cells along x, cells along z)``, gets the number of colliders.
        """
        body, layout = self._body, self.world.layout
        fill_cells(
            self.world.rows,
            layout.colliders,
            layout.first_collider_at,
            body.area_index,
            body.body_index,
            layout.body_at(body.body_index),
            self._offset,
            self._shape,
            self._channels,
            self.closest,
            self._no_counts if counts is None else counts,
        )

    def write_one_hot(self, out: NDArray[np.float32]) -> None:
        """Write a 1 into the channel of what was seen in each cell; ``out`` is the whole observation."""
        row = self.world.rows[self._body.area_index]
        write_one_hot(row, self.world.layout.first_collider_at, self._channels, self.closest, out)

    def object_at(self, cell: tuple[int, int]) -> tuple[Transform, int] | None:
        """What was seen in a cell, and the index of its tag."""
        collider = int(self.closest[cell])
        if collider < 0:
            return None
        layout, area = self.world.layout, self._body.area_index
        tag = int(self.world.rows[area, layout.collider_at(collider) + TAG])
        body = self.world.areas[area].transforms[int(layout.colliders[collider, BODY])]
        return body, int(self._channels[tag])


class GridSensor:
    """One channel per tag: 1 where the nearest thing in a cell carries it.

    To tell something else of what lies in a cell, derive from this class, set ``cell_observation_size``
    and override :meth:`get_object_data`.

    Args:
        cells: what it looks at.
        name: of the sensor.
    """

    def __init__(self, cells: GridCells, name: str) -> None:
        self._cells = cells
        shape = (self.cell_observation_size(len(cells.tags)), *cells.size)
        moves = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
        properties = (DimensionProperty.NONE, moves, moves)
        self._spec = ObservationSpec(shape, properties, ObservationType.DEFAULT, name)

    def cell_observation_size(self, num_tags: int) -> int:
        """Floats per cell: here one per tag."""
        return num_tags

    def get_object_data(self, body: Transform, tag_index: int, buffer: NDArray[np.float32]) -> None:
        """Write what is told of the nearest thing in a cell into ``buffer`` ``(floats per cell,)``, zeros.

        Args:
            body: what lies there.
            tag_index: its tag among the detectable ones.
            buffer: float32, filled.
        """
        buffer[tag_index] = 1.0

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(floats per cell, cells along x, cells along z)``."""
        return self._spec

    def update(self) -> None:
        """Look at the cells."""
        self._cells.look()

    def reset(self) -> None:
        """Nothing to forget."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Write what was seen at the last update."""
        if type(self).get_object_data is GridSensor.get_object_data:
            self._cells.write_one_hot(out)
            return out.size
        out[...] = 0.0
        last = self._cells.size[0] - 1
        for a, b in np.argwhere(self._cells.closest >= 0).tolist():
            seen = self._cells.object_at((a, b))
            if seen is not None:
                self.get_object_data(*seen, out[:, last - a, b])
        return out.size


class CountingGridSensor(GridSensor):
    """One channel per tag: how many colliders in a cell carry it."""

    def update(self) -> None:
        """Nothing yet: cells are counted when the observation is written."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Count now."""
        counts = np.zeros(self._spec.shape, np.float32)
        self._cells.look(counts)
        out[...] = counts[:, ::-1]
        return out.size


class GridSensorComponent:
    """Adds a grid sensor to an agent.

    Args:
        agent: agent, or node of an agent, that gets the sensor.
        body: the body in the middle of the grid, which is not seen.
        detectable_tags: tags that are told apart.
        sensor_name: name; the sensor itself is called ``<name>-OneHot``.
        cell_scale: size of a cell along x and z, and *half* its size along y, metres.
        grid_size: number of cells along x, 1, and along z.
        rotate_with_agent: whether the grid turns with the body, or only moves with it.
        layers: mask of the layers that count.
        observation_stacks: how many successive observations make one, 1-50.
        position: centre of the grid in the frame of the body, metres.

    Raises:
        AgentsError: a size makes no sense, or there are no tags.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        body: Transform,
        detectable_tags: Sequence[str],
        sensor_name: str = "GridSensor",
        cell_scale: Vector = (1.0, 0.01, 1.0),
        grid_size: tuple[int, int, int] = (16, 1, 16),
        rotate_with_agent: bool = True,
        layers: int = ALL_LAYERS,
        observation_stacks: int = 1,
        position: Vector = (0.0, 0.0, 0.0),
    ) -> None:
        if not detectable_tags:
            raise AgentsError(f"Sensor {sensor_name} has no detectable tags; give it at least one.")
        if min(grid_size) < 1 or grid_size[1] != 1:
            raise AgentsError(
                f"Sensor {sensor_name}: grid_size is {grid_size}; it must be positive, with 1 along y."
            )
        if min(cell_scale) <= 0.0:
            raise AgentsError(f"Sensor {sensor_name}: cell_scale is {cell_scale}; it must be positive.")
        self.sensor_name = sensor_name
        self._cells = GridCells(
            body, detectable_tags, cell_scale, grid_size, rotate_with_agent, layers, position
        )
        self._stacks = observation_stacks
        agent.add_component(self)

    def get_grid_sensors(self, cells: GridCells) -> list[GridSensor]:
        """The sensors that look at the cells; override it to have others.

        Returns:
            At least one.
        """
        return [GridSensor(cells, f"{self.sensor_name}-OneHot")]

    def create_sensors(self) -> list[Sensor]:
        """The sensors, stacked if asked for.

        Raises:
            AgentsError: there are none.
        """
        sensors = self.get_grid_sensors(self._cells)
        if not sensors:
            raise AgentsError(f"Sensor {self.sensor_name}: get_grid_sensors() must return at least one.")
        return [sensor if self._stacks == 1 else StackingSensor(sensor, self._stacks) for sensor in sensors]
