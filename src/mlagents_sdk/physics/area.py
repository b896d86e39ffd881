"""One copy of the scene: its handles, its gravity, its reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.body import Body, Transform
from mlagents_sdk.physics.rotations import Vector

if TYPE_CHECKING:
    from mlagents_sdk.physics.world import PhysicsWorld


class TrainingArea:
    """One simulation of the world's scene, independent of all others.

    Made by :class:`~mlagents_sdk.physics.world.PhysicsWorld`.

    Attributes:
        index: row of the area in the columns of the world.
    """

    def __init__(self, world: PhysicsWorld, index: int, transforms: Mapping[str, Transform]) -> None:
        self._world = world
        self.index = index
        self._transforms = transforms

    def transform(self, name: str) -> Transform:
        """Handle on any collider.

        Raises:
            AgentsError: there is no such collider.
        """
        try:
            return self._transforms[name]
        except KeyError:
            known = ", ".join(self._transforms)
            raise AgentsError(f"The scene has no collider {name!r}; it has {known}.") from None

    def body(self, name: str) -> Body:
        """Handle on a dynamic body.

        Raises:
            AgentsError: there is no such collider, or it is not dynamic.
        """
        transform = self.transform(name)
        if not isinstance(transform, Body):
            raise AgentsError(f"Collider {name!r} is not dynamic; give it Motion.DYNAMIC in the scene.")
        return transform

    @property
    def gravity(self) -> Vector:
        """Acceleration of gravity in this area, m/s²."""
        x, z, y = self._world.gravity[self.index].tolist()
        return (x, y, z)

    @gravity.setter
    def gravity(self, gravity: Vector) -> None:
        self._world.set_gravity(self.index, gravity)

    def reset(self) -> None:
        """Put everything back to where the scene has it, at rest; masses, scales and gravity stay."""
        self._world.reset_area(self.index)
