"""Handles on the joints of one training area, in plain floats and in the original's frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.joints import Joint, JointKind, Limits, SceneJoint
from mlagents_sdk.physics.joints_layout import (
    ANGLE,
    DAMPER,
    FORCE,
    GOAL,
    GOAL_RATE,
    MAX_FORCE,
    RATE,
    SPRING,
    TARGET,
    angles_of,
)
from mlagents_sdk.physics.rotations import Quaternion, Vector, euler_rotation

if TYPE_CHECKING:
    from mlagents_sdk.physics.area import TrainingArea
    from mlagents_sdk.physics.body import Transform


class JointHandle:
    """One joint of one area: where it is, and where its drive pulls it.

    Made by :class:`~mlagents_sdk.physics.world.PhysicsWorld`. Frames and senses of turning are those of
    :mod:`mlagents_sdk.physics.joints`. What is set stays until it is set again, also when the area is
    reset.

    Args:
        item: the joint in the scene.
        area: the area.
        floats: the numbers of the joints of all areas.
        at: index of its first number.
    """

    __slots__ = ("_area", "_at", "_floats", "_item", "name")

    def __init__(self, item: SceneJoint, area: TrainingArea, floats: memoryview[float], at: int) -> None:
        self.name = item.name
        self._item = item
        self._area = area
        self._floats = floats
        self._at = at

    def __repr__(self) -> str:
        return f"JointHandle({self.name!r}, area {self._area.index})"

    @property
    def joint(self) -> Joint:
        """What the scene says of it."""
        return self._item.joint

    @property
    def child(self) -> Transform:
        """The body that it holds."""
        return self._area.transform(self._item.child)

    @property
    def parent(self) -> Transform | None:
        """The body on which it hangs; None for the area itself."""
        return None if self._item.parent is None else self._area.transform(self._item.parent)

    @property
    def free_axes(self) -> tuple[int, ...]:
        """Axes along (sliders) or about which it moves: 0 for x, 1 for y, 2 for z."""
        return self._item.joint.free_axes

    @property
    def is_slider(self) -> bool:
        """Whether it moves along its axis instead of turning."""
        return self._item.joint.kind is JointKind.SLIDER

    @property
    def limits(self) -> tuple[Limits | None, Limits | None, Limits | None]:
        """Lowest and highest value about x, y and z, degrees (sliders: metres); None where it is free."""
        return self._item.joint.limits

    @property
    def angles(self) -> Vector:
        """Angles about its x, y and z axes, degrees; zero where the scene puts the bodies."""
        x, y, z = self._read(ANGLE)
        return (math.degrees(x), math.degrees(y), math.degrees(z))

    @property
    def rates(self) -> Vector:
        """How fast the angles change, rad/s."""
        return self._read(RATE)

    @property
    def position(self) -> float:
        """Of a slider, how far the child is from where the scene puts it, along the axis, metres."""
        return self._floats[self._at + ANGLE]

    @property
    def speed(self) -> float:
        """Of a slider, how fast the position changes, m/s."""
        return self._floats[self._at + RATE]

    @property
    def current_torque(self) -> Vector:
        """What the drive gave about the x, y and z axes at the end of the last step, N m."""
        return self._read(FORCE)

    @property
    def current_force(self) -> float:
        """What the drive of a slider gave along its axis at the end of the last step, N."""
        return self._floats[self._at + FORCE]

    @property
    def target_rotation(self) -> Quaternion:
        """Where the drive pulls it, ``(x, y, z, w)`` in the joint's own frame.

        Targets beyond the limits pull to the limit. Axes that are not free do not count.
        """
        floats, at = self._floats, self._at + TARGET
        return (floats[at], floats[at + 1], floats[at + 2], floats[at + 3])

    @target_rotation.setter
    def target_rotation(self, rotation: Quaternion) -> None:
        self._refuse_without(turning=True)
        floats, at = self._floats, self._at
        floats[at + TARGET], floats[at + TARGET + 1], floats[at + TARGET + 2], floats[at + TARGET + 3] = (
            rotation
        )
        at += GOAL
        floats[at], floats[at + 1], floats[at + 2] = angles_of(rotation)

    def set_target_angles(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> None:
        """Set the target rotation by angles in degrees: about y first, then own x, then own z."""
        self.target_rotation = euler_rotation(x, y, z)

    @property
    def target_position(self) -> float:
        """Where the drive pulls a slider, metres."""
        return self._floats[self._at + GOAL]

    @target_position.setter
    def target_position(self, position: float) -> None:
        self._refuse_without(turning=False)
        self._floats[self._at + GOAL] = position

    @property
    def target_velocity(self) -> Vector:
        """How fast the drive's damper wants the angles to change, rad/s; sliders: m/s, the first number."""
        return self._read(GOAL_RATE)

    @target_velocity.setter
    def target_velocity(self, velocity: Vector) -> None:
        self._refuse_without(turning=not self.is_slider)
        floats, at = self._floats, self._at + GOAL_RATE
        floats[at], floats[at + 1], floats[at + 2] = velocity

    @property
    def strength(self) -> float:
        """Largest force of the drive as a share of what the scene gives it, 0 to 1; 1 at the beginning."""
        drive = self._item.joint.drive
        if drive is None or drive.max_force == 0.0:
            return 0.0
        now = self._floats[self._at + MAX_FORCE]
        return 1.0 if now == drive.max_force else now / drive.max_force

    @strength.setter
    def strength(self, strength: float) -> None:
        limit = self._limit()
        if not 0.0 <= strength <= 1.0:
            raise AgentsError(f"Joint {self.name!r}: strength is {strength}; it must lie in 0 to 1.")
        if math.isinf(limit) and strength < 1.0:
            raise AgentsError(
                f"Joint {self.name!r}: its drive has no max_force that strength could be a share of."
            )
        self._floats[self._at + MAX_FORCE] = limit if strength == 1.0 else strength * limit

    @property
    def max_force(self) -> float:
        """Largest force of the drive about each axis, N m; N for sliders."""
        return self._floats[self._at + MAX_FORCE]

    @max_force.setter
    def max_force(self, max_force: float) -> None:
        self._set(MAX_FORCE, max_force, "max_force")

    @property
    def spring(self) -> float:
        """Of the drive, N m/rad; N/m for sliders."""
        return self._floats[self._at + SPRING]

    @spring.setter
    def spring(self, spring: float) -> None:
        self._set(SPRING, spring, "spring")

    @property
    def damper(self) -> float:
        """Of the drive, N m s/rad; N s/m for sliders."""
        return self._floats[self._at + DAMPER]

    @damper.setter
    def damper(self, damper: float) -> None:
        self._set(DAMPER, damper, "damper")

    def _read(self, column: int) -> Vector:
        floats, at = self._floats, self._at + column
        return (floats[at], floats[at + 1], floats[at + 2])

    def _set(self, column: int, value: float, what: str) -> None:
        self._limit()
        if not value >= 0.0:
            raise AgentsError(f"Joint {self.name!r}: {what} is {value}; it must not be negative.")
        self._floats[self._at + column] = value

    def _limit(self) -> float:
        drive = self._item.joint.drive
        if drive is None:
            raise AgentsError(f"Joint {self.name!r} has no drive; give it one in the scene.")
        return drive.max_force

    def _refuse_without(self, turning: bool) -> None:
        self._limit()
        if turning is self.is_slider:
            wanted = "target_position" if self.is_slider else "target_rotation"
            raise AgentsError(f"Joint {self.name!r} is driven by its {wanted}.")
