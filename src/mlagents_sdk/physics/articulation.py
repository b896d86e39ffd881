"""Moves areas whose bodies hang together by joints, with MuJoCo.

One MuJoCo simulation per area, in joint coordinates, so that joints cannot come apart. Each physics step
is two of MuJoCo's, and each of those is done in halves: between them drives, limits and contacts are
written as :mod:`mlagents_sdk.physics.articulation_rows` describes.

All dynamic bodies of such a scene are MuJoCo's, also those without joints. It differs from the solver for
free bodies (:mod:`mlagents_sdk.physics.rigid_step`) in this:

* Contacts are slightly soft, sticking is not absolute, and of the two frictions of a material the dynamic
  one counts. Friction is Coulomb's also where two patches slide on each other.
* Bodies do not fall asleep.
* A body whose rotation is partly frozen is so about its own axes.
* A child goes where its joint holds it, whatever position a program gives it; of its velocities remains
  what the joints allow. A program that places a whole creature uses
  :meth:`~mlagents_sdk.physics.body.Body.place`.
* A tree of bodies stands still, and touches nothing, while any of them is disabled.
"""

from __future__ import annotations

import copy

import mujoco
import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.articulation_model import SUBSTEPS, build_articulation
from mlagents_sdk.physics.articulation_motion import KNOWN_WIDTH, load_area, place_scripted, store_area
from mlagents_sdk.physics.articulation_rows import bounce, look_ahead, write_drives
from mlagents_sdk.physics.articulation_tracing import settle
from mlagents_sdk.physics.articulation_tuning import admit_contacts, tune_model
from mlagents_sdk.physics.integration import find_diverged
from mlagents_sdk.physics.joints_layout import JOINT_WIDTH, LINK_BODY, LINK_TREE, READ_ONLY, JointTable
from mlagents_sdk.physics.layout import (
    BOUNCE_RULE,
    CENTER,
    ENABLED,
    GRAVITY,
    HALF,
    INERTIA,
    MASS,
    OFFSET,
    STATIC_FRICTION,
    Layout,
)
from mlagents_sdk.physics.scene import Scene


class Simulation:
    """MuJoCo's data of one area.

    Args:
        model: of the scene.

    Attributes:
        data: the data.
        qpos: live view of the coordinates.
        qvel: live view of the velocities.
        forces: live view ``(MuJoCo's bodies, 6)`` of the forces and torques that act from outside.
        contacts: live view ``(dofs,)`` of what constraints did along each degree of freedom.
        mocap_pos: live view ``(scripted bodies, 3)``.
        mocap_quat: live view ``(scripted bodies, 4)``.
        momenta: ``(MuJoCo's bodies, 6)``, see :func:`~mlagents_sdk.physics.articulation_motion.load_area`.
        stale: bool ``(dofs,)``, ditto.
        width: floats in its state.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self.data = mujoco.MjData(model)
        self.qpos: NDArray[np.float64] = self.data.qpos
        self.qvel: NDArray[np.float64] = self.data.qvel
        self.forces: NDArray[np.float64] = self.data.xfrc_applied
        self.contacts: NDArray[np.float64] = self.data.qfrc_constraint
        self.mocap_pos: NDArray[np.float64] = self.data.mocap_pos
        self.mocap_quat: NDArray[np.float64] = self.data.mocap_quat
        self.momenta = np.zeros((model.nbody, 6))
        self.stale = np.zeros(model.nv, np.bool_)
        self.width: int = model.nq + 2 * model.nv

    def get_state(self) -> NDArray[np.float64]:
        """Coordinates, velocities and where the solver will begin, ``(width,)``."""
        return np.concatenate((self.qpos, self.qvel, self.data.qacc_warmstart))

    def take_momenta(self, model: mujoco.MjModel) -> None:
        """Work out the stale velocities from the momenta of the bodies: ``M v = Σ Jᵀ p``."""
        data = self.data
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_makeM(model, data)
        mujoco.mj_factorM(model, data)
        total, velocities = np.zeros((1, model.nv)), np.zeros((1, model.nv))
        for body in np.flatnonzero(self.momenta.any(axis=1)).tolist():
            push, twist = self.momenta[body, :3], self.momenta[body, 3:]
            mujoco.mj_applyFT(model, data, push, twist, data.xipos[body], body, total[0])
        mujoco.mj_solveM(model, data, velocities, total)
        self.qvel[self.stale] = velocities[0, self.stale]

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Put back what :meth:`get_state` gave."""
        coordinates, velocities = len(self.qpos), len(self.qvel)
        self.qpos[:] = state[:coordinates]
        self.qvel[:] = state[coordinates : coordinates + velocities]
        self.data.qacc_warmstart[:] = state[coordinates + velocities :]


class ArticulationEngine:
    """Bodies held together by joints, and all others of their scene.

    Args:
        scene: what each area contains.
        layout: where its numbers stand.
        rows: ``(areas, width)`` numbers of the areas.
        table: joints of the scene.
        joints: ``(areas, joints · 22)`` numbers of the joints.
    """

    def __init__(
        self,
        scene: Scene,
        layout: Layout,
        rows: NDArray[np.float64],
        table: JointTable,
        joints: NDArray[np.float64],
    ) -> None:
        self._rows = rows
        self._joints = joints
        self._layout = layout
        self._table = table
        self._timestep = scene.timestep
        self._built = build_articulation(scene, layout, table)
        base = self._built.model
        bounciness = tune_model(base, self._built, layout, table, layout.row)
        # Areas share the model until one of them differs.
        self._models = [base] * len(rows)
        self._bounciness = [bounciness] * len(rows)
        self._bouncing = [bool(bounciness.any())] * len(rows)
        self._simulations = [Simulation(base) for _ in range(len(rows))]
        bodies = range(len(layout.names))
        self._enabled_at = np.array([layout.body_at(body) + ENABLED for body in bodies], np.int64)
        self._there = np.ones((len(rows), len(bodies)), np.bool_)
        links = table.links[:, LINK_BODY]
        start = np.array([layout.body_at(body) for body in links.tolist()], np.int64)
        self._known_at = start[:, None] + np.arange(KNOWN_WIDTH)
        self._known = np.zeros((len(rows), len(links), KNOWN_WIDTH))
        self._tuning_at = _tuning_columns(layout)
        self._tuned = rows[:, self._tuning_at]
        for area in range(len(rows)):
            self._known[area] = rows[area][self._known_at]

    def step(self, diverged: NDArray[np.bool_]) -> int:
        """One step of all areas; those that the program spoilt are put back before MuJoCo sees them."""
        count = len(self._layout.bodies)
        bad = find_diverged(self._rows, count, diverged)
        for area in np.flatnonzero(diverged).tolist() if bad else ():
            self._layout.reset_row(self._rows[area])
            self.reset(area)
        there = self._rows[:, self._enabled_at] != 0.0
        if not np.array_equal(there, self._there):
            for area in np.flatnonzero((there != self._there).any(axis=1)).tolist():
                self._admit(area, there[area])
        for area, simulation in enumerate(self._simulations):
            try:
                self._advance(area, simulation)
            except mujoco.FatalError:
                diverged[area] = True
                bad += 1
        return bad + find_diverged(self._rows, count, diverged)

    def reset(self, area: int) -> None:
        """Begin anew, without MuJoCo's memory of the last step; joints with impossible numbers too."""
        mujoco.mj_resetData(self._models[area], self._simulations[area].data)
        self._known[area] = self._rows[area][self._known_at]
        joints = self._joints[area].reshape(-1, JOINT_WIDTH)
        start = self._table.row.reshape(-1, JOINT_WIDTH)
        joints[:, READ_ONLY:] = start[:, READ_ONLY:]
        spoilt = np.isnan(joints) | (np.isinf(joints) & np.isfinite(start))
        joints[spoilt] = start[spoilt]

    def refresh(self, area: int) -> None:
        """Tell MuJoCo what changed since it was told last."""
        row = self._rows[area]
        numbers = row[self._tuning_at]
        if np.array_equal(numbers, self._tuned[area]):
            return
        self._tuned[area] = numbers
        model = self._own_model(area)
        bounciness = tune_model(model, self._built, self._layout, self._table, row)
        self._bounciness[area] = bounciness
        self._bouncing[area] = bool(bounciness.any())
        # Centres of mass may have moved, and velocities are theirs.
        self._known[area, 0, 0] = np.nan

    def get_state(self) -> NDArray[np.float64]:
        """MuJoCo's coordinates and memory, and what stood behind them."""
        own = np.stack([simulation.get_state() for simulation in self._simulations])
        return np.concatenate((own, self._known.reshape(len(own), -1)), axis=1)

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Put back what :meth:`get_state` gave."""
        width = self._simulations[0].width
        for area, simulation in enumerate(self._simulations):
            simulation.set_state(state[area, :width])
        self._known[...] = state[:, width:].reshape(self._known.shape)

    def _advance(self, area: int, simulation: Simulation) -> None:
        model, data = self._models[area], simulation.data
        row, joints, known = self._rows[area], self._joints[area], self._known[area]
        layout, table, built = self._layout, self._table, self._built
        qpos, qvel = simulation.qpos, simulation.qvel
        if len(built.scripted):
            place_scripted(row, built.scripted, simulation.mocap_pos, simulation.mocap_quat)
        anew = load_area(
            row,
            layout.bodies,
            table.links,
            table.geometry,
            known,
            qpos,
            qvel,
            simulation.forces,
            simulation.momenta,
            simulation.stale,
            self._timestep,
        )
        if anew:
            simulation.take_momenta(model)
        for _ in range(SUBSTEPS):
            mujoco.mj_step1(model, data)
            if data.nefc:
                self._write_constraints(area, simulation)
            before = qpos.copy(), qvel.copy()
            mujoco.mj_step2(model, data)
            settle(
                row,
                layout.bodies,
                table.links,
                table.geometry,
                simulation.forces,
                simulation.contacts,
                self._timestep / SUBSTEPS,
                *before,
                qpos,
                qvel,
            )
        store_area(
            row,
            layout.bodies,
            table.links,
            table.geometry,
            known,
            qpos,
            qvel,
            joints,
            built.drives,
            data.efc_force,
        )

    def _write_constraints(self, area: int, simulation: Simulation) -> None:
        data, built = simulation.data, self._built
        timestep = self._timestep / SUBSTEPS
        distance, speed, reference = data.efc_pos, data.efc_vel, data.efc_aref
        if len(built.drives):
            write_drives(
                built.drives,
                self._joints[area],
                self._table.geometry,
                built.turning,
                simulation.qpos,
                simulation.qvel,
                timestep,
                self._timestep,
                reference,
                data.efc_D,
                data.efc_R,
                data.efc_frictionloss,
            )
        if len(reference) == len(built.drives):
            return
        look_ahead(len(built.drives), timestep, distance, data.efc_margin, speed, data.efc_KBIP, reference)
        if self._bouncing[area]:
            contacts = data.contact
            bounce(
                timestep,
                self._bounciness[area],
                contacts.geom,
                contacts.efc_address,
                distance,
                speed,
                reference,
            )

    def _own_model(self, area: int) -> mujoco.MjModel:
        if self._models[area] is self._built.model:
            self._models[area] = copy.copy(self._built.model)
        return self._models[area]

    def _admit(self, area: int, there: NDArray[np.bool_]) -> None:
        """Have only those bodies touch that are there, and whose trees are complete."""
        self._there[area] = there
        complete = there.copy()
        links = self._table.links
        broken = set(links[~there[links[:, LINK_BODY]], LINK_TREE].tolist())
        for ints in links:
            if ints[LINK_TREE] in broken:
                complete[ints[LINK_BODY]] = False
        admit_contacts(self._own_model(area), self._built, complete)


def _tuning_columns(layout: Layout) -> NDArray[np.int64]:
    """Columns of a row that MuJoCo's model depends on."""
    columns = [GRAVITY, GRAVITY + 1, GRAVITY + 2]
    for body in range(len(layout.bodies)):
        at = layout.body_at(body)
        columns += [at + MASS, *range(at + INERTIA, at + CENTER + 3)]
    for collider in range(len(layout.colliders)):
        at = layout.collider_at(collider)
        columns += [*range(at + HALF, at + OFFSET + 3), *range(at + STATIC_FRICTION, at + BOUNCE_RULE + 1)]
    return np.array(columns, np.int64)
