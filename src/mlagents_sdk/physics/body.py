"""Handles on the things of one training area, in plain floats and in the original's frame.

A handle holds a memoryview of the numbers of all areas and where its own begin. Reading one float this
way takes some 40 ns, a tenth of what indexing a NumPy array takes.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.rotations import Quaternion, Vector, conjugate, rotate

if TYPE_CHECKING:
    from mlagents_sdk.physics.world import PhysicsWorld


class ForceMode(Enum):
    """What the vector given to :meth:`Body.add_force` is."""

    FORCE = "force"
    """Newtons, acting for one step: changes the velocity by ``F h / m``."""
    ACCELERATION = "acceleration"
    """m/s², acting for one step: changes the velocity by ``a h``, whatever the mass."""
    IMPULSE = "impulse"
    """Newton seconds: changes the velocity by ``J / m``."""
    VELOCITY_CHANGE = "velocity_change"
    """m/s: changes the velocity by just that, whatever the mass."""


def floats_of(array: NDArray[np.float64]) -> memoryview[float]:
    """The numbers of a C-contiguous array, of any shape, as one live row of Python floats."""
    return array.data.cast("B").cast("d")


class Transform:
    """Where one collider of one area is.

    Args:
        name: of the collider.
        floats: the state of all areas.
        position_at: index of the first coordinate.
        rotation_at: index of the first number of the quaternion.
        movable: whether a script may set the pose.
    """

    __slots__ = ("_floats", "_movable", "_position_at", "_rotation_at", "name")

    def __init__(
        self, name: str, floats: memoryview[float], position_at: int, rotation_at: int, movable: bool
    ) -> None:
        self.name = name
        self._floats = floats
        self._position_at = position_at
        self._rotation_at = rotation_at
        self._movable = movable

    @property
    def position(self) -> Vector:
        """Centre, metres, in the frame of the area."""
        floats = self._floats
        at = self._position_at
        return (floats[at], floats[at + 2], floats[at + 1])

    @position.setter
    def position(self, position: Vector) -> None:
        self._require_movable()
        floats = self._floats
        at = self._position_at
        floats[at], floats[at + 2], floats[at + 1] = position

    @property
    def rotation(self) -> Quaternion:
        """Unit quaternion ``(x, y, z, w)``."""
        floats = self._floats
        at = self._rotation_at
        return (-floats[at + 1], -floats[at + 3], -floats[at + 2], floats[at])

    @rotation.setter
    def rotation(self, rotation: Quaternion) -> None:
        self._require_movable()
        floats = self._floats
        at = self._rotation_at
        x, y, z, w = rotation
        floats[at] = w
        floats[at + 1] = -x
        floats[at + 2] = -z
        floats[at + 3] = -y

    def _require_movable(self) -> None:
        if not self._movable:
            raise AgentsError(
                f"Collider {self.name!r} is static and cannot be moved; give it Motion.SCRIPTED in the scene."
            )


class Body(Transform):
    """A dynamic body of one area.

    Args:
        name: of the collider.
        world: the world that steps it.
        area: index of the area.
        index: index among the dynamic bodies.
        floats: the state of all areas.
        pose_at: index of position and quaternion in ``floats``.
        velocity_at: index of velocity and own-frame angular velocity in ``floats``.
    """

    __slots__ = ("_area", "_index", "_timestep", "_velocity_at", "_velocity_changes", "_world")

    def __init__(
        self,
        name: str,
        world: PhysicsWorld,
        area: int,
        index: int,
        floats: memoryview[float],
        pose_at: int,
        velocity_at: int,
    ) -> None:
        super().__init__(name, floats, pose_at, pose_at + 3, movable=True)
        self._world = world
        self._area = area
        self._index = index
        self._velocity_at = velocity_at
        self._timestep = world.timestep
        self._velocity_changes = floats_of(world.velocity_change[area, index])

    @property
    def velocity(self) -> Vector:
        """Velocity of the centre, m/s; pending forces show after the next step."""
        floats = self._floats
        at = self._velocity_at
        return (floats[at], floats[at + 2], floats[at + 1])

    @velocity.setter
    def velocity(self, velocity: Vector) -> None:
        floats = self._floats
        at = self._velocity_at
        floats[at], floats[at + 2], floats[at + 1] = velocity

    @property
    def angular_velocity(self) -> Vector:
        """Angular velocity, rad/s, along the axes of the area; positive turns are clockwise."""
        floats = self._floats
        at = self._velocity_at + 3
        return rotate(self.rotation, (-floats[at], -floats[at + 2], -floats[at + 1]))

    @angular_velocity.setter
    def angular_velocity(self, angular_velocity: Vector) -> None:
        floats = self._floats
        at = self._velocity_at + 3
        x, y, z = rotate(conjugate(self.rotation), angular_velocity)
        floats[at] = -x
        floats[at + 1] = -z
        floats[at + 2] = -y

    def add_force(self, force: Vector, mode: ForceMode = ForceMode.FORCE) -> None:
        """Push at the centre; takes effect in the next step, several calls add up."""
        x, y, z = force
        if mode is ForceMode.FORCE:
            factor = self._timestep / self.mass
        elif mode is ForceMode.ACCELERATION:
            factor = self._timestep
        elif mode is ForceMode.IMPULSE:
            factor = 1.0 / self.mass
        else:
            factor = 1.0
        changes = self._velocity_changes
        changes[0] += factor * x
        changes[1] += factor * z
        changes[2] += factor * y

    @property
    def mass(self) -> float:
        """Kilograms; the inertia follows."""
        return float(self._world.mass[self._area, self._index])

    @mass.setter
    def mass(self, mass: float) -> None:
        self._world.set_mass_and_scale(self._area, self._index, mass, self.scale)

    @property
    def scale(self) -> float:
        """Uniform scale of the collider relative to the scene; the inertia follows, the mass stays."""
        return float(self._world.scale[self._area, self._index])

    @scale.setter
    def scale(self, scale: float) -> None:
        self._world.set_mass_and_scale(self._area, self._index, self.mass, scale)

    @property
    def drag(self) -> float:
        """Share of the velocity lost per second, 1/s."""
        return float(self._world.drag[self._area, self._index])

    @drag.setter
    def drag(self, drag: float) -> None:
        self._world.drag[self._area, self._index] = drag

    @property
    def angular_drag(self) -> float:
        """Share of the angular velocity lost per second, 1/s."""
        return float(self._world.angular_drag[self._area, self._index])

    @angular_drag.setter
    def angular_drag(self, angular_drag: float) -> None:
        self._world.angular_drag[self._area, self._index] = angular_drag

    @property
    def max_angular_speed(self) -> float:
        """Angular velocities are cut to this length at each step, rad/s."""
        return float(self._world.max_angular_speed[self._area, self._index])

    @max_angular_speed.setter
    def max_angular_speed(self, max_angular_speed: float) -> None:
        self._world.max_angular_speed[self._area, self._index] = max_angular_speed
