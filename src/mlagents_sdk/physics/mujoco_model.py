"""Compiles a scene with one free sphere into a MuJoCo model that finds its contacts and moves it."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.contacts import CONTACT_OFFSET
from mlagents_sdk.physics.layout import rotation_to_mujoco, to_mujoco
from mlagents_sdk.physics.scene import Collider, Freeze, Motion, Scene
from mlagents_sdk.physics.shapes import Shape, ShapeKind

_NEVER = 1000.0  # metres: a margin of minus this much keeps MuJoCo from ever pushing at a contact
_GEOMS = {
    ShapeKind.BOX: mujoco.mjtGeom.mjGEOM_BOX,
    ShapeKind.SPHERE: mujoco.mjtGeom.mjGEOM_SPHERE,
    ShapeKind.PLANE: mujoco.mjtGeom.mjGEOM_PLANE,
}


@dataclass(frozen=True, slots=True)
class SphereContact:
    """The sphere and a collider that it may touch.

    Attributes:
        other: index of the collider in the scene, all bodies counted.
        geom: name of its geom.
        sensor: name of the MuJoCo sensor that reports the contact.
    """

    other: int
    geom: str
    sensor: str


def free_sphere(scene: Scene) -> Collider | None:
    """The only dynamic body of a scene, if it is a free sphere among boxes, spheres and planes."""
    dynamic = [body for body in scene.colliders.values() if body.motion is Motion.DYNAMIC]
    if len(dynamic) != 1:
        return None
    ball = dynamic[0]
    shape = ball.shapes[0]
    if len(ball.shapes) > 1 or shape.kind is not ShapeKind.SPHERE or shape.trigger:
        return None
    if ball.freeze is not Freeze.NONE or any(shape.position):
        return None
    solid = [other for body in scene.colliders.values() for other in body.shapes if not other.trigger]
    return ball if all(other.kind in _GEOMS for other in solid) else None


def sphere_contacts(scene: Scene, sphere: str) -> list[SphereContact]:
    """Whatever the sphere may touch, in the order of the scene."""
    contacts = []
    index = 0
    for body in scene.colliders.values():
        for number, shape in enumerate(body.shapes):
            if body.name != sphere and not shape.trigger:
                geom = _geom_name(body, number)
                contacts.append(SphereContact(index, geom, f"{sphere} on {geom}"))
            index += 1
    return contacts


def compile_model(scene: Scene, sphere: str) -> mujoco.MjModel:
    """Build the MuJoCo model of one area.

    Args:
        scene: what it contains.
        sphere: name of its only dynamic body.

    Raises:
        AgentsError: MuJoCo refuses it.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep = scene.timestep
    spec.option.gravity = to_mujoco(scene.gravity)
    # Free rigid bodies have no damping that an implicit integrator would treat better.
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_EULER
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    # A diverged area is found and reset by the world, which has to know about it.
    spec.option.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    for body in scene.colliders.values():
        _add_body(spec, body)
    for contact in sphere_contacts(scene, sphere):
        _add_detected_pair(spec, contact, sphere)
    try:
        return spec.compile()
    except ValueError as error:
        raise AgentsError(f"MuJoCo cannot build the scene: {error}") from error


def _geom_name(body: Collider, number: int) -> str:
    return body.name if number == 0 else f"{body.name} {number}"


def _add_body(spec: mujoco.MjSpec, collider: Collider) -> None:
    body = spec.worldbody.add_body(
        name=collider.name,
        pos=to_mujoco(collider.position),
        quat=rotation_to_mujoco(collider.rotation),
        mocap=collider.motion is Motion.SCRIPTED,
    )
    for number, shape in enumerate(collider.shapes):
        _add_geom(body, collider, number, shape)
    if collider.motion is Motion.DYNAMIC:
        body.add_freejoint()


def _add_geom(body: mujoco.MjsBody, collider: Collider, number: int, shape: Shape) -> None:
    if shape.trigger:
        return
    size = to_mujoco(shape.half_size)
    if shape.kind is ShapeKind.SPHERE:
        size = [size[0], 0.0, 0.0]
    if shape.kind is ShapeKind.PLANE:
        size = [0.0, 0.0, 1.0]  # endless
    body.add_geom(
        name=_geom_name(collider, number),
        type=_GEOMS[shape.kind],
        pos=to_mujoco(shape.position),
        quat=rotation_to_mujoco(shape.rotation),
        size=size,
        mass=collider.mass,
        contype=0,  # pairs are listed one by one
        conaffinity=0,
    )


def _add_detected_pair(spec: mujoco.MjSpec, contact: SphereContact, sphere: str) -> None:
    spec.add_pair(
        geomname1=contact.geom,
        geomname2=sphere,
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
        objname=contact.geom,
        reftype=mujoco.mjtObj.mjOBJ_GEOM,
        refname=sphere,
        intprm=[
            sum(1 << int(field.value) for field in reported),
            1,  # of several contacts keep the deepest
            1,  # and only that one
        ],
    )
