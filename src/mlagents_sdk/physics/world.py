"""All training areas of an environment, stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.appearance import Color, check_color
from mlagents_sdk.physics.area import TrainingArea
from mlagents_sdk.physics.body import Body, ContactCallback, Transform, floats_of
from mlagents_sdk.physics.engines import make_engine
from mlagents_sdk.physics.joints_handle import JointHandle
from mlagents_sdk.physics.joints_layout import JOINT_WIDTH, LINK_BODY, LINK_PARENT, JointTable
from mlagents_sdk.physics.layout import (
    COUNT,
    GRAVITY,
    HALF,
    INERTIA,
    MASS,
    OFFSET,
    ROTATION,
    SCALE,
    TAG,
    Layout,
    Tags,
    rotation_matrix,
    to_mujoco,
)
from mlagents_sdk.physics.materials import PhysicsMaterial
from mlagents_sdk.physics.rotations import Vector
from mlagents_sdk.physics.scene import Motion, Scene
from mlagents_sdk.physics.touching import Dispatcher


class PhysicsWorld:
    """Copies of one scene; the same calls give bit-identical results, at any number of threads.

    Args:
        scene: what each area contains.
        num_areas: number of copies.
        num_threads: threads that step areas with a single sphere; 1 is fastest below some thousand of
            them. Others are stepped one after another.

    Attributes:
        areas: one handle per copy.
        timestep: seconds per step.
        layout: where the numbers of an area stand.
        tags: numbers of the tags.
        rows: float64 ``(areas, width)``, the numbers of all areas; see
            :mod:`mlagents_sdk.physics.layout`.
        joint_table: which body hangs where.
        joints: float64 ``(areas, joints · 22)``, the numbers of all joints; see
            :mod:`mlagents_sdk.physics.joints_layout`.

    Raises:
        AgentsError: the scene cannot be built, or a number is below 1.
    """

    def __init__(self, scene: Scene, num_areas: int = 1, num_threads: int = 1) -> None:
        if num_areas < 1 or num_threads < 1:
            raise AgentsError(
                f"num_areas is {num_areas} and num_threads {num_threads}; both must be at least 1."
            )
        if not scene.colliders:
            raise AgentsError("The scene has no colliders; add at least one before building the areas.")
        self.scene = scene
        self.timestep = scene.timestep
        self.tags = Tags()
        self.layout = Layout(scene, self.tags)
        self.rows = np.tile(self.layout.row, (num_areas, 1))
        self._diverged = np.zeros(num_areas, dtype=np.bool_)
        self.joint_table = JointTable(scene)
        self.joints = np.tile(self.joint_table.row, (num_areas, 1))
        self._engine = make_engine(scene, self.layout, self.rows, num_threads, self.joint_table, self.joints)
        floats = floats_of(self.rows)
        self.areas = [self._make_area(area, floats) for area in range(num_areas)]
        if self.joint_table.joints:
            self._add_joints(floats_of(self.joints))
        self._dispatcher = Dispatcher(self)

    def step(self) -> list[int]:
        """Advance every area by one timestep.

        An area whose numbers became NaN, infinite or absurdly large is put back to the scene's start
        and nothing of it reaches the others.

        Returns:
            Indices of the areas that diverged, usually none; whatever the program knew of them (the
            episode of an agent, say) is void.
        """
        self._dispatcher.find_contacts()
        if not self._engine.step(self._diverged):
            return []
        areas: list[int] = np.flatnonzero(self._diverged).tolist()
        self._diverged[:] = False
        for area in areas:
            self.reset_area(area)
        return areas

    def dispatch_contacts(self) -> None:
        """Call the functions that listen for what touched in the last step; call it after :meth:`step`.

        They are called area by area, in the order in which the bodies were added to the scene. A body
        that an earlier function disabled hears nothing more, and nobody hears of it.
        """
        self._dispatcher.dispatch()

    def reset_area(self, area: int) -> None:
        """Put all bodies of one area back to where the scene has them, at rest."""
        self.layout.reset_row(self.rows[area])
        self._engine.reset(area)
        self._dispatcher.forget(area)

    def set_gravity(self, area: int, gravity: Vector) -> None:
        """Give one area its own gravity, m/s²."""
        wanted = to_mujoco(gravity)
        if self.rows[area, GRAVITY : GRAVITY + 3].tolist() != wanted:
            self.rows[area, GRAVITY : GRAVITY + 3] = wanted
            self._note_change(area)

    def set_mass_and_scale(self, area: int, body: int, mass: float, scale: float) -> None:
        """Give one dynamic body of one area its own mass, kg, and uniform scale.

        The scale starts from the sizes of the scene.

        Raises:
            AgentsError: a number is not positive.
        """
        layout, row, at = self.layout, self.rows[area], self.layout.body_at(body)
        if not (0.0 < mass < np.inf and 0.0 < scale < np.inf):
            name = layout.names[body]
            raise AgentsError(f"Body {name!r}: mass {mass} and scale {scale} must be positive.")
        if row[at + MASS] == mass and row[at + SCALE] == scale:
            return
        row[at + MASS] = mass
        if row[at + SCALE] != scale:
            row[at + SCALE] = scale
            for part in layout.parts_of(body):
                start = layout.collider_at(part)
                for column in (start + HALF, start + OFFSET):
                    row[column : column + 3] = layout.row[column : column + 3] * scale
            layout.update_mass(row, body)
        self._note_change(area)

    def get_size(self, area: int, body: int) -> Vector:
        """Full extents of a body with one collider, metres; see :attr:`Transform.size`."""
        x, z, y = self.rows[area, self._half_of(body)].tolist()
        return (2.0 * x, 2.0 * y, 2.0 * z)

    def set_size(self, area: int, body: int, size: Vector) -> None:
        """Change the extents of a body with one collider, metres; its mass stays.

        Raises:
            AgentsError: the body has several colliders, or a number is not positive.
        """
        columns = self._half_of(body)
        if not all(0.0 < extent < np.inf for extent in size):
            name = self.layout.names[body]
            raise AgentsError(f"Body {name!r}: its size {size} must be positive in every direction.")
        half = [0.5 * extent for extent in to_mujoco(size)]
        if self.rows[area, columns].tolist() != half:
            self.rows[area, columns] = half
            self.layout.update_mass(self.rows[area], body)
            self._note_change(area)

    def set_material(self, area: int, body: int, material: PhysicsMaterial) -> None:
        """Give all colliders of a body of one area another surface."""
        for collider in self.layout.colliders_of(body):
            self.layout.write_material(self.rows[area], collider, material)
        self._note_change(area)

    def get_tag(self, area: int, body: int) -> str:
        """Tag of the first collider of a body."""
        return self.tags.names[int(self.rows[area, self._first_collider_at(body) + TAG])]

    def set_tag(self, area: int, body: int, tag: str) -> None:
        """Give the colliders of a body of one area a tag, except those with a tag of their own."""
        number = self.tags.number(tag)
        shapes = self.scene.colliders[self.layout.names[body]].shapes
        for collider, shape in zip(self.layout.colliders_of(body), shapes, strict=True):
            if shape.tag is None:
                self.rows[area, self.layout.collider_at(collider) + TAG] = number

    def get_color(self, area: int, body: int) -> Color:
        """Colour of the first collider of a body."""
        at = self.layout.color_at(self.layout.parts_of(body)[0])
        red, green, blue = self.rows[area, at : at + 3].tolist()
        return (red, green, blue)

    def set_color(self, area: int, body: int, color: Color) -> None:
        """Give all colliders and decorations of a body of one area a colour.

        Raises:
            AgentsError: it is no colour.
        """
        check_color(color, f"Body {self.layout.names[body]!r}")
        for part in self.layout.parts_of(body):
            at = self.layout.color_at(part)
            self.rows[area, at : at + 3] = color

    def inverse_inertia(self, area: int, body: int, torque: Vector) -> Vector:
        """Angular acceleration that a torque gives, rad/s², both along the axes of the area."""
        at = self.layout.body_at(body)
        block = self.rows[area, at:]
        xx, yy, zz, xy, xz, yz = block[INERTIA : INERTIA + 6].tolist()
        axes = rotation_matrix(block[ROTATION : ROTATION + 4])
        inverse = axes @ np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]) @ axes.T / block[MASS]
        x, z, y = (inverse @ np.array(to_mujoco(torque))).tolist()
        return (x, y, z)

    def bodies_hanging_on(self, area: int, body: int) -> list[Body]:
        """All bodies that joints hang on a body of one area, directly or not."""
        hanging = {body}
        found = []
        for link in self.joint_table.links.tolist():
            if link[LINK_PARENT] in hanging and link[LINK_BODY] != body:
                hanging.add(link[LINK_BODY])
                found.append(self.areas[area].body(self.layout.names[link[LINK_BODY]]))
        return found

    def add_listener(self, transform: Transform, callbacks: Sequence[ContactCallback | None]) -> None:
        """Have functions called for a body; see :meth:`Transform.listen`."""
        self._dispatcher.add(transform, callbacks)

    def get_state(self) -> dict[str, Any]:
        """Copies of everything that the future of the world depends on."""
        return {
            "rows": self.rows.copy(),
            "engine": self._engine.get_state(),
            "tags": list(self.tags.names),
            "touching": self._dispatcher.get_state(),
            "joints": self.joints.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`get_state`, bit for bit."""
        rows = state["rows"].copy()
        numbers = np.array([self.tags.number(name) for name in state["tags"]])
        for collider in range(len(self.layout.colliders)):
            at = self.layout.collider_at(collider) + TAG
            rows[:, at] = numbers[rows[:, at].astype(np.int64)]
        self.rows[...] = rows
        self.joints[...] = state["joints"]
        for area in range(len(rows)):
            self._engine.refresh(area)
        self._engine.set_state(state["engine"])
        self._dispatcher.set_state(state["touching"])

    def _note_change(self, area: int) -> None:
        self.layout.wake(self.rows[area])
        self._engine.refresh(area)

    def _first_collider_at(self, body: int) -> int:
        return self.layout.collider_at(self.layout.colliders_of(body)[0])

    def _half_of(self, body: int) -> slice:
        if self.layout.bodies[body, COUNT] != 1:
            name = self.layout.names[body]
            raise AgentsError(f"Body {name!r} has several colliders; only single ones have a size.")
        at = self._first_collider_at(body) + HALF
        return slice(at, at + 3)

    def _make_area(self, area: int, floats: memoryview[float]) -> TrainingArea:
        start = area * self.rows.shape[1]
        transforms: dict[str, Transform] = {}
        for index, prefab in enumerate(self.scene.colliders.values()):
            movable = prefab.motion is not Motion.STATIC
            kind = Body if prefab.motion is Motion.DYNAMIC else Transform
            at = start + self.layout.body_at(index)
            transforms[prefab.name] = kind(prefab.name, self, area, index, floats, at, movable)
        return TrainingArea(self, area, transforms)

    def _add_joints(self, floats: memoryview[float]) -> None:
        width = self.joints.shape[1]
        for area in self.areas:
            for index, item in enumerate(self.joint_table.joints):
                at = area.index * width + index * JOINT_WIDTH
                area.joints[item.name] = JointHandle(item, area, floats, at)
