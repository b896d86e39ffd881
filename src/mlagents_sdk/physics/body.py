"""Handles on the bodies of one training area, in plain floats and in the original's frame.

A handle holds a memoryview of the numbers of all areas and where its own begin. Reading one float this
way takes some 40 ns, a tenth of what indexing a NumPy array takes.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.layout import (
    ANGULAR_DRAG,
    DRAG,
    ENABLED,
    MASS,
    MAX_SPIN,
    PUSH,
    ROTATION,
    SCALE,
    SPIN,
    TWIST,
    VELOCITY,
)
from mlagents_sdk.physics.rotations import (
    Quaternion,
    Vector,
    conjugate,
    multiply,
    rotate,
    turned_about_y,
)

if TYPE_CHECKING:
    from mlagents_sdk.physics.appearance import Color
    from mlagents_sdk.physics.materials import PhysicsMaterial
    from mlagents_sdk.physics.touching import Contact
    from mlagents_sdk.physics.world import PhysicsWorld


class ForceMode(Enum):
    """What the vector given to :meth:`Body.add_force` or :meth:`Body.add_torque` is."""

    FORCE = "force"
    """Newtons, acting for one step: changes the velocity by ``F h / m``."""
    ACCELERATION = "acceleration"
    """m/s², acting for one step: changes the velocity by ``a h``, whatever the mass."""
    IMPULSE = "impulse"
    """Newton seconds: changes the velocity by ``J / m``."""
    VELOCITY_CHANGE = "velocity_change"
    """m/s: changes the velocity by just that, whatever the mass."""


ContactCallback = Callable[["Contact"], None]
"""What is called when something touches a body."""


def floats_of(array: NDArray[np.float64]) -> memoryview[float]:
    """The numbers of a C-contiguous array, of any shape, as one live row of Python floats."""
    return array.data.cast("B").cast("d")


class Transform:
    """One body of one area: where it is, and what others see of it.

    Made by :class:`~mlagents_sdk.physics.world.PhysicsWorld`.

    Args:
        name: of the body.
        world: the world that it belongs to.
        area: index of the area.
        index: index among the bodies of the area.
        floats: the numbers of all areas.
        at: index of the first number of this body.
        movable: whether a script may set the pose.
    """

    __slots__ = ("_area", "_at", "_floats", "_index", "_movable", "_world", "name")

    def __init__(
        self,
        name: str,
        world: PhysicsWorld,
        area: int,
        index: int,
        floats: memoryview[float],
        at: int,
        movable: bool,
    ) -> None:
        self.name = name
        self._world = world
        self._area = area
        self._index = index
        self._floats = floats
        self._at = at
        self._movable = movable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, area {self._area})"

    @property
    def area_index(self) -> int:
        """Row of its area in the columns of the world."""
        return self._area

    @property
    def body_index(self) -> int:
        """Its place among the bodies of its area."""
        return self._index

    @property
    def world(self) -> PhysicsWorld:
        """The world that it belongs to."""
        return self._world

    @property
    def position(self) -> Vector:
        """Origin, metres, in the frame of the area; the centre for boxes, spheres and the like."""
        floats = self._floats
        at = self._at
        return (floats[at], floats[at + 2], floats[at + 1])

    @position.setter
    def position(self, position: Vector) -> None:
        if not self._movable:
            self._refuse()
        floats = self._floats
        at = self._at
        floats[at], floats[at + 2], floats[at + 1] = position

    @property
    def rotation(self) -> Quaternion:
        """Unit quaternion ``(x, y, z, w)``."""
        floats = self._floats
        at = self._at + ROTATION
        return (-floats[at + 1], -floats[at + 3], -floats[at + 2], floats[at])

    @rotation.setter
    def rotation(self, rotation: Quaternion) -> None:
        if not self._movable:
            self._refuse()
        floats = self._floats
        at = self._at + ROTATION
        x, y, z, w = rotation
        floats[at] = w
        floats[at + 1] = -x
        floats[at + 2] = -z
        floats[at + 3] = -y

    @property
    def forward(self) -> Vector:
        """Direction of its own z axis in the area."""
        x, y, z, w = self.rotation
        return (2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y))

    @property
    def right(self) -> Vector:
        """Direction of its own x axis in the area."""
        x, y, z, w = self.rotation
        return (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y))

    @property
    def up(self) -> Vector:
        """Direction of its own y axis in the area."""
        x, y, z, w = self.rotation
        return (2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x))

    def turn(self, degrees: float) -> None:
        """Turn about its own y axis at once; positive angles are clockwise seen from above."""
        self.rotation = turned_about_y(self.rotation, degrees)

    def to_local(self, direction: Vector) -> Vector:
        """A direction of the area as seen along its own axes."""
        return rotate(conjugate(self.rotation), direction)

    def to_world(self, direction: Vector) -> Vector:
        """A direction along its own axes as seen in the area."""
        return rotate(self.rotation, direction)

    @property
    def enabled(self) -> bool:
        """Whether it is there at all: if not, nothing touches or sees it, and it does not move."""
        return self._floats[self._at + ENABLED] != 0.0

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self._floats[self._at + ENABLED] = 1.0 if enabled else 0.0

    @property
    def tag(self) -> str:
        """What sensors and callbacks see of its first collider.

        Setting it changes all colliders but those to which the scene gave a tag of their own.
        """
        return self._world.get_tag(self._area, self._index)

    @tag.setter
    def tag(self, tag: str) -> None:
        self._world.set_tag(self._area, self._index, tag)

    @property
    def size(self) -> Vector:
        """Full extents along its own x, y and z, metres; for bodies with one collider.

        Round shapes take their radius from x, and capsules and cylinders their height from y.
        """
        return self._world.get_size(self._area, self._index)

    @size.setter
    def size(self, size: Vector) -> None:
        self._world.set_size(self._area, self._index, size)

    @property
    def color(self) -> Color:
        """What cameras see of its first collider; set for all of them and for its decorations."""
        return self._world.get_color(self._area, self._index)

    @color.setter
    def color(self, color: Color) -> None:
        self._world.set_color(self._area, self._index, color)

    def set_material(self, material: PhysicsMaterial) -> None:
        """Give all its colliders another surface."""
        self._world.set_material(self._area, self._index, material)

    def listen(
        self,
        *,
        collision_enter: ContactCallback | None = None,
        collision_stay: ContactCallback | None = None,
        collision_exit: ContactCallback | None = None,
        trigger_enter: ContactCallback | None = None,
        trigger_stay: ContactCallback | None = None,
        trigger_exit: ContactCallback | None = None,
    ) -> None:
        """Have functions called when something begins, continues or ceases to touch this body.

        :meth:`~mlagents_sdk.physics.world.PhysicsWorld.dispatch_contacts` calls them. A collision is a
        contact of two solid colliders; where either is a trigger, it is an overlap of the two. What
        exactly is told stands in :mod:`mlagents_sdk.physics.touching`. Several functions may listen.
        """
        callbacks = (
            collision_enter,
            collision_stay,
            collision_exit,
            trigger_enter,
            trigger_stay,
            trigger_exit,
        )
        self._world.add_listener(self, callbacks)

    def _refuse(self) -> None:
        raise AgentsError(
            f"Collider {self.name!r} is static and cannot be moved; give it Motion.SCRIPTED in the scene."
        )


class Body(Transform):
    """A dynamic body of one area: a transform that has velocities and feels forces."""

    __slots__ = ()

    @property
    def velocity(self) -> Vector:
        """Velocity of the centre of mass, m/s; pending forces show after the next step."""
        floats = self._floats
        at = self._at + VELOCITY
        return (floats[at], floats[at + 2], floats[at + 1])

    @velocity.setter
    def velocity(self, velocity: Vector) -> None:
        floats = self._floats
        at = self._at + VELOCITY
        floats[at], floats[at + 2], floats[at + 1] = velocity

    @property
    def angular_velocity(self) -> Vector:
        """Angular velocity, rad/s, along the axes of the area; positive turns are clockwise."""
        floats = self._floats
        at = self._at + SPIN
        return rotate(self.rotation, (-floats[at], -floats[at + 2], -floats[at + 1]))

    @angular_velocity.setter
    def angular_velocity(self, angular_velocity: Vector) -> None:
        floats = self._floats
        at = self._at + SPIN
        x, y, z = rotate(conjugate(self.rotation), angular_velocity)
        floats[at] = -x
        floats[at + 1] = -z
        floats[at + 2] = -y

    def place(self, position: Vector, rotation: Quaternion) -> None:
        """Put it somewhere, and with it, as if they were one piece, all bodies that hang on it by joints.

        Their velocities stay as they are.
        """
        here, turn = self.position, multiply(rotation, conjugate(self.rotation))
        for body in self._world.bodies_hanging_on(self._area, self._index):
            offset = [a - b for a, b in zip(body.position, here, strict=True)]
            x, y, z = rotate(turn, (offset[0], offset[1], offset[2]))
            velocity, spin = body.velocity, body.angular_velocity
            body.position = (position[0] + x, position[1] + y, position[2] + z)
            body.rotation = multiply(turn, body.rotation)
            body.velocity, body.angular_velocity = velocity, spin
        spin = self.angular_velocity
        self.position, self.rotation = position, rotation
        self.angular_velocity = spin

    def stop(self) -> None:
        """Set both velocities to zero and forget pending forces."""
        floats = self._floats
        for at in range(self._at + VELOCITY, self._at + MASS):
            floats[at] = 0.0

    def add_force(self, force: Vector, mode: ForceMode = ForceMode.FORCE) -> None:
        """Push at the centre of mass; takes effect in the next step, several calls add up."""
        x, y, z = force
        floats = self._floats
        at = self._at + PUSH
        if mode is not ForceMode.VELOCITY_CHANGE:
            factor = self._world.timestep if mode is not ForceMode.IMPULSE else 1.0
            if mode is not ForceMode.ACCELERATION:
                factor /= floats[self._at + MASS]
            x, y, z = factor * x, factor * y, factor * z
        floats[at] += x
        floats[at + 1] += z
        floats[at + 2] += y

    def add_torque(self, torque: Vector, mode: ForceMode = ForceMode.FORCE) -> None:
        """Turn about the centre of mass; takes effect in the next step, several calls add up.

        Args:
            torque: along the axes of the area, clockwise; newton metres, or whatever the mode makes of
                it: rad/s² for an acceleration, rad/s for a change of velocity.
            mode: forces and impulses are divided by the inertia, the others are not.
        """
        x, y, z = torque
        if mode in (ForceMode.FORCE, ForceMode.IMPULSE):
            x, y, z = self._world.inverse_inertia(self._area, self._index, torque)
        factor = self._world.timestep if mode in (ForceMode.FORCE, ForceMode.ACCELERATION) else 1.0
        floats = self._floats
        at = self._at + TWIST
        floats[at] -= factor * x
        floats[at + 1] -= factor * z
        floats[at + 2] -= factor * y

    @property
    def mass(self) -> float:
        """Kilograms; the inertia follows."""
        return self._floats[self._at + MASS]

    @mass.setter
    def mass(self, mass: float) -> None:
        self._world.set_mass_and_scale(self._area, self._index, mass, self.scale)

    @property
    def scale(self) -> float:
        """Uniform scale of its colliders relative to the scene; the inertia follows, the mass stays."""
        return self._floats[self._at + SCALE]

    @scale.setter
    def scale(self, scale: float) -> None:
        self._world.set_mass_and_scale(self._area, self._index, self.mass, scale)

    @property
    def drag(self) -> float:
        """Share of the velocity lost per second, 1/s."""
        return self._floats[self._at + DRAG]

    @drag.setter
    def drag(self, drag: float) -> None:
        self._floats[self._at + DRAG] = drag

    @property
    def angular_drag(self) -> float:
        """Share of the angular velocity lost per second, 1/s."""
        return self._floats[self._at + ANGULAR_DRAG]

    @angular_drag.setter
    def angular_drag(self, angular_drag: float) -> None:
        self._floats[self._at + ANGULAR_DRAG] = angular_drag

    @property
    def max_angular_speed(self) -> float:
        """Angular velocities are cut to this length at each step, rad/s."""
        return self._floats[self._at + MAX_SPIN]

    @max_angular_speed.setter
    def max_angular_speed(self, max_angular_speed: float) -> None:
        self._floats[self._at + MAX_SPIN] = max_angular_speed
