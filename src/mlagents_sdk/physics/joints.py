"""Declares how bodies of a scene hang together: joints, their limits and their drives.

A joint belongs to its *child* and connects it to its *parent*. Its frame is fixed in the child: an anchor
and three axes, x = ``axis``, y = ``secondary_axis`` made perpendicular to it, and z = x × y. Where the
scene puts the two bodies, all its angles are zero.

There are two senses of turning, the second of which is the original's:

* The angle of a hinge and the position of a slider tell how the *child* is placed as seen from the
  parent. A positive angle turns the child clockwise, seen from where the axis points to, as everywhere.
* The angles of configurable and ball joints tell how the *parent* is turned as seen from the child, also
  where they stand in limits and targets. With the parent held, a positive angle about x thus turns the
  child counter-clockwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.rotations import Vector

if TYPE_CHECKING:
    from mlagents_sdk.physics.scene import Scene

Limits = tuple[float, float]
"""Lowest and highest value: degrees, or metres for sliders."""

LOCKED: Limits = (0.0, 0.0)
"""Limits of an axis about which nothing turns."""

_WIDEST = 179.0  # degrees; beyond that one angle could stand for two


class JointKind(IntEnum):
    """What a joint lets its child do."""

    FIXED = 0
    HINGE = 1
    SLIDER = 2
    BALL = 3
    CONFIGURABLE = 4


@dataclass(frozen=True, slots=True)
class Drive:
    """A motor that pulls a joint to a target with a spring and a damper.

    About each free axis it gives ``spring (target - angle) + damper (target velocity - velocity)``, cut
    to ``max_force``, of the angle and the velocity to which the step will lead (backward Euler), so that
    however stiff it is, it does not overshoot by its own doing. This adds to the damper the product of
    timestep and spring, as in the original.

    Attributes:
        spring: N m/rad; N/m for sliders.
        damper: N m s/rad; N s/m for sliders.
        max_force: N m; N for sliders.
    """

    spring: float = 0.0
    damper: float = 0.0
    max_force: float = math.inf


@dataclass(frozen=True, slots=True)
class Joint:
    """How a child is held by its parent; see the module for frames and senses.

    Attributes:
        kind: what the child can do.
        anchor: the point that the joint keeps together, in the frame of the child, metres.
        axis: x axis of the joint in the frame of the child, of any length.
        secondary_axis: what its y axis is made from.
        limits: of x, y and z; None for none. Sliders use x only.
        drive: what moves it; None for nothing.
    """

    kind: JointKind
    anchor: Vector = (0.0, 0.0, 0.0)
    axis: Vector = (1.0, 0.0, 0.0)
    secondary_axis: Vector = (0.0, 1.0, 0.0)
    limits: tuple[Limits | None, Limits | None, Limits | None] = (None, None, None)
    drive: Drive | None = None

    @classmethod
    def fixed(cls) -> Joint:
        """The child moves as if it were a part of its parent."""
        return cls(JointKind.FIXED)

    @classmethod
    def hinge(
        cls,
        axis: Vector = (1.0, 0.0, 0.0),
        anchor: Vector = (0.0, 0.0, 0.0),
        limits: Limits | None = None,
        drive: Drive | None = None,
    ) -> Joint:
        """The child turns about one axis; limits in degrees, at most ±179."""
        return cls(JointKind.HINGE, anchor, axis, _across(axis), (limits, LOCKED, LOCKED), drive)

    @classmethod
    def slider(
        cls,
        axis: Vector = (1.0, 0.0, 0.0),
        limits: Limits | None = None,
        drive: Drive | None = None,
    ) -> Joint:
        """The child moves along one axis and does not turn; limits in metres."""
        return cls(JointKind.SLIDER, (0.0, 0.0, 0.0), axis, _across(axis), (limits, LOCKED, LOCKED), drive)

    @classmethod
    def ball(cls, anchor: Vector = (0.0, 0.0, 0.0)) -> Joint:
        """The child turns freely about a point."""
        return cls(JointKind.BALL, anchor)

    @classmethod
    def configurable(
        cls,
        anchor: Vector = (0.0, 0.0, 0.0),
        axis: Vector = (1.0, 0.0, 0.0),
        secondary_axis: Vector = (0.0, 1.0, 0.0),
        x: Limits | None = LOCKED,
        y: float | None = 0.0,
        z: float | None = 0.0,
        drive: Drive | None = None,
    ) -> Joint:
        """The child turns about up to three axes, each with its limits.

        The joint is a twist about x and a swing about y and z, in this order as seen from the parent:
        x, then z, then y. Where all three are free, z should stay well below 90°.

        Args:
            anchor: in the frame of the child, metres.
            axis: x axis, in the frame of the child.
            secondary_axis: what the y axis is made from.
            x: lowest and highest angle, degrees; None for no limits.
            y: highest angle to both sides; 0 where it is locked, None for no limits.
            z: ditto.
            drive: what moves it.
        """
        limits = (x, None if y is None else (-y, y), None if z is None else (-z, z))
        return cls(JointKind.CONFIGURABLE, anchor, axis, secondary_axis, limits, drive)

    @property
    def free_axes(self) -> tuple[int, ...]:
        """Axes along (sliders) or about which the child moves: 0 for x, 1 for y, 2 for z."""
        if self.kind is JointKind.FIXED:
            return ()
        return tuple(axis for axis, limits in enumerate(self.limits) if limits != LOCKED)

    def axes(self) -> tuple[Vector, Vector, Vector]:
        """Its x, y and z axes in the frame of the child, unit length.

        Raises:
            ValueError: an axis is zero, or both are parallel.
        """
        x = _unit(self.axis)
        along = sum(a * b for a, b in zip(x, self.secondary_axis, strict=True))
        sx, sy, sz = self.secondary_axis
        y = _unit((sx - along * x[0], sy - along * x[1], sz - along * x[2]))
        return x, y, _cross(x, y)


@dataclass(frozen=True, slots=True)
class SceneJoint:
    """A joint in its place in the scene.

    Attributes:
        name: unique among the joints of the scene.
        joint: what it does.
        child: name of the body that it holds.
        parent: name of the body on which it hangs; None for the area itself.
    """

    name: str
    joint: Joint
    child: str
    parent: str | None


def check_joint(scene: Scene, item: SceneJoint) -> None:
    """Make sure that a joint can be added to a scene.

    Raises:
        AgentsError: it cannot.
    """
    where = f"Joint {item.name!r}"
    if item.name in scene.joints:
        raise AgentsError(f"{where}: the scene has a joint of this name already; names must be unique.")
    for body in (item.child, item.parent):
        if body is not None and body not in scene.colliders:
            raise AgentsError(f"{where}: the scene has no body {body!r}; add the body first.")
    child = scene.colliders[item.child]
    if child.motion.value != "dynamic":
        raise AgentsError(f"{where}: its child {item.child!r} is not dynamic; give it Motion.DYNAMIC.")
    if child.freeze:
        raise AgentsError(f"{where}: its child {item.child!r} has frozen axes; only its limits can hold it.")
    parents = {other.child: other.parent for other in scene.joints.values()}
    if item.child in parents:
        raise AgentsError(f"{where}: body {item.child!r} hangs on {parents[item.child]!r} already.")
    ancestor = item.parent
    while ancestor is not None:
        if ancestor == item.child:
            raise AgentsError(f"{where}: bodies {item.child!r} and {item.parent!r} would hang in a circle.")
        ancestor = parents.get(ancestor)
    _check_numbers(where, item.joint)


def _check_numbers(where: str, joint: Joint) -> None:
    try:
        joint.axes()
    except ValueError:
        raise AgentsError(
            f"{where}: axis {joint.axis} and secondary_axis {joint.secondary_axis} must neither be zero nor "
            "parallel."
        ) from None
    widest = math.inf if joint.kind is JointKind.SLIDER else _WIDEST
    for name, limits in zip("xyz", joint.limits, strict=True):
        if limits is not None and not -widest <= limits[0] <= limits[1] <= widest:
            raise AgentsError(
                f"{where}: limits {limits} of {name} must rise and lie within ±{widest:g}; None is for no "
                "limits."
            )
    if not all(map(math.isfinite, joint.anchor)):
        raise AgentsError(f"{where}: anchor {joint.anchor} must be finite.")
    drive = joint.drive
    if drive is not None and not (
        0.0 <= drive.spring < math.inf and 0.0 <= drive.damper < math.inf and drive.max_force >= 0.0
    ):
        raise AgentsError(f"{where}: no number of its {drive} may be negative.")


def _across(axis: Vector) -> Vector:
    """A direction that is not parallel to another one."""
    smallest = min(range(3), key=lambda k: abs(axis[k]))
    return (float(smallest == 0), float(smallest == 1), float(smallest == 2))


def _unit(vector: Vector) -> Vector:
    x, y, z = vector
    length = math.sqrt(x * x + y * y + z * z)
    if not 1e-9 < length < math.inf:
        raise ValueError("no direction")
    return (x / length, y / length, z / length)


def _cross(a: Vector, b: Vector) -> Vector:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
