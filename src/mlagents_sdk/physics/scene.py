"""Declares what a training area contains: the prefab of which a world makes copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from typing import Unpack

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.appearance import Color, Lighting, Look
from mlagents_sdk.physics.joints import Joint, SceneJoint, check_joint
from mlagents_sdk.physics.materials import PhysicsMaterial
from mlagents_sdk.physics.rotations import IDENTITY, Quaternion, Vector
from mlagents_sdk.physics.shapes import Shape, ShapeKind

MAX_LAYERS = 32
"""Layers are numbered from 0 up to this."""


class Motion(Enum):
    """Who moves a body."""

    STATIC = "static"
    """Nobody."""
    SCRIPTED = "scripted"
    """The program, by setting its pose. It imparts no velocity to what it touches."""
    DYNAMIC = "dynamic"
    """Physics."""

    @property
    def rank(self) -> int:
        """0 for static, 1 for scripted, 2 for dynamic."""
        return list(Motion).index(self)


class Freeze(IntFlag):
    """Directions in which physics does not move a dynamic body; a script still can."""

    NONE = 0
    POSITION_X = 1
    POSITION_Y = 2
    POSITION_Z = 4
    ROTATION_X = 8
    ROTATION_Y = 16
    ROTATION_Z = 32
    POSITION = 7
    ROTATION = 56
    ALL = 63

    def in_mujoco_order(self) -> int:
        """The flags with y and z swapped."""
        bits = int(self)
        return bits & 0b001001 | (bits & 0b010010) << 1 | (bits & 0b100100) >> 1


class BodyOptions(Look, total=False):
    """What can be said about any body, whatever its shape.

    Attributes:
        motion: who moves it; nobody by default.
        mass: kilograms; matters for dynamic bodies, as do the two drags; 1 by default.
        drag: share of the velocity lost per second, 1/s; 0 by default.
        angular_drag: the same for the angular velocity; 0.05 by default.
        freeze: axes of the area along and about which physics does not move it.
        tag: what sensors and callbacks see, ``""`` by default.
        layer: 0-31, for queries that look at some layers only.
        color: what cameras see of it, see :class:`~mlagents_sdk.physics.appearance.Look`, as the next two.
        checks: second colour of a checkered pattern.
        visible: whether cameras see it.
    """

    motion: Motion
    mass: float
    drag: float
    angular_drag: float
    freeze: Freeze
    tag: str
    layer: int


@dataclass(frozen=True, slots=True)
class Collider:
    """One rigid body of the scene; see :class:`BodyOptions` for the fields not listed.

    Attributes:
        name: unique in the scene.
        shapes: its colliders.
        position: of the origin, metres.
        rotation: ``(x, y, z, w)``.
    """

    name: str
    shapes: tuple[Shape, ...]
    position: Vector
    rotation: Quaternion
    motion: Motion = Motion.STATIC
    mass: float = 1.0
    drag: float = 0.0
    angular_drag: float = 0.05
    freeze: Freeze = Freeze.NONE
    tag: str = ""
    layer: int = 0
    color: Color | None = None
    checks: Color | None = None
    visible: bool | None = None


@dataclass(frozen=True, slots=True)
class Decoration:
    """Something that cameras see and that touches nothing.

    Attributes:
        body: name of the body on which it rides, None if it stays where it is.
        shape: in the frame of the body, or of the area.
    """

    body: str | None
    shape: Shape


_DEFAULT_MATERIAL = PhysicsMaterial()


@dataclass(slots=True)
class Scene:
    """The prefab of a training area, in the original's frame: x right, y up, z forward.

    Attributes:
        timestep: seconds per physics step.
        gravity: acceleration, m/s².
        position_iterations: rounds in which contacts look for where bodies go.
        velocity_iterations: rounds in which they then look for how fast these are.
        colliders: what was added so far, by name.
        decorations: what is only seen, in the order in which it was added.
        lighting: of the pictures.
        joints: what holds bodies together, by name. With any, MuJoCo moves all dynamic bodies of the
            scene (:mod:`mlagents_sdk.physics.articulation`).
    """

    timestep: float = 0.02
    gravity: Vector = (0.0, -9.81, 0.0)
    position_iterations: int = 6
    velocity_iterations: int = 1
    colliders: dict[str, Collider] = field(default_factory=dict)
    decorations: list[Decoration] = field(default_factory=list)
    lighting: Lighting = field(default_factory=Lighting)
    joints: dict[str, SceneJoint] = field(default_factory=dict)

    def add_box(
        self,
        name: str,
        size: Vector,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **body: Unpack[BodyOptions],
    ) -> Scene:
        """Add a box.

        Args:
            name: unique in the scene.
            size: full extents along x, y and z, metres.
            position: centre, metres.
            rotation: ``(x, y, z, w)``.
            material: its surface.
            trigger: whether it lets everything pass and only reports it.
            body: see :class:`BodyOptions`.

        Returns:
            The scene, so that calls can be chained.

        Raises:
            AgentsError: the name is taken, or a number makes no sense.
        """
        shape = Shape.box(size, material=material, trigger=trigger)
        return self.add_body(name, (shape,), position, rotation, **body)

    def add_sphere(
        self,
        name: str,
        radius: float,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **body: Unpack[BodyOptions],
    ) -> Scene:
        """Add a sphere of a radius in metres; the other arguments are those of :meth:`add_box`."""
        shape = Shape.sphere(radius, material=material, trigger=trigger)
        return self.add_body(name, (shape,), position, rotation, **body)

    def add_capsule(
        self,
        name: str,
        radius: float,
        height: float,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **body: Unpack[BodyOptions],
    ) -> Scene:
        """Add a capsule along y, ``height`` metres with both caps; see :meth:`add_box`."""
        shape = Shape.capsule(radius, height, material=material, trigger=trigger)
        return self.add_body(name, (shape,), position, rotation, **body)

    def add_cylinder(
        self,
        name: str,
        radius: float,
        height: float,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **body: Unpack[BodyOptions],
    ) -> Scene:
        """Add a cylinder along y, which cannot be dynamic; see :meth:`add_box`."""
        shape = Shape.cylinder(radius, height, material=material, trigger=trigger)
        return self.add_body(name, (shape,), position, rotation, **body)

    def add_plane(
        self,
        name: str,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        **body: Unpack[BodyOptions],
    ) -> Scene:
        """Add an endless plane facing its own y axis, solid below; it cannot be dynamic."""
        shape = Shape(ShapeKind.PLANE, (1.0, 1.0, 1.0), material=material)
        return self.add_body(name, (shape,), position, rotation, **body)

    def add_body(
        self,
        name: str,
        shapes: Sequence[Shape],
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        **body: Unpack[BodyOptions],
    ) -> Scene:
        """Add a body of several colliders.

        Args:
            name: unique in the scene.
            shapes: its colliders; their density is the same, so their sizes decide where the centre of
                mass is.
            position: of its origin, metres.
            rotation: ``(x, y, z, w)``.
            body: see :class:`BodyOptions`.

        Returns:
            The scene, so that calls can be chained.

        Raises:
            AgentsError: the name is taken, or a number makes no sense.
        """
        return self._add(Collider(name, tuple(shapes), position, rotation, **body))

    def add_joint(self, name: str, joint: Joint, child: str, parent: str | None = None) -> Scene:
        """Hang a dynamic body on another one; the two do not collide with each other any more.

        Args:
            name: unique among the joints of the scene.
            joint: what the child can do, see :class:`~mlagents_sdk.physics.joints.Joint`.
            child: a dynamic body added before; it can hang on one parent only.
            parent: a body added before, whoever moves it; None fixes the joint in the area.

        Returns:
            The scene, so that calls can be chained.

        Raises:
            AgentsError: a name is taken or unknown, the bodies would hang in a circle, or a number makes
                no sense.
        """
        item = SceneJoint(name, joint, child, parent)
        check_joint(self, item)
        self.joints[name] = item
        return self

    def decorate(self, body: str | None, *shapes: Shape) -> Scene:
        """Add shapes that cameras see and everything else ignores.

        Args:
            body: a body added before, on which they ride; None fixes them in the area.
            shapes: in the frame of the body, or of the area.

        Returns:
            The scene, so that calls can be chained.

        Raises:
            AgentsError: there is no such body, or a size makes no sense.
        """
        if body is not None and body not in self.colliders:
            raise AgentsError(f"The scene has no body {body!r} to decorate; add the body first.")
        if not all(shape.is_valid for shape in shapes):
            raise AgentsError(f"Decoration of {body!r}: its size must be positive in every direction.")
        self.decorations += [Decoration(body, shape) for shape in shapes]
        return self

    def names(self, motion: Motion) -> list[str]:
        """Names of the bodies that move in this way, in the order in which they were added."""
        return [collider.name for collider in self.colliders.values() if collider.motion is motion]

    def _add(self, collider: Collider) -> Scene:
        name = collider.name
        if name in self.colliders:
            raise AgentsError(f"The scene has a collider {name!r} already; names must be unique.")
        if not collider.shapes:
            raise AgentsError(f"Body {name!r} has no shapes; give it at least one.")
        if not all(shape.is_valid for shape in collider.shapes):
            raise AgentsError(f"Collider {name!r}: its size must be positive in every direction.")
        if not 0.0 < collider.mass < math.inf:
            raise AgentsError(f"Collider {name!r}: mass is {collider.mass} kg; it must be positive.")
        if collider.drag < 0.0 or collider.angular_drag < 0.0:
            raise AgentsError(f"Collider {name!r}: drag and angular_drag must not be negative.")
        if not 0 <= collider.layer < MAX_LAYERS:
            raise AgentsError(f"Collider {name!r}: layer is {collider.layer}; it must lie in 0-31.")
        fixed = {ShapeKind.PLANE, ShapeKind.CYLINDER}
        if collider.motion is Motion.DYNAMIC and any(
            shape.kind in fixed and not shape.trigger for shape in collider.shapes
        ):
            raise AgentsError(f"Collider {name!r}: planes and cylinders cannot be dynamic.")
        self.colliders[name] = collider
        return self
