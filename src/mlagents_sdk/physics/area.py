"""One copy of the scene: its handles, its gravity, its reset, and questions about what is where."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.body import Body, Transform
from mlagents_sdk.physics.layout import GRAVITY, rotation_to_mujoco
from mlagents_sdk.physics.queries import Scope, cast_one, overlap_box
from mlagents_sdk.physics.rotations import IDENTITY, Quaternion, Vector

if TYPE_CHECKING:
    from mlagents_sdk.physics.joints_handle import JointHandle
    from mlagents_sdk.physics.world import PhysicsWorld

ALL_LAYERS = 0xFFFFFFFF
"""Mask of all 32 layers."""


@dataclass(frozen=True, slots=True)
class RayHit:
    """What a cast met first.

    Attributes:
        distance: travelled until then, metres.
        point: where they touch, in the frame of the area.
        normal: of the surface there, unit length.
        body: what was hit.
        tag: of the collider that was hit.
    """

    distance: float
    point: Vector
    normal: Vector
    body: Transform
    tag: str


class TrainingArea:
    """One simulation of the world's scene, independent of all others.

    Made by :class:`~mlagents_sdk.physics.world.PhysicsWorld`.

    Attributes:
        index: row of the area in the columns of the world.
        transforms: handles on all bodies, in the order of the scene.
        joints: handles on all joints by name, ditto.
    """

    def __init__(self, world: PhysicsWorld, index: int, transforms: Mapping[str, Transform]) -> None:
        self._world = world
        self.index = index
        self._by_name = transforms
        self.transforms = list(transforms.values())
        self.joints: dict[str, JointHandle] = {}
        self._hit = np.zeros(8)
        self._bodies = np.zeros(len(self.transforms), np.int64)

    @property
    def world(self) -> PhysicsWorld:
        """The world that it belongs to."""
        return self._world

    def transform(self, name: str) -> Transform:
        """Handle on any body.

        Raises:
            AgentsError: there is no such body.
        """
        try:
            return self._by_name[name]
        except KeyError:
            known = ", ".join(self._by_name)
            raise AgentsError(f"The scene has no collider {name!r}; it has {known}.") from None

    def body(self, name: str) -> Body:
        """Handle on a dynamic body.

        Raises:
            AgentsError: there is no such body, or it is not dynamic.
        """
        transform = self.transform(name)
        if not isinstance(transform, Body):
            raise AgentsError(f"Collider {name!r} is not dynamic; give it Motion.DYNAMIC in the scene.")
        return transform

    def joint(self, name: str) -> JointHandle:
        """Handle on a joint.

        Raises:
            AgentsError: there is no such joint.
        """
        try:
            return self.joints[name]
        except KeyError:
            known = ", ".join(self.joints) or "none"
            raise AgentsError(f"The scene has no joint {name!r}; it has {known}.") from None

    @property
    def gravity(self) -> Vector:
        """Acceleration of gravity in this area, m/s²."""
        x, z, y = self._world.rows[self.index, GRAVITY : GRAVITY + 3].tolist()
        return (x, y, z)

    @gravity.setter
    def gravity(self, gravity: Vector) -> None:
        self._world.set_gravity(self.index, gravity)

    def reset(self) -> None:
        """Put everything back to where the scene has it, at rest; all else that was changed stays."""
        self._world.reset_area(self.index)

    def raycast(
        self,
        origin: Vector,
        direction: Vector,
        max_distance: float,
        layers: int = ALL_LAYERS,
        ignore: Transform | None = None,
        hit_triggers: bool = True,
    ) -> RayHit | None:
        """What a ray meets first; colliders that contain its origin are not reported.

        Args:
            origin: metres, in the frame of the area.
            direction: of any length but zero.
            max_distance: metres.
            layers: mask of the layers that can be hit.
            ignore: a body that cannot be hit.
            hit_triggers: whether triggers can be hit.
        """
        return self.sphere_cast(origin, 0.0, direction, max_distance, layers, ignore, hit_triggers)

    def sphere_cast(
        self,
        origin: Vector,
        radius: float,
        direction: Vector,
        max_distance: float,
        layers: int = ALL_LAYERS,
        ignore: Transform | None = None,
        hit_triggers: bool = True,
    ) -> RayHit | None:
        """What a sphere meets first on its way; colliders that it overlaps at the start are not reported.

        Args:
            origin: where its centre starts, metres, in the frame of the area.
            radius: metres.
            direction: of any length but zero.
            max_distance: metres that its centre travels at most.
            layers: mask of the layers that can be hit.
            ignore: a body that cannot be hit.
            hit_triggers: whether triggers can be hit.
        """
        x, y, z = direction
        length = math.sqrt(x * x + y * y + z * z)
        layout = self._world.layout
        body = cast_one(
            self._world.rows,
            self.index,
            layout.colliders,
            layout.first_collider_at,
            (float(origin[0]), float(origin[2]), float(origin[1])),
            (x / length, z / length, y / length),
            float(radius),
            float(max_distance),
            _scope(layers, ignore, hit_triggers),
            self._hit,
        )
        if body < 0:
            return None
        distance, px, pz, py, nx, nz, ny, tag = self._hit.tolist()
        name = self._world.tags.names[int(tag)]
        return RayHit(distance, (px, py, pz), (nx, ny, nz), self.transforms[body], name)

    def overlap_box(
        self,
        center: Vector,
        half_extents: Vector,
        rotation: Quaternion = IDENTITY,
        layers: int = ALL_LAYERS,
        ignore: Transform | None = None,
        hit_triggers: bool = True,
        tags: Collection[str] | None = None,
    ) -> list[Transform]:
        """All bodies that a box overlaps, in the order of the scene; touching is not enough.

        Args:
            center: metres, in the frame of the area.
            half_extents: metres.
            rotation: ``(x, y, z, w)``.
            layers: mask of the layers that count.
            ignore: a body that does not count.
            hit_triggers: whether triggers count.
            tags: tags that count; None for all.
        """
        scope = _scope(layers, ignore, hit_triggers)
        count = self._overlap(center, half_extents, rotation, scope, tags, False)
        return [self.transforms[body] for body in self._bodies[:count].tolist()]

    def check_box(
        self,
        center: Vector,
        half_extents: Vector,
        rotation: Quaternion = IDENTITY,
        layers: int = ALL_LAYERS,
        ignore: Transform | None = None,
        hit_triggers: bool = True,
        tags: Collection[str] | None = None,
    ) -> bool:
        """Whether a box overlaps anything; arguments as in :meth:`overlap_box`."""
        scope = _scope(layers, ignore, hit_triggers)
        return self._overlap(center, half_extents, rotation, scope, tags, True) > 0

    def _overlap(
        self,
        center: Vector,
        half_extents: Vector,
        rotation: Quaternion,
        scope: Scope,
        tags: Collection[str] | None,
        first_only: bool,
    ) -> int:
        layout = self._world.layout
        w, x, y, z = rotation_to_mujoco(rotation)
        count: int = overlap_box(
            self._world.rows,
            self.index,
            layout.colliders,
            layout.first_collider_at,
            (float(center[0]), float(center[2]), float(center[1])),
            (float(half_extents[0]), float(half_extents[2]), float(half_extents[1])),
            (float(w), float(x), float(y), float(z)),
            scope,
            self._world.tags.mask(tags),
            first_only,
            self._bodies,
        )
        return count


def _scope(layers: int, ignore: Transform | None, hit_triggers: bool) -> Scope:
    return Scope(layers, -1 if ignore is None else ignore.body_index, hit_triggers)
