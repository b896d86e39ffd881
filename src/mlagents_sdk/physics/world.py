"""All training areas of an environment, stepped together."""

from __future__ import annotations

from typing import Any

import numpy as np
from mujoco import batch
from numpy.typing import NDArray

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.area import TrainingArea
from mlagents_sdk.physics.body import Body, Transform, floats_of
from mlagents_sdk.physics.contacts import resolve_sphere_contacts
from mlagents_sdk.physics.integration import apply_forces_and_drag, find_diverged
from mlagents_sdk.physics.rotations import Vector
from mlagents_sdk.physics.scene import Motion, Scene, Shape, rotation_to_mujoco, to_mujoco

_DEFAULT_MAX_ANGULAR_SPEED = 7.0  # rad/s, of the original's engine
_SAVED = ("gravity", "mass", "scale", "drag", "angular_drag", "max_angular_speed", "velocity_change")


class PhysicsWorld:
    """Copies of one scene; the same calls give bit-identical results, at any number of threads.

    Args:
        scene: what each area contains.
        num_areas: number of copies.
        num_threads: threads that step the areas; 1 is fastest below some thousand small areas.

    Attributes:
        areas: one handle per copy.
        timestep: seconds per step.
        gravity: ``(areas, 3)``, m/s² in MuJoCo's frame; change it through :meth:`set_gravity`.
        mass: ``(areas, bodies)``, kg; change it, and the scale, through :meth:`set_mass_and_scale`.
        scale: ``(areas, bodies)``, relative to the scene.
        drag: ``(areas, bodies)``, 1/s.
        angular_drag: ``(areas, bodies)``, 1/s.
        max_angular_speed: ``(areas, bodies)``, rad/s.
        velocity_change: ``(areas, bodies, 3)``, m/s in MuJoCo's frame, applied in the next step.

    Raises:
        AgentsError: the scene cannot be built, or a number is below 1.
    """

    def __init__(self, scene: Scene, num_areas: int = 1, num_threads: int = 1) -> None:
        if num_areas < 1 or num_threads < 1:
            raise AgentsError(
                f"num_areas is {num_areas} and num_threads {num_threads}; both must be at least 1."
            )
        self.scene = scene
        self.model = scene.compile()
        self.timestep = scene.timestep
        self._batch = batch.Batch(self.model, num_areas, num_threads)
        self._state: NDArray[np.float64] = self._batch.state
        self._initial_row = self._state[0].copy()
        self._diverged = np.zeros(num_areas, dtype=np.bool_)
        self._time_at = self._column("time")

        dynamic = [scene.colliders[name] for name in scene.names(Motion.DYNAMIC)]
        self._dynamic = dynamic
        joints = [self.model.body(body.name).jntadr[0] for body in dynamic]
        self._pose_at = self._column("qpos") + self.model.jnt_qposadr[joints].astype(np.int64)
        self._velocity_at = self._column("qvel") + self.model.jnt_dofadr[joints].astype(np.int64)
        shape = (num_areas, len(dynamic))
        self.gravity = np.tile(np.array(to_mujoco(scene.gravity)), (num_areas, 1))
        self.mass = np.tile(np.array([body.mass for body in dynamic]), (num_areas, 1))
        self.scale = np.ones(shape)
        self.drag = np.tile(np.array([body.drag for body in dynamic]), (num_areas, 1))
        self.angular_drag = np.tile(np.array([body.angular_drag for body in dynamic]), (num_areas, 1))
        self.max_angular_speed = np.full(shape, _DEFAULT_MAX_ANGULAR_SPEED)
        self.velocity_change = np.zeros((*shape, 3))
        self._collect_sphere_contacts()
        self.areas = [self._make_area(index) for index in range(num_areas)]

    def step(self) -> list[int]:
        """Advance every area by one timestep.

        An area whose numbers became NaN, infinite or absurdly large is put back to the scene's start
        and nothing of it reaches the others.

        Returns:
            Indices of the areas that diverged, usually none; whatever the program knew of them (the
            episode of an agent, say) is void.
        """
        apply_forces_and_drag(
            self._state,
            self._velocity_at,
            self.velocity_change,
            self.gravity,
            self.drag,
            self.angular_drag,
            self.max_angular_speed,
            self.timestep,
        )
        bad = find_diverged(self._state, self._time_at, self._diverged)
        if bad:  # the program's doing: MuJoCo shall not see it
            self._reset_diverged()
        try:
            self._batch.step()
        except batch.SimulationError as error:
            self._diverged[error.ids] = True
            bad += len(error.ids)
        if self._surfaces.size:
            resolve_sphere_contacts(
                self._state,
                self._reports,
                self._sphere_pose_at,
                self._sphere_velocity_at,
                self._first_contact,
                self._surfaces,
                self._radius,
                self.timestep,
            )
        bad += find_diverged(self._state, self._time_at, self._diverged)
        return self._report_diverged() if bad else []

    def reset_area(self, area: int) -> None:
        """Put all bodies of one area back to where the scene has them, at rest."""
        self._state[area] = self._initial_row
        self.velocity_change[area] = 0.0

    def set_gravity(self, area: int, gravity: Vector) -> None:
        """Give one area its own gravity, m/s²."""
        wanted = to_mujoco(gravity)
        if self.gravity[area].tolist() != wanted:
            self.gravity[area] = wanted
            self._batch.expand("opt.gravity")[area] = wanted

    def set_mass_and_scale(self, area: int, body: int, mass: float, scale: float) -> None:
        """Give one dynamic body of one area its own mass, kg, and uniform scale.

        Raises:
            AgentsError: a number is not positive.
        """
        if not (0.0 < mass < np.inf and 0.0 < scale < np.inf):
            name = self._dynamic[body].name
            raise AgentsError(f"Body {name!r}: mass {mass} and scale {scale} must be positive.")
        if self.mass[area, body] == mass and self.scale[area, body] == scale:
            return
        self.mass[area, body] = mass
        self.scale[area, body] = scale
        self._write_mass_and_scale(area, body)

    def get_state(self) -> dict[str, Any]:
        """Copies of everything that the future of the world depends on."""
        return {"rows": self._state.copy(), **{name: getattr(self, name).copy() for name in _SAVED}}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`get_state`, bit for bit."""
        for area, masses in enumerate(state["mass"].tolist()):
            for body, mass in enumerate(masses):
                self.set_mass_and_scale(area, body, mass, float(state["scale"][area, body]))
        if not np.array_equal(self.gravity, state["gravity"]):
            self._batch.expand("opt.gravity")[...] = state["gravity"]
        for name in _SAVED:
            getattr(self, name)[...] = state[name]
        self._state[...] = state["rows"]

    def _column(self, field: str) -> int:
        """First column of a MuJoCo state field in the state rows."""
        offset: int = self._batch.bind(field).ctypes.data - self._state.ctypes.data
        return offset // self._state.itemsize

    def _collect_sphere_contacts(self) -> None:
        """Lay out the contacts that :func:`resolve_sphere_contacts` corrects as arrays."""
        contacts = self.scene.sphere_contacts()
        names = [body.name for body in self._dynamic]
        spheres = [names.index(name) for name in dict.fromkeys(contact.sphere for contact in contacts)]
        self._sphere_of_body = {body: sphere for sphere, body in enumerate(spheres)}
        self._sphere_pose_at = self._pose_at[spheres]
        self._sphere_velocity_at = self._velocity_at[spheres]
        per_sphere = [sum(contact.sphere == names[body] for contact in contacts) for body in spheres]
        self._first_contact = np.concatenate([[0], np.cumsum(per_sphere, dtype=np.int64)]).astype(np.int64)
        self._surfaces = np.array(
            [(c.surface.static_friction, c.surface.dynamic_friction, c.surface.bounciness) for c in contacts]
        )
        radii = [self._dynamic[body].half_size[0] for body in spheres]
        self._radius = np.tile(np.array(radii), (len(self._state), 1))
        # The sensors of these contacts are the only ones of the model, in the order of the list.
        self._reports: NDArray[np.float64] = self._batch.bind("sensordata")

    def _make_area(self, area: int) -> TrainingArea:
        floats = floats_of(self._state)
        start = area * self._state.shape[1]
        transforms: dict[str, Transform] = {}
        scripted = 0
        position_at, rotation_at = start + self._column("mocap_pos"), start + self._column("mocap_quat")
        for collider in self.scene.colliders.values():
            name = collider.name
            if collider.motion is Motion.DYNAMIC:
                index = [body.name for body in self._dynamic].index(name)
                pose_at, velocity_at = start + self._pose_at[index], start + self._velocity_at[index]
                transforms[name] = Body(name, self, area, index, floats, int(pose_at), int(velocity_at))
            elif collider.motion is Motion.SCRIPTED:
                transforms[name] = Transform(
                    name, floats, position_at + 3 * scripted, rotation_at + 4 * scripted, movable=True
                )
                scripted += 1
            else:
                pose = np.array([*to_mujoco(collider.position), *rotation_to_mujoco(collider.rotation)])
                transforms[name] = Transform(name, floats_of(pose), 0, 3, movable=False)
        return TrainingArea(self, area, transforms)

    def _write_mass_and_scale(self, area: int, body: int) -> None:
        """Make MuJoCo's model of one area follow :attr:`mass` and :attr:`scale`."""
        collider = self._dynamic[body]
        mass, scale = self.mass[area, body], self.scale[area, body]
        body_id, geom_id = self.model.body(collider.name).id, self.model.geom(collider.name).id
        expand = self._batch.expand
        inertia = np.array(to_mujoco(collider.unit_inertia))
        expand("body_mass")[area, body_id] = mass
        expand("body_inertia")[area, body_id] = inertia * mass * scale**2
        expand("geom_size")[area, geom_id] = self.model.geom_size[geom_id] * scale
        expand("geom_rbound")[area, geom_id] = self.model.geom_rbound[geom_id] * scale
        expand("geom_aabb")[area, geom_id] = self.model.geom_aabb[geom_id] * scale
        self._batch.set_const([area])
        if collider.shape is Shape.SPHERE and body in self._sphere_of_body:
            self._radius[area, self._sphere_of_body[body]] = collider.half_size[0] * scale

    def _reset_diverged(self) -> None:
        for area in np.flatnonzero(self._diverged).tolist():
            self.reset_area(area)

    def _report_diverged(self) -> list[int]:
        self._reset_diverged()
        areas: list[int] = np.flatnonzero(self._diverged).tolist()
        self._diverged[:] = False
        return areas
