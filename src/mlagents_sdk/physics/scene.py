"""Declares what a training area contains, and compiles it into one MuJoCo model.

Which law holds where two colliders meet is decided here, pair by pair: a dynamic sphere against
anything that is not dynamic is only *detected* by MuJoCo and resolved by
:mod:`mlagents_sdk.physics.contacts`; every other pair is left to MuJoCo's solver, with the friction
that the two materials combine to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from itertools import combinations

import mujoco

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.contacts import CONTACT_OFFSET
from mlagents_sdk.physics.materials import ContactSurface, PhysicsMaterial, combine_materials
from mlagents_sdk.physics.rotations import IDENTITY, Quaternion, Vector

_DEFAULT_MATERIAL = PhysicsMaterial()
_NEVER = 1000.0  # metres: a margin of minus this much keeps MuJoCo from ever pushing at a contact


class Motion(Enum):
    """Who moves a collider."""

    STATIC = "static"
    """Nobody."""
    SCRIPTED = "scripted"
    """The program, by setting its pose. It imparts no velocity to what it touches."""
    DYNAMIC = "dynamic"
    """Physics."""


class Shape(Enum):
    """Geometry of a collider."""

    BOX = "box"
    SPHERE = "sphere"


@dataclass(frozen=True, slots=True)
class Collider:
    """One rigid thing of the scene; see :class:`Scene` for the meaning of the fields."""

    name: str
    shape: Shape
    half_size: Vector
    position: Vector
    rotation: Quaternion
    motion: Motion
    material: PhysicsMaterial
    mass: float
    drag: float
    angular_drag: float

    @property
    def unit_inertia(self) -> Vector:
        """Principal moments of inertia per unit of mass, m², along x, y and z; solid and uniform."""
        x, y, z = self.half_size
        if self.shape is Shape.SPHERE:
            return (0.4 * x * x,) * 3
        return ((y * y + z * z) / 3.0, (x * x + z * z) / 3.0, (x * x + y * y) / 3.0)


@dataclass(frozen=True, slots=True)
class SphereContact:
    """A dynamic sphere and a collider that it may touch, to be resolved outside MuJoCo's solver.

    Attributes:
        sphere: name of the sphere.
        other: name of the collider.
        surface: combined coefficients.
        sensor: name of the MuJoCo sensor that reports the contact.
    """

    sphere: str
    other: str
    surface: ContactSurface
    sensor: str


@dataclass(slots=True)
class Scene:
    """The prefab of a training area, in the original's frame: x right, y up, z forward.

    Attributes:
        timestep: seconds per physics step.
        gravity: acceleration, m/s².
        colliders: what was added so far, by name.
    """

    timestep: float = 0.02
    gravity: Vector = (0.0, -9.81, 0.0)
    colliders: dict[str, Collider] = field(default_factory=dict)

    def add_box(
        self,
        name: str,
        size: Vector,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        motion: Motion = Motion.STATIC,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        mass: float = 1.0,
        drag: float = 0.0,
        angular_drag: float = 0.05,
    ) -> Scene:
        """Add a box.

        Args:
            name: unique in the scene.
            size: full extents along x, y and z, metres.
            position: centre, metres.
            rotation: ``(x, y, z, w)``.
            motion: who moves it.
            material: its surface.
            mass: kilograms; matters for dynamic colliders, as do the two drags.
            drag: share of the velocity lost per second, 1/s.
            angular_drag: the same for the angular velocity.

        Returns:
            The scene, so that calls can be chained.

        Raises:
            AgentsError: the name is taken, or a number makes no sense.
        """
        half = (0.5 * size[0], 0.5 * size[1], 0.5 * size[2])
        return self._add(
            Collider(name, Shape.BOX, half, position, rotation, motion, material, mass, drag, angular_drag)
        )

    def add_sphere(
        self,
        name: str,
        radius: float,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        motion: Motion = Motion.STATIC,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        mass: float = 1.0,
        drag: float = 0.0,
        angular_drag: float = 0.05,
    ) -> Scene:
        """Add a sphere of a radius in metres; the other arguments are those of :meth:`add_box`."""
        half = (radius, radius, radius)
        return self._add(
            Collider(name, Shape.SPHERE, half, position, rotation, motion, material, mass, drag, angular_drag)
        )

    def names(self, motion: Motion) -> list[str]:
        """Names of the colliders that move in this way, in the order in which they were added."""
        return [collider.name for collider in self.colliders.values() if collider.motion is motion]

    def sphere_contacts(self) -> list[SphereContact]:
        """Pairs that :mod:`mlagents_sdk.physics.contacts` resolves, grouped by sphere."""
        return [
            SphereContact(ball.name, other.name, combine_materials(ball.material, other.material), sensor)
            for ball in self.colliders.values()
            if ball.motion is Motion.DYNAMIC and ball.shape is Shape.SPHERE
            for other in self.colliders.values()
            if other.motion is not Motion.DYNAMIC
            for sensor in (f"{ball.name} on {other.name}",)
        ]

    def compile(self) -> mujoco.MjModel:
        """Build the MuJoCo model of one area.

        Raises:
            AgentsError: the scene is empty, or MuJoCo refuses it.
        """
        if not self.colliders:
            raise AgentsError("The scene has no colliders; add at least one before building the areas.")
        spec = mujoco.MjSpec()
        spec.option.timestep = self.timestep
        spec.option.gravity = to_mujoco(self.gravity)
        # Free rigid bodies have no damping that an implicit integrator would treat better.
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        # A diverged area is found and reset by the world, which has to know about it.
        spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        for collider in self.colliders.values():
            _add_body(spec, collider)
        resolved_here = {(pair.sphere, pair.other) for pair in self.sphere_contacts()}
        for a, b in combinations(self.colliders.values(), 2):
            if (a.name, b.name) in resolved_here or (b.name, a.name) in resolved_here:
                continue
            if Motion.DYNAMIC in (a.motion, b.motion):
                _add_solved_pair(spec, a, b)
        for contact in self.sphere_contacts():
            _add_detected_pair(spec, contact)
        try:
            return spec.compile()
        except ValueError as error:
            raise AgentsError(f"MuJoCo cannot build the scene: {error}") from error

    def _add(self, collider: Collider) -> Scene:
        name = collider.name
        if name in self.colliders:
            raise AgentsError(f"The scene has a collider {name!r} already; names must be unique.")
        if not all(0.0 < half < math.inf for half in collider.half_size):
            raise AgentsError(f"Collider {name!r}: its size must be positive in every direction.")
        if not 0.0 < collider.mass < math.inf:
            raise AgentsError(f"Collider {name!r}: mass is {collider.mass} kg; it must be positive.")
        if collider.drag < 0.0 or collider.angular_drag < 0.0:
            raise AgentsError(f"Collider {name!r}: drag and angular_drag must not be negative.")
        self.colliders[name] = collider
        return self


def to_mujoco(vector: Vector) -> list[float]:
    """A position, velocity or size in MuJoCo's frame: right-handed with z up, so y and z swap."""
    return [vector[0], vector[2], vector[1]]


def rotation_to_mujoco(rotation: Quaternion) -> list[float]:
    """A quaternion in MuJoCo's frame and order, ``[w, x, y, z]``; the mirror turns angles around."""
    x, y, z, w = rotation
    return [w, -x, -z, -y]


def _add_body(spec: mujoco.MjSpec, collider: Collider) -> None:
    body = spec.worldbody.add_body(
        name=collider.name,
        pos=to_mujoco(collider.position),
        quat=rotation_to_mujoco(collider.rotation),
        mocap=collider.motion is Motion.SCRIPTED,
    )
    sphere = collider.shape is Shape.SPHERE
    body.add_geom(
        name=collider.name,
        type=mujoco.mjtGeom.mjGEOM_SPHERE if sphere else mujoco.mjtGeom.mjGEOM_BOX,
        size=[collider.half_size[0], 0.0, 0.0] if sphere else to_mujoco(collider.half_size),
        mass=collider.mass,
        contype=0,  # pairs are listed one by one, because each has its own friction
        conaffinity=0,
    )
    if collider.motion is Motion.DYNAMIC:
        body.add_freejoint()


def _add_solved_pair(spec: mujoco.MjSpec, a: Collider, b: Collider) -> None:
    friction = combine_materials(a.material, b.material).dynamic_friction
    spec.add_pair(
        geomname1=a.name,
        geomname2=b.name,
        condim=3 if friction > 0.0 else 1,
        friction=[friction, friction, 0.0, 0.0, 0.0],
        # MuJoCo's friction lifts what slides, the more so the stiffer the contact. A time constant of five
        # steps keeps the hops of a fast box to some centimetres and lets one at rest sink in by a millimetre.
        solref=[5.0 * spec.option.timestep, 1.0],
        solimp=[0.99, 0.99, 0.001, 0.5, 2.0],
    )


def _add_detected_pair(spec: mujoco.MjSpec, contact: SphereContact) -> None:
    spec.add_pair(
        geomname1=contact.other,
        geomname2=contact.sphere,
        condim=1,
        margin=-_NEVER,
        gap=_NEVER + CONTACT_OFFSET,
    )
    fields = mujoco.mjtConDataField
    reported = (fields.mjCONDATA_FOUND, fields.mjCONDATA_DIST, fields.mjCONDATA_NORMAL)
    spec.add_sensor(
        name=contact.sensor,
        type=mujoco.mjtSensor.mjSENS_CONTACT,
        objtype=mujoco.mjtObj.mjOBJ_GEOM,
        objname=contact.other,
        reftype=mujoco.mjtObj.mjOBJ_GEOM,
        refname=contact.sphere,
        intprm=[
            sum(1 << int(field.value) for field in reported),
            1,  # of several contacts keep the deepest
            1,  # and only that one
        ],
    )
