"""What colliders are made of: shapes, their place in a body, and the mass that follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.appearance import Color, Look
from mlagents_sdk.physics.materials import PhysicsMaterial
from mlagents_sdk.physics.rotations import IDENTITY, Quaternion, Vector

_DEFAULT_MATERIAL = PhysicsMaterial()


class ShapeKind(IntEnum):
    """Geometry of a collider."""

    BOX = 0
    SPHERE = 1
    CAPSULE = 2
    CYLINDER = 3
    PLANE = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """One collider of a body.

    Attributes:
        kind: geometry.
        half_size: half extents along x, y and z, metres. Round shapes have their radius along x and z,
            capsules and cylinders half their height along y.
        position: centre in the frame of the body, metres.
        rotation: ``(x, y, z, w)`` in the frame of the body.
        tag: what sensors see; None for the tag of the body.
        material: surface.
        trigger: whether it only reports what overlaps it and lets everything pass.
        color: what cameras see; None for the colour of the body.
        checks: second colour of a checkered pattern; None for what the body has.
        visible: whether cameras see it; None for what the body says.
    """

    kind: ShapeKind
    half_size: Vector
    position: Vector = (0.0, 0.0, 0.0)
    rotation: Quaternion = IDENTITY
    tag: str | None = None
    material: PhysicsMaterial = _DEFAULT_MATERIAL
    trigger: bool = False
    color: Color | None = None
    checks: Color | None = None
    visible: bool | None = None

    @classmethod
    def box(
        cls,
        size: Vector,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        tag: str | None = None,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **look: Unpack[Look],
    ) -> Shape:
        """Box with full extents ``size``, metres."""
        half = (0.5 * size[0], 0.5 * size[1], 0.5 * size[2])
        return cls(ShapeKind.BOX, half, position, rotation, tag, material, trigger, **look)

    @classmethod
    def sphere(
        cls,
        radius: float,
        position: Vector = (0.0, 0.0, 0.0),
        tag: str | None = None,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **look: Unpack[Look],
    ) -> Shape:
        """Sphere with a radius in metres."""
        half = (radius, radius, radius)
        return cls(ShapeKind.SPHERE, half, position, IDENTITY, tag, material, trigger, **look)

    @classmethod
    def capsule(
        cls,
        radius: float,
        height: float,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        tag: str | None = None,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **look: Unpack[Look],
    ) -> Shape:
        """Capsule along y; ``height`` includes both caps and is at least twice the radius, metres."""
        half = (radius, max(0.5 * height, radius), radius)
        return cls(ShapeKind.CAPSULE, half, position, rotation, tag, material, trigger, **look)

    @classmethod
    def cylinder(
        cls,
        radius: float,
        height: float,
        position: Vector = (0.0, 0.0, 0.0),
        rotation: Quaternion = IDENTITY,
        tag: str | None = None,
        material: PhysicsMaterial = _DEFAULT_MATERIAL,
        trigger: bool = False,
        **look: Unpack[Look],
    ) -> Shape:
        """Cylinder along y, metres."""
        half = (radius, 0.5 * height, radius)
        return cls(ShapeKind.CYLINDER, half, position, rotation, tag, material, trigger, **look)

    @property
    def is_valid(self) -> bool:
        """Whether its extents are positive and finite."""
        return all(0.0 < half < math.inf for half in self.half_size)


@dataclass(frozen=True, slots=True)
class SolidPart:
    """One collider as far as mass is concerned, in MuJoCo's frame.

    Attributes:
        kind: geometry; planes weigh nothing.
        half_size: float ``(3,)``, metres.
        center: float ``(3,)`` in the frame of the body.
        rotation: float ``(3, 3)``, frame of the collider to frame of the body.
    """

    kind: ShapeKind
    half_size: NDArray[np.float64]
    center: NDArray[np.float64]
    rotation: NDArray[np.float64]


def volume_and_inertia(kind: ShapeKind, half: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Volume of a solid, m³, and its principal moments of inertia per unit of mass, m².

    Args:
        kind: geometry.
        half: float ``(3,)`` half extents; round shapes have their axis along z.
    """
    a, b, c = half.tolist()
    if kind is ShapeKind.SPHERE:
        return 4.0 / 3.0 * math.pi * a**3, np.full(3, 0.4 * a * a)
    if kind is ShapeKind.CYLINDER:
        across = a * a / 4.0 + c * c / 3.0
        return 2.0 * math.pi * a * a * c, np.array([across, across, 0.5 * a * a])
    if kind is ShapeKind.CAPSULE:
        straight = c - a  # half length of the part between the caps
        body, caps = 2.0 * math.pi * a * a * straight, 4.0 / 3.0 * math.pi * a**3
        along = (body * 0.5 + caps * 0.4) * a * a
        across = body * (a * a / 4.0 + straight**2 / 3.0)
        across += caps * (0.4 * a * a + straight**2 + 0.75 * a * straight)
        return body + caps, np.array([across, across, along]) / (body + caps)
    return 8.0 * a * b * c, np.array([b * b + c * c, a * a + c * c, a * a + b * b]) / 3.0


def mass_distribution(parts: Iterable[SolidPart]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre of mass ``(3,)`` and inertia about it per unit of mass ``(3, 3)`` of a uniform solid body."""
    total, first, second = 0.0, np.zeros(3), np.zeros((3, 3))
    for part in parts:
        volume, moments = volume_and_inertia(part.kind, part.half_size)
        inertia = part.rotation @ np.diag(moments) @ part.rotation.T
        total += volume
        first += volume * part.center
        second += volume * (inertia + _point_inertia(part.center))
    if total <= 0.0:
        return np.zeros(3), np.eye(3)
    center = first / total
    return center, second / total - _point_inertia(center)


def _point_inertia(at: NDArray[np.float64]) -> NDArray[np.float64]:
    inertia: NDArray[np.float64] = (at @ at) * np.eye(3) - np.outer(at, at)
    return inertia
