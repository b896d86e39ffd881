"""Makes a MuJoCo model follow the numbers of one area: gravity, masses, sizes, surfaces, what is there."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.articulation_model import (
    ArticulationModel,
    full_inertia,
    geom_size,
    look_ahead_distance,
)
from mlagents_sdk.physics.joints_layout import FREE, LINK_BODY, LINK_DOF, LINK_KIND, LINK_MUJOCO, JointTable
from mlagents_sdk.physics.layout import (
    BOUNCE_RULE,
    BOUNCINESS,
    CENTER,
    COLLIDER_WIDTH,
    DYNAMIC_FRICTION,
    FRICTION_RULE,
    FROZEN,
    GRAVITY,
    HALF,
    MASS,
    OFFSET,
    STATIC_FRICTION,
    Layout,
)
from mlagents_sdk.physics.materials import Combine, PhysicsMaterial, combine_materials
from mlagents_sdk.physics.shapes import ShapeKind

_NEVER = -1000.0  # metres: margin of contacts that do not happen
_LEAST_FRICTION = 1e-5  # MuJoCo knows no less
_FROZEN_MASS = 1e6  # times its own is what a body weighs along a frozen axis


def tune_model(
    model: mujoco.MjModel,
    built: ArticulationModel,
    layout: Layout,
    table: JointTable,
    row: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Write gravity, masses, sizes and surfaces of an area into a model.

    Args:
        model: of the area.
        built: what is where in it.
        layout: where the numbers of the area stand.
        table: its joints.
        row: ``(width,)`` of the area.

    Returns:
        Bounciness of each pair of geoms, ``(geoms, geoms)``.
    """
    model.opt.gravity = row[GRAVITY : GRAVITY + 3]
    for ints in table.links.tolist():
        _weigh(model, ints[LINK_MUJOCO], row[layout.body_at(ints[LINK_BODY]) :])
    for collider, geom in enumerate(built.geoms.tolist()):
        if geom >= 0:
            _resize(
                model, geom, ShapeKind(layout.colliders[collider, 1]), row[layout.collider_at(collider) :]
            )
    model.dof_armature[:] = 0.0
    _set_constants(model)
    _freeze(model, layout, table)
    bounciness = np.zeros((model.ngeom, model.ngeom))
    for pair, (first, second) in enumerate(built.pairs[:, :2].tolist()):
        surface = combine_materials(_material(layout, row, first), _material(layout, row, second))
        model.pair_friction[pair, :2] = max(surface.dynamic_friction, _LEAST_FRICTION)
        a, b = built.geoms[[first, second]]
        bounciness[a, b] = bounciness[b, a] = surface.bounciness
    return bounciness


def admit_contacts(model: mujoco.MjModel, built: ArticulationModel, there: NDArray[np.bool_]) -> None:
    """Let only those bodies touch that are there; bool ``(bodies,)``."""
    both = there[built.pairs[:, 2]] & there[built.pairs[:, 3]]
    model.pair_margin[:] = np.where(both, look_ahead_distance(model.opt.timestep), _NEVER)


def _weigh(model: mujoco.MjModel, body: int, block: NDArray[np.float64]) -> None:
    xx, yy, zz, xy, xz, yz = full_inertia(block)
    values, axes, rotation = np.zeros(3), np.zeros(9), np.zeros(4)
    mujoco.mju_eig3(values, axes, rotation, np.array([xx, xy, xz, xy, yy, yz, xz, yz, zz]))
    model.body_mass[body] = block[MASS]
    model.body_ipos[body] = block[CENTER : CENTER + 3]
    model.body_inertia[body] = values
    model.body_iquat[body] = rotation


def _resize(model: mujoco.MjModel, geom: int, kind: ShapeKind, block: NDArray[np.float64]) -> None:
    if kind is ShapeKind.PLANE:
        return
    half = block[HALF : HALF + 3]
    model.geom_size[geom] = geom_size(kind, half)
    model.geom_pos[geom] = block[OFFSET : OFFSET + 3]
    model.geom_aabb[geom, 3:] = half
    model.geom_rbound[geom] = half.max() if kind is not ShapeKind.BOX else np.linalg.norm(half)
    if kind is ShapeKind.CYLINDER:
        model.geom_rbound[geom] = np.linalg.norm(half[1:])


def _set_constants(model: mujoco.MjModel) -> None:
    mujoco.mj_setConst(model, mujoco.MjData(model))


def _freeze(model: mujoco.MjModel, layout: Layout, table: JointTable) -> None:
    """Make roots very heavy along and about their frozen axes; what they still move is taken back."""
    frozen = False
    for ints in table.links.tolist():
        flags = int(layout.bodies[ints[LINK_BODY], FROZEN])
        if ints[LINK_KIND] != FREE or flags == 0:
            continue
        frozen = True
        body, dof = ints[LINK_MUJOCO], ints[LINK_DOF]
        for axis in range(3):
            if flags >> axis & 1:
                model.dof_armature[dof + axis] = _FROZEN_MASS * model.body_mass[body]
            if flags >> (3 + axis) & 1:
                model.dof_armature[dof + 3 + axis] = _FROZEN_MASS * model.body_inertia[body].max()
    if frozen:
        usual = model.stat.meaninertia
        _set_constants(model)
        model.stat.meaninertia = usual  # MuJoCo measures by it when its solver may stop


def _material(layout: Layout, row: NDArray[np.float64], collider: int) -> PhysicsMaterial:
    block = row[layout.collider_at(collider) :][:COLLIDER_WIDTH]
    return PhysicsMaterial(
        float(block[STATIC_FRICTION]),
        float(block[DYNAMIC_FRICTION]),
        float(block[BOUNCINESS]),
        Combine(int(block[FRICTION_RULE])),
        Combine(int(block[BOUNCE_RULE])),
    )
