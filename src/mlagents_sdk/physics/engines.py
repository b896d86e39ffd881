"""Who advances the areas of a world: an engine for joints, one for a lone sphere, one for the rest.

Both work on the rows of :mod:`mlagents_sdk.physics.layout`, which hold the whole state that matters.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from mujoco import batch
from numpy.typing import NDArray

from mlagents_sdk.physics.articulation import ArticulationEngine
from mlagents_sdk.physics.contacts import resolve_sphere_contacts
from mlagents_sdk.physics.integration import find_diverged, load_sphere, store_sphere
from mlagents_sdk.physics.joints_layout import JointTable
from mlagents_sdk.physics.layout import (
    BOUNCE_RULE,
    BOUNCINESS,
    COLLIDER_WIDTH,
    DYNAMIC_FRICTION,
    ENABLED,
    FRICTION_RULE,
    GRAVITY,
    HALF,
    MASS,
    STATIC_FRICTION,
    Layout,
)
from mlagents_sdk.physics.materials import Combine, PhysicsMaterial, combine_materials
from mlagents_sdk.physics.mujoco_model import compile_model, free_sphere, sphere_contacts
from mlagents_sdk.physics.rigid_step import step_areas
from mlagents_sdk.physics.scene import Motion, Scene
from mlagents_sdk.physics.shapes import ShapeKind


class Engine(Protocol):
    """Advances all areas of a world."""

    def step(self, diverged: NDArray[np.bool_]) -> int:
        """One step; marks areas that diverged before or in it, and returns how many."""

    def reset(self, area: int) -> None:
        """Forget what it knows of one area, whose row was just put back to the beginning."""

    def refresh(self, area: int) -> None:
        """Take note that masses, sizes, surfaces or gravity of an area changed."""

    def get_state(self) -> NDArray[np.float64]:
        """What it knows beside the rows, ``(areas, anything)``."""

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Put back what :meth:`get_state` gave."""


def make_engine(
    scene: Scene,
    layout: Layout,
    rows: NDArray[np.float64],
    num_threads: int,
    table: JointTable,
    joints: NDArray[np.float64],
) -> Engine:
    """The engine for a scene.

    Args:
        scene: what each area contains.
        layout: where its numbers stand.
        rows: ``(areas, width)`` numbers of the areas.
        num_threads: threads that MuJoCo's batch may use.
        table: joints of the scene.
        joints: ``(areas, width)`` numbers of the joints.
    """
    if table.joints:
        return ArticulationEngine(scene, layout, rows, table, joints)
    sphere = free_sphere(scene)
    if sphere is None:
        return RigidEngine(scene, layout, rows)
    return SphereEngine(scene, layout, rows, sphere.name, num_threads)


class RigidEngine:
    """Any number of free rigid bodies, by our own kernels; the arguments are those of `make_engine`."""

    def __init__(self, scene: Scene, layout: Layout, rows: NDArray[np.float64]) -> None:
        self._rows = rows
        self._layout = layout
        self._timestep = scene.timestep
        self._iterations = (scene.position_iterations, scene.velocity_iterations)

    def step(self, diverged: NDArray[np.bool_]) -> int:
        """One step of all areas; what is not finite stays in its area."""
        layout = self._layout
        step_areas(
            self._rows,
            layout.bodies,
            layout.colliders,
            layout.first_collider_at,
            self._timestep,
            *self._iterations,
        )
        return find_diverged(self._rows, len(layout.bodies), diverged)

    def reset(self, area: int) -> None:
        """Nothing is known beside the rows."""

    def refresh(self, area: int) -> None:
        """Nothing is known beside the rows."""

    def get_state(self) -> NDArray[np.float64]:
        """Nothing."""
        return np.zeros((len(self._rows), 0))

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Nothing to put back."""


class SphereEngine:
    """One free sphere among what physics does not move: MuJoCo finds its contacts and moves it.

    Args:
        scene: what each area contains.
        layout: where its numbers stand.
        rows: ``(areas, width)`` numbers of the areas.
        sphere: name of the sphere.
        num_threads: threads that step the areas; 1 is fastest below some thousand small areas.
    """

    def __init__(
        self, scene: Scene, layout: Layout, rows: NDArray[np.float64], sphere: str, num_threads: int
    ) -> None:
        self._rows = rows
        self._layout = layout
        self._timestep = scene.timestep
        self._body = layout.names.index(sphere)
        self._sphere_at = layout.body_at(self._body)
        self._collider = layout.colliders_of(self._body)[0]
        self._contacts = sphere_contacts(scene, sphere)
        self.model = compile_model(scene, sphere)
        self._batch = batch.Batch(self.model, len(rows), num_threads)
        self._state: NDArray[np.float64] = self._batch.state
        self._initial_state = self._state[0].copy()
        joint = self.model.body(sphere).jntadr[0]
        self._pose_at = self._column("qpos") + int(self.model.jnt_qposadr[joint])
        self._velocity_at = self._column("qvel") + int(self.model.jnt_dofadr[joint])
        positions, rotations = self._column("mocap_pos"), self._column("mocap_quat")
        scripted = [layout.names.index(name) for name in scene.names(Motion.SCRIPTED)]
        self._scripted = np.array(
            [(layout.body_at(body), positions + 3 * k, rotations + 4 * k) for k, body in enumerate(scripted)],
            np.int64,
        ).reshape(-1, 3)
        # The sensors of the contacts are the only ones of the model, in the order of the list.
        self._reports: NDArray[np.float64] = self._batch.bind("sensordata")
        others = [layout.body_at(layout.colliders[contact.other, 0]) for contact in self._contacts]
        self._other_enabled_at = np.array(others, np.int64) + ENABLED
        self._surfaces = np.zeros((len(rows), len(self._contacts), 3))
        self._radius = np.zeros((len(rows), 1))
        self._known = rows.copy()
        for area in range(len(rows)):
            self._note_surfaces(area)

    def step(self, diverged: NDArray[np.bool_]) -> int:
        """One step of all areas; those that the program spoilt are put back before MuJoCo sees them."""
        bad = find_diverged(self._rows, len(self._layout.bodies), diverged)
        for area in np.flatnonzero(diverged).tolist() if bad else ():
            self._layout.reset_row(self._rows[area])
            self.reset(area)
        poses = (self._sphere_at, self._pose_at, self._velocity_at)
        load_sphere(self._rows, self._state, self._scripted, *poses, self._timestep)
        try:
            self._batch.step()
        except batch.SimulationError as error:
            diverged[error.ids] = True
            bad += len(error.ids)
        if self._contacts:
            resolve_sphere_contacts(
                self._rows,
                self._state,
                self._reports,
                self._other_enabled_at,
                self._sphere_at,
                self._pose_at,
                self._velocity_at,
                self._surfaces,
                self._radius,
                self._timestep,
            )
        store_sphere(self._rows, self._state, *poses)
        return bad + find_diverged(self._rows, len(self._layout.bodies), diverged)

    def reset(self, area: int) -> None:
        """Begin anew, without MuJoCo's memory of the last step."""
        self._state[area] = self._initial_state

    def refresh(self, area: int) -> None:
        """Tell MuJoCo what changed since it was told last."""
        row, known = self._rows[area], self._known[area]
        if not np.array_equal(row[GRAVITY : GRAVITY + 3], known[GRAVITY : GRAVITY + 3]):
            self._batch.expand("opt.gravity")[area] = row[GRAVITY : GRAVITY + 3]
        self._note_surfaces(area)
        changed = [
            index
            for index, at in enumerate(map(self._layout.collider_at, range(len(self._layout.colliders))))
            if not np.array_equal(row[at + HALF : at + HALF + 3], known[at + HALF : at + HALF + 3])
        ]
        mass_changed = row[self._sphere_at + MASS] != known[self._sphere_at + MASS]
        known[:] = row
        for collider in changed:
            self._resize(area, collider)
        if mass_changed or self._collider in changed:
            self._weigh(area)
        if changed or mass_changed:
            self._batch.set_const([area])

    def get_state(self) -> NDArray[np.float64]:
        """MuJoCo's whole state."""
        return self._state.copy()

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Put MuJoCo's whole state back."""
        self._state[...] = state

    def _column(self, field: str) -> int:
        """First column of a MuJoCo state field in the state rows."""
        offset: int = self._batch.bind(field).ctypes.data - self._state.ctypes.data
        return offset // self._state.itemsize

    def _note_surfaces(self, area: int) -> None:
        """Combine the materials of the sphere and of whatever it may touch, and note its radius."""
        row = self._rows[area]
        ball = self._material(row, self._collider)
        for index, contact in enumerate(self._contacts):
            surface = combine_materials(ball, self._material(row, contact.other))
            self._surfaces[area, index] = (
                surface.static_friction,
                surface.dynamic_friction,
                surface.bounciness,
            )
        self._radius[area, 0] = row[self._layout.collider_at(self._collider) + HALF]

    def _material(self, row: NDArray[np.float64], collider: int) -> PhysicsMaterial:
        block = row[self._layout.collider_at(collider) :][:COLLIDER_WIDTH]
        return PhysicsMaterial(
            float(block[STATIC_FRICTION]),
            float(block[DYNAMIC_FRICTION]),
            float(block[BOUNCINESS]),
            Combine(int(block[FRICTION_RULE])),
            Combine(int(block[BOUNCE_RULE])),
        )

    def _weigh(self, area: int) -> None:
        mass = self._rows[area, self._sphere_at + MASS]
        body_id = self.model.geom_bodyid[self.model.geom(self._layout.names[self._body]).id]
        self._batch.expand("body_mass")[area, body_id] = mass
        self._batch.expand("body_inertia")[area, body_id] = 0.4 * mass * self._radius[area, 0] ** 2

    def _resize(self, area: int, collider: int) -> None:
        if collider == self._collider:
            geom = self._layout.names[self._body]
        else:
            geom = next((c.geom for c in self._contacts if c.other == collider), "")
        kind = ShapeKind(self._layout.colliders[collider, 1])
        if not geom or kind is ShapeKind.PLANE:
            return  # a trigger, of which MuJoCo does not know, or endless
        geom_id = self.model.geom(geom).id
        at = self._layout.collider_at(collider) + HALF
        half = self._rows[area, at : at + 3].copy()
        if kind is ShapeKind.SPHERE:
            half[1:] = 0.0
        expand = self._batch.expand
        expand("geom_size")[area, geom_id] = half
        expand("geom_rbound")[area, geom_id] = np.linalg.norm(half)
        extents = half if kind is ShapeKind.BOX else np.full(3, half[0])
        expand("geom_aabb")[area, geom_id, 3:] = extents
