"""A sensor that looks along rays, or thick rays, and tells what they meet by tag and how far away.

Rays lie in the plane of the body's right and forward axes, spread evenly to both sides of forward. Per ray
the observation has a one-hot over the detectable tags (all zero where what was met carries none of them),
a flag that is 1 when nothing was met, and the distance as a fraction of the ray's length (1 when nothing
was met).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ObservationSpec
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import ALL_LAYERS, Quaternion, Transform, Vector
from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import empty_placement, rotate_wxyz
from mlagents_sdk.physics.layout import COLLIDER_WIDTH, POSITION, ROTATION, SCALE, TAG, to_mujoco
from mlagents_sdk.physics.queries import cast_rays, gather_near
from mlagents_sdk.physics.rotations import IDENTITY, rotate
from mlagents_sdk.sensors.sensor import Sensor, vector_spec
from mlagents_sdk.sensors.stacking_sensor import StackingSensor

if TYPE_CHECKING:
    from mlagents_sdk.components import ComponentOwner

MAX_RAYS_PER_DIRECTION = 50
"""Most rays to each side of forward."""


def ray_angles(rays_per_direction: int, max_ray_degrees: float, alternating: bool = True) -> list[float]:
    """Angles of the rays in degrees, in the order of the observation; 90 is forward, 0 is to the right.

    Args:
        rays_per_direction: number to each side of forward.
        max_ray_degrees: angle between forward and the outermost rays.
        alternating: whether the order is forward, first right, first left, second right and so on; else
            it runs from the rightmost to the leftmost.
    """
    if rays_per_direction == 0:
        return [90.0]
    delta = max_ray_degrees / rays_per_direction
    if not alternating:
        return [90.0 + k * delta for k in range(-rays_per_direction, rays_per_direction + 1)]
    sides = ((90.0 - k * delta, 90.0 + k * delta) for k in range(1, rays_per_direction + 1))
    return [90.0, *(angle for pair in sides for angle in pair)]


@compiled
def observe_rays(
    rows: NDArray[np.float64],
    colliders: NDArray[np.int64],
    first_collider_at: int,
    area: int,
    body: int,
    body_at: int,
    rays: NDArray[np.float64],
    reach: float,
    layers: int,
    channels: NDArray[np.int64],
    num_tags: int,
    out: NDArray[np.float32],
) -> None:
    """Cast all rays of one sensor and encode what they meet.

    Args:
        rows: ``(areas, width)`` numbers of the world.
        colliders: int64 ``(colliders, 2)``.
        first_collider_at: column of the first collider.
        area: area of the sensor.
        body: body that carries it, which its rays never meet.
        body_at: column of that body.
        rays: ``(rays, 7)``: start and end in the frame of the body, as MuJoCo has it, and the radius of
            the cast, all for a body of scale 1.
        reach: distance from the body's origin within which all casts take place.
        layers: mask of the layers that can be hit.
        channels: int64 ``(tags,)``: place of each tag in the one-hot, -1 for the others.
        num_tags: length of the one-hot.
        out: float32 ``(rays * (num_tags + 2),)``, written whole.
    """
    row = rows[area]
    scale = row[body_at + SCALE]
    x, y, z = row[body_at + POSITION], row[body_at + POSITION + 1], row[body_at + POSITION + 2]
    turn = body_at + ROTATION
    qw, qx, qy, qz = row[turn], row[turn + 1], row[turn + 2], row[turn + 3]
    placement = empty_placement(len(colliders))
    near = np.empty(len(colliders), np.int64)
    count = gather_near(
        row, colliders, first_collider_at, x, y, z, scale * reach, layers, body, True, placement, near
    )
    casts = np.empty((len(rays), 8))
    results = np.empty((len(rays), 2))
    for ray in range(len(rays)):
        sx, sy, sz = rotate_wxyz(
            qw, qx, qy, qz, scale * rays[ray, 0], scale * rays[ray, 1], scale * rays[ray, 2]
        )
        ex, ey, ez = rotate_wxyz(
            qw, qx, qy, qz, scale * rays[ray, 3], scale * rays[ray, 4], scale * rays[ray, 5]
        )
        dx, dy, dz = ex - sx, ey - sy, ez - sz
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        share = 1.0 / length if length > 0.0 else 0.0
        casts[ray, 0] = x + sx
        casts[ray, 1] = y + sy
        casts[ray, 2] = z + sz
        casts[ray, 3] = share * dx
        casts[ray, 4] = share * dy
        casts[ray, 5] = share * dz
        casts[ray, 6] = scale * rays[ray, 6]
        casts[ray, 7] = length
    cast_rays(row, colliders, first_collider_at, near, count, placement, casts, results)
    width = num_tags + 2
    out[:] = 0.0
    for ray in range(len(rays)):
        at = ray * width
        hit = int(results[ray, 1])
        if hit < 0:
            out[at + num_tags] = 1.0
            out[at + num_tags + 1] = 1.0
            continue
        channel = channels[int(row[first_collider_at + COLLIDER_WIDTH * hit + TAG])]
        if channel >= 0:
            out[at + channel] = 1.0
        if casts[ray, 7] > 0.0:
            out[at + num_tags + 1] = results[ray, 0] / casts[ray, 7]


class RayPerceptionSensor:
    """What the rays of one body meet; see :class:`RayPerceptionSensorComponent` for the arguments."""

    def __init__(
        self,
        body: Transform,
        detectable_tags: Sequence[str],
        name: str,
        angles: Sequence[float],
        sphere_cast_radius: float,
        ray_length: float,
        layers: int,
        start_vertical_offset: float,
        end_vertical_offset: float,
        position: Vector,
        rotation: Quaternion,
    ) -> None:
        world = body.world
        self._rows = world.rows
        self._colliders = world.layout.colliders
        self._where = (
            world.layout.first_collider_at,
            body.area_index,
            body.body_index,
            world.layout.body_at(body.body_index),
        )
        self._num_tags = len(detectable_tags)
        self._channels = np.full(world.tags.limit, -1, np.int64)
        for channel, tag in reversed(list(enumerate(detectable_tags))):
            self._channels[world.tags.number(tag)] = channel
        self._layers = layers
        rays = []
        for angle in angles:
            radians = math.radians(angle)
            across, ahead = ray_length * math.cos(radians), ray_length * math.sin(radians)
            rise = end_vertical_offset - start_vertical_offset
            length = math.sqrt(ray_length**2 + rise**2)
            start = _add(position, rotate(rotation, (0.0, start_vertical_offset, 0.0)))
            end = _add(position, rotate(rotation, (across, end_vertical_offset, ahead)))
            radius = sphere_cast_radius * length / ray_length if ray_length > 0.0 else sphere_cast_radius
            rays.append([*to_mujoco(start), *to_mujoco(end), radius])
        self._rays = np.array(rays)
        ends = np.linalg.norm(self._rays[:, :6].reshape(-1, 3), axis=1).max()
        self._reach = float(ends + self._rays[:, 6].max())
        self._spec = vector_spec(len(rays) * (self._num_tags + 2), name)

    def get_name(self) -> str:
        """Name of the sensor."""
        return self._spec.name

    def get_observation_spec(self) -> ObservationSpec:
        """Shape ``(rays * (tags + 2),)``."""
        return self._spec

    def update(self) -> None:
        """Nothing to prepare: rays are cast when the observation is written."""

    def reset(self) -> None:
        """Nothing to forget."""

    def write(self, out: NDArray[np.float32]) -> int:
        """Cast the rays and write what they meet into ``out``."""
        observe_rays(
            self._rows,
            self._colliders,
            *self._where,
            self._rays,
            self._reach,
            self._layers,
            self._channels,
            self._num_tags,
            out,
        )
        return out.size


class RayPerceptionSensorComponent:
    """Adds a ray sensor to an agent.

    Rays start at the sensor's origin raised by the start offset and end at distance ``ray_length`` in
    their direction, raised by the end offset. What a thick ray overlaps at its start is not seen, nor is
    the body that carries the sensor. Triggers are seen. The first thing met hides what lies behind it.

    Args:
        agent: agent, or node of an agent, that gets the sensor.
        body: the body that carries it.
        detectable_tags: tags that are told apart.
        sensor_name: name of the sensor.
        rays_per_direction: rays to each side of the forward one, 0-50.
        max_ray_degrees: angle between forward and the outermost rays, 0-180.
        sphere_cast_radius: radius of thick rays, metres; 0 for thin ones.
        ray_length: metres.
        layers: mask of the layers that can be met.
        observation_stacks: how many successive observations make one, 1-50.
        alternating_ray_order: see :func:`ray_angles`.
        start_vertical_offset: metres upwards.
        end_vertical_offset: metres upwards.
        position: of the sensor in the frame of the body, metres.
        rotation: of the sensor in the frame of the body.

    Raises:
        AgentsError: a number is outside its range.
    """

    def __init__(
        self,
        agent: ComponentOwner,
        body: Transform,
        detectable_tags: Sequence[str],
        sensor_name: str = "RayPerceptionSensor",
        rays_per_direction: int = 3,
        max_ray_degrees: float = 70.0,
        sphere_cast_radius: float = 0.5,
        ray_length: float = 20.0,
        layers: int = ALL_LAYERS,
        observation_stacks: int = 1,
        alternating_ray_order: bool = True,
        start_vertical_offset: float = 0.0,
        end_vertical_offset: float = 0.0,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
    ) -> None:
        for what, value, low, high in (
            ("rays_per_direction", rays_per_direction, 0, MAX_RAYS_PER_DIRECTION),
            ("max_ray_degrees", max_ray_degrees, 0.0, 180.0),
            ("sphere_cast_radius", sphere_cast_radius, 0.0, math.inf),
            ("ray_length", ray_length, 0.0, math.inf),
        ):
            if not low <= value <= high:
                raise AgentsError(f"Sensor {sensor_name}: {what} is {value}; it must lie in {low}-{high}.")
        self._body = body
        self._tags = list(detectable_tags)
        self._name = sensor_name
        self._angles = ray_angles(rays_per_direction, max_ray_degrees, alternating_ray_order)
        self._radius = sphere_cast_radius
        self._length = ray_length
        self._layers = layers
        self._stacks = observation_stacks
        self._offsets = (start_vertical_offset, end_vertical_offset)
        self._pose = (position, rotation)
        agent.add_component(self)

    def create_sensors(self) -> list[Sensor]:
        """The sensor, stacked if asked for."""
        sensor = RayPerceptionSensor(
            self._body,
            self._tags,
            self._name,
            self._angles,
            self._radius,
            self._length,
            self._layers,
            *self._offsets,
            *self._pose,
        )
        return [sensor if self._stacks == 1 else StackingSensor(sensor, self._stacks)]


def _add(a: Vector, b: Vector) -> Vector:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])
