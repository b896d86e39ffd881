"""Compiles a scene with joints into a MuJoCo model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.articulation_rows import DRIVE_WIDTH
from mlagents_sdk.physics.joints import JointKind
from mlagents_sdk.physics.joints_layout import (
    ANCHOR,
    AXES,
    FREE,
    HIGHEST,
    JOINT_WIDTH,
    LINK_AXES,
    LINK_BODY,
    LINK_COUNT,
    LINK_DOF,
    LINK_JOINT,
    LINK_KIND,
    LINK_MUJOCO,
    LINK_PARENT,
    LINK_QPOS,
    LOWEST,
    SOCKET,
    TURNED,
    JointTable,
)
from mlagents_sdk.physics.layout import (
    CENTER,
    COLLIDER_WIDTH,
    HALF,
    INERTIA,
    MASS,
    OFFSET,
    TRIGGER,
    TURN,
    Layout,
    rotation_to_mujoco,
    to_mujoco,
)
from mlagents_sdk.physics.scene import Motion, Scene
from mlagents_sdk.physics.shapes import ShapeKind

SUBSTEPS = 2
"""MuJoCo steps per physics step."""

_LOOK_AHEAD_SPEED = 20.0
"""Contacts are looked for as far ahead as a body at this speed, m/s, gets in one of MuJoCo's steps."""

_GEOMS = {
    ShapeKind.BOX: mujoco.mjtGeom.mjGEOM_BOX,
    ShapeKind.SPHERE: mujoco.mjtGeom.mjGEOM_SPHERE,
    ShapeKind.CAPSULE: mujoco.mjtGeom.mjGEOM_CAPSULE,
    ShapeKind.CYLINDER: mujoco.mjtGeom.mjGEOM_CYLINDER,
    ShapeKind.PLANE: mujoco.mjtGeom.mjGEOM_PLANE,
}
_CONTACT_SPRING = (0.02, 1.0)  # time constant, s, and damping ratio
_CONTACT_IMPEDANCE = (0.99, 0.99, 0.001, 0.5, 2.0)
_LIMIT_IMPEDANCE = (0.999, 0.999, 0.001, 0.5, 2.0)
_LIMIT_SPEED = 50.0  # rad/s or m/s, in the place of the above for limits
_FRICTION_STIFFNESS = 10.0  # how much harder friction is than the normal; less lets things creep


@dataclass(slots=True)
class ArticulationModel:
    """A MuJoCo model and what is where in it.

    Attributes:
        model: the model.
        drives: int64 ``(drives, 5)``, see :mod:`mlagents_sdk.physics.articulation_rows`.
        turning: bool ``(drives,)``: whether a drive turns something.
        geoms: int64 ``(colliders,)``: number of each collider's geom, -1 for triggers.
        pairs: int64 ``(pairs, 4)``: the two colliders and the two bodies of each of MuJoCo's pairs.
        scripted: int64 ``(scripted bodies, 2)``: body, and its line in MuJoCo's table of such bodies.
    """

    model: mujoco.MjModel
    drives: NDArray[np.int64]
    turning: NDArray[np.bool_]
    geoms: NDArray[np.int64]
    pairs: NDArray[np.int64]
    scripted: NDArray[np.int64]


def look_ahead_distance(timestep: float) -> float:
    """How far ahead contacts are looked for, metres, at a timestep of MuJoCo in seconds."""
    return _LOOK_AHEAD_SPEED * timestep


def build_articulation(scene: Scene, layout: Layout, table: JointTable) -> ArticulationModel:
    """Build the MuJoCo model of one area.

    Args:
        scene: what it contains.
        layout: where its numbers stand.
        table: its joints; MuJoCo's columns of the links are filled in.

    Raises:
        AgentsError: MuJoCo refuses the scene.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    option = spec.option
    option.timestep = scene.timestep / SUBSTEPS
    option.gravity = to_mujoco(scene.gravity)
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = _FRICTION_STIFFNESS
    disable = mujoco.mjtDisableBit
    # Areas that diverge are found and reset by the world; islands would have copies of the constraints.
    option.disableflags |= disable.mjDSBL_AUTORESET | disable.mjDSBL_ISLAND
    _add_bodies(spec, scene, layout, table)
    pairs = np.array(list(_pairs(layout, table)), np.int64).reshape(-1, 4)
    for first, second in pairs[:, :2].tolist():
        spec.add_pair(
            geomname1=str(first),
            geomname2=str(second),
            condim=3,
            margin=look_ahead_distance(option.timestep),
            solref=_CONTACT_SPRING,
            solimp=_CONTACT_IMPEDANCE,
        )
    try:
        model = spec.compile()
    except ValueError as error:
        raise AgentsError(f"MuJoCo cannot build the scene: {error}") from error
    return ArticulationModel(
        model, *_find_drives(model, layout, table), *_find_geoms(model, scene, layout, pairs)
    )


def _add_bodies(spec: mujoco.MjSpec, scene: Scene, layout: Layout, table: JointTable) -> None:
    made: dict[int, mujoco.MjsBody] = {}
    for index, prefab in enumerate(scene.colliders.values()):
        if prefab.motion is Motion.DYNAMIC:
            continue
        made[index] = spec.worldbody.add_body(
            name=str(index),
            pos=to_mujoco(prefab.position),
            quat=rotation_to_mujoco(prefab.rotation),
            mocap=prefab.motion is Motion.SCRIPTED,
        )
    for ints, floats in zip(table.links.tolist(), table.geometry, strict=True):
        index = ints[LINK_BODY]
        at = layout.body_at(index)
        block = layout.row[at:]
        if ints[LINK_KIND] == FREE:
            parent, position, rotation = spec.worldbody, block[:3], block[3:7]
        else:
            parent = made.get(ints[LINK_PARENT], spec.worldbody)
            rotation = floats[TURNED : TURNED + 4]
            position = floats[SOCKET : SOCKET + 3] - _turned(rotation, floats[ANCHOR : ANCHOR + 3])
        made[index] = parent.add_body(
            name=str(index),
            pos=position,
            quat=rotation,
            mass=block[MASS],
            ipos=block[CENTER : CENTER + 3],
            fullinertia=full_inertia(block),
            explicitinertial=True,
        )
        _add_joints(made[index], ints, floats, table, spec.option.timestep)
    for index, body in made.items():
        for collider in layout.colliders_of(index):
            _add_geom(body, layout, collider)


def _add_joints(
    body: mujoco.MjsBody, ints: list[int], floats: NDArray[np.float64], table: JointTable, timestep: float
) -> None:
    if ints[LINK_KIND] == FREE:
        body.add_freejoint()
        return
    name = f"joint {ints[LINK_JOINT]}"
    if ints[LINK_KIND] == JointKind.BALL:
        body.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_BALL, pos=floats[ANCHOR : ANCHOR + 3])
        return
    slides = ints[LINK_KIND] == JointKind.SLIDER
    driven = float(table.joints[ints[LINK_JOINT]].joint.drive is not None)
    for axis in ints[LINK_AXES : LINK_AXES + ints[LINK_COUNT]]:
        limited = bool(np.isfinite(floats[LOWEST + axis]))
        body.add_joint(
            name=f"{name} {axis}",
            type=mujoco.mjtJoint.mjJNT_SLIDE if slides else mujoco.mjtJoint.mjJNT_HINGE,
            pos=floats[ANCHOR : ANCHOR + 3],
            axis=floats[AXES + 3 * axis : AXES + 3 * axis + 3],
            limited=limited,
            range=floats[[LOWEST + axis, HIGHEST + axis]] if limited else (0.0, 0.0),
            margin=_LIMIT_SPEED * timestep,
            solref_limit=_CONTACT_SPRING,
            solimp_limit=_LIMIT_IMPEDANCE,
            frictionloss=driven,  # has MuJoCo make the constraints that write_drives rewrites
        )


def _add_geom(body: mujoco.MjsBody, layout: Layout, collider: int) -> None:
    block = layout.row[layout.collider_at(collider) :][:COLLIDER_WIDTH]
    if block[TRIGGER]:
        return
    kind = ShapeKind(layout.colliders[collider, 1])
    body.add_geom(
        name=str(collider),
        type=_GEOMS[kind],
        pos=block[OFFSET : OFFSET + 3],
        quat=block[TURN : TURN + 4],
        size=geom_size(kind, block[HALF : HALF + 3]),
        mass=0.0,
        contype=0,  # pairs are listed one by one
        conaffinity=0,
    )


def geom_size(kind: ShapeKind, half: NDArray[np.float64]) -> list[float]:
    """Half extents ``(3,)`` in MuJoCo's terms."""
    a, b, c = half.tolist()
    return {
        ShapeKind.BOX: [a, b, c],
        ShapeKind.SPHERE: [a, 0.0, 0.0],
        ShapeKind.CAPSULE: [a, c - a, 0.0],
        ShapeKind.CYLINDER: [a, c, 0.0],
        ShapeKind.PLANE: [0.0, 0.0, 1.0],  # endless
    }[kind]


def full_inertia(block: NDArray[np.float64]) -> list[float]:
    """Inertia of a body about its centre of mass: xx, yy, zz, xy, xz, yz, kg m²."""
    xx, yy, zz, xy, xz, yz = block[INERTIA : INERTIA + 6].tolist()
    inertia = np.linalg.inv([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) * block[MASS]
    return [*inertia.diagonal().tolist(), *inertia[[0, 0, 1], [1, 2, 2]].tolist()]


def _turned(rotation: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.zeros(3)
    mujoco.mju_rotVecQuat(out, vector, rotation)
    return out


def _pairs(layout: Layout, table: JointTable) -> Iterator[tuple[int, int, int, int]]:
    """Colliders that may touch, and their bodies: all but those of joined bodies, or welded together."""
    welds = _welds(layout, table)
    solid = [
        (collider, int(body))
        for collider, body in enumerate(layout.colliders[:, 0])
        if not layout.row[layout.collider_at(collider) + TRIGGER]
    ]
    for second, b in solid:
        for first, a in solid:
            if first >= second or welds[a] == welds[b] or table.parents[a] == b or table.parents[b] == a:
                continue
            yield first, second, a, b


def _welds(layout: Layout, table: JointTable) -> list[int]:
    """For each body a number that it shares with those to which it cannot move."""
    welds = [body if rank == Motion.DYNAMIC.rank else -1 for body, rank in enumerate(layout.bodies[:, 0])]
    for ints in table.links.tolist():
        if ints[LINK_KIND] != FREE and ints[LINK_COUNT] == 0:
            welds[ints[LINK_BODY]] = welds[ints[LINK_PARENT]] if ints[LINK_PARENT] >= 0 else -1
    return welds


def _find_drives(
    model: mujoco.MjModel, layout: Layout, table: JointTable
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Fill MuJoCo's columns of the links; the driven degrees of freedom in MuJoCo's order."""
    drives = []
    for link, ints in enumerate(table.links):
        ints[LINK_MUJOCO] = model.body(str(ints[LINK_BODY])).id
        count, joint = int(ints[LINK_COUNT]), int(model.body_jntadr[ints[LINK_MUJOCO]])
        if joint < 0:
            continue
        ints[LINK_QPOS], ints[LINK_DOF] = model.jnt_qposadr[joint], model.jnt_dofadr[joint]
        if ints[LINK_KIND] in (FREE, JointKind.BALL) or model.dof_frictionloss[ints[LINK_DOF]] == 0.0:
            continue
        for k in range(count):
            at = JOINT_WIDTH * ints[LINK_JOINT]
            drives.append((ints[LINK_DOF] + k, ints[LINK_QPOS] + k, at, ints[LINK_AXES + k], link))
    rows = np.array(sorted(drives), np.int64).reshape(-1, DRIVE_WIDTH)
    return rows, table.links[rows[:, -1], LINK_KIND] != JointKind.SLIDER


def _find_geoms(
    model: mujoco.MjModel, scene: Scene, layout: Layout, pairs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the geoms, the pairs in MuJoCo's order, and the scripted bodies."""
    geoms = np.full(len(layout.colliders), -1, np.int64)
    for geom in range(model.ngeom):
        geoms[int(model.geom(geom).name)] = geom
    place = {
        frozenset(geom): index
        for index, geom in enumerate(zip(model.pair_geom1.tolist(), model.pair_geom2.tolist(), strict=True))
    }
    ordered = np.zeros_like(pairs)
    for pair in pairs:
        ordered[place[frozenset(geoms[pair[:2]].tolist())]] = pair
    scripted = [layout.names.index(name) for name in scene.names(Motion.SCRIPTED)]
    mocap = [(body, int(model.body_mocapid[model.body(str(body)).id])) for body in scripted]
    return geoms, ordered, np.array(mocap, np.int64).reshape(-1, 2)
