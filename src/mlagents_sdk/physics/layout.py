"""The numbers of a training area in one row, and where each of them stands.

A row of float64 holds everything that the future of an area depends on: first its own numbers, then a
block per body, then a block per collider and, of the same form, per decoration, then their colours. One
array ``(areas, width)`` can then be saved, compared and handed to machine code as it is, and handles read
and write single floats in it.

Everything is in MuJoCo's frame: right-handed with z up, so y and z of the original swap and rotations
mirror. What never changes (which collider belongs to which body, geometry, frozen axes) stands in integer
tables beside it. Numbers that are truly integers or flags are stored as floats too; they are small.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics.appearance import color_of, is_visible
from mlagents_sdk.physics.rotations import Quaternion, Vector
from mlagents_sdk.physics.shapes import Shape, ShapeKind, SolidPart, mass_distribution

if TYPE_CHECKING:
    from mlagents_sdk.physics.materials import PhysicsMaterial
    from mlagents_sdk.physics.scene import Collider, Scene

# Columns of an area.
GRAVITY = 0  # 3, m/s²
AREA_WIDTH = 3

# Columns of a body, relative to its block.
POSITION = 0  # 3, of the origin, m
ROTATION = 3  # 4, (w, x, y, z)
VELOCITY = 7  # 3, of the centre of mass, m/s
SPIN = 10  # 3, angular velocity along the body's own axes, rad/s
PUSH = 13  # 3, change of velocity in the next step, m/s
TWIST = 16  # 3, change of angular velocity in the next step, rad/s, axes of the area
MASS = 19  # kg
SCALE = 20  # relative to the scene
DRAG = 21  # 1/s
ANGULAR_DRAG = 22  # 1/s
MAX_SPIN = 23  # rad/s
ENABLED = 24  # 0 or 1
INERTIA = 25  # 6: xx, yy, zz, xy, xz, yz of the inverse inertia per unit of mass, 1/m²
CENTER = 31  # 3, centre of mass in the body's frame, m
REACH = 34  # radius about the origin within which all its colliders lie, m
REST = 35  # seconds until it may fall asleep; not positive: asleep
KNOWN = 36  # 8: pose and ENABLED at the end of the last step, to notice what a script did since
BODY_WIDTH = 44
POSE_WIDTH = MASS  # the columns that a reset puts back

# Columns of a collider, relative to its block.
HALF = 0  # 3, half extents, m
OFFSET = 3  # 3, centre in the body's frame, m
TURN = 6  # 4, rotation in the body's frame
TAG = 10  # index into the tags of the world
LAYERS = 11  # bit mask with one bit set
STATIC_FRICTION = 12
DYNAMIC_FRICTION = 13
BOUNCINESS = 14
FRICTION_RULE = 15  # Combine
BOUNCE_RULE = 16  # Combine
TRIGGER = 17  # 0 or 1
RADIUS = 18  # radius about its centre, m
COLLIDER_WIDTH = 19

COLOR_WIDTH = 3  # columns of the colour of a collider or decoration: red, green and blue in [0, 1]
NO_BODY = -1  # body of a decoration that stays where it is

# Columns of the integer table of bodies, int64 (bodies, 4).
MOTION = 0  # 0 static, 1 scripted, 2 dynamic
FROZEN = 1  # Freeze flags, in MuJoCo's order of axes
FIRST = 2  # first collider
COUNT = 3  # number of colliders

# Columns of the integer table of colliders, int64 (colliders, 2).
BODY = 0  # body it belongs to
KIND = 1  # ShapeKind

PLANE_RADIUS = 1e8  # metres: planes reach everywhere
AWAKE_TIME = 0.4  # seconds that a body stays awake after it moved
DEFAULT_MAX_SPIN = 7.0  # rad/s, of the original's engine


def to_mujoco(vector: Vector) -> list[float]:
    """A position, velocity or size in MuJoCo's frame: right-handed with z up, so y and z swap."""
    return [vector[0], vector[2], vector[1]]


def rotation_to_mujoco(rotation: Quaternion) -> list[float]:
    """A quaternion in MuJoCo's frame and order, ``[w, x, y, z]``; the mirror turns angles around."""
    x, y, z, w = rotation
    return [w, -x, -z, -y]


def rotation_matrix(wxyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix ``(3, 3)`` of a unit quaternion ``(4,)``."""
    w, x, y, z = wxyz.tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


@dataclass(slots=True)
class Tags:
    """Numbers for tags; the untagged have number 0.

    Attributes:
        names: tag of each number.
        limit: how many there may be.
    """

    limit: int = 256
    names: list[str] = field(default_factory=lambda: [""])
    _numbers: dict[str, int] = field(default_factory=lambda: {"": 0})
    _masks: dict[frozenset[str] | None, NDArray[np.bool_]] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Number of a tag, given when it is met first.

        Raises:
            AgentsError: there are too many.
        """
        number = self._numbers.get(name)
        if number is None:
            number = len(self.names)
            if number >= self.limit:
                raise AgentsError(f"Tag {name!r} is one too many; a world can have {self.limit - 1}.")
            self.names.append(name)
            self._numbers[name] = number
        return number

    def mask(self, names: Collection[str] | None) -> NDArray[np.bool_]:
        """Bool ``(limit,)``: which tags are among the names; all for None. Shared: not to be changed."""
        key = None if names is None else frozenset(names)
        mask = self._masks.get(key)
        if mask is None:
            mask = np.full(self.limit, key is None)
            mask[[self.number(name) for name in key or ()]] = True
            self._masks[key] = mask
        return mask


class Layout:
    """Where the numbers of each body and collider of a scene stand.

    Args:
        scene: what each area contains.
        tags: numbers of the tags.

    Attributes:
        bodies: int64 ``(bodies, 4)``, see the columns above.
        colliders: int64 ``(colliders, 2)``, ditto; the colliders of a body are neighbours.
        parts: int64 ``(colliders + decorations, 2)``: what cameras may see, the colliders first; the
            decorations continue their table.
        visible: bool ``(colliders + decorations,)``.
        first_color_at: column of the first colour.
        names: of the bodies, in order.
        row: float64 ``(width,)``, the area at the beginning.
    """

    def __init__(self, scene: Scene, tags: Tags) -> None:
        prefabs = list(scene.colliders.values())
        shapes = [(body, shape) for body, prefab in enumerate(prefabs) for shape in prefab.shapes]
        self.names = [prefab.name for prefab in prefabs]
        self.first_collider_at = AREA_WIDTH + BODY_WIDTH * len(prefabs)
        self.bodies = np.zeros((len(prefabs), 4), np.int64)
        self.colliders = np.array([(body, int(shape.kind)) for body, shape in shapes], np.int64)
        extra = [
            (NO_BODY if item.body is None else self.names.index(item.body), item.shape)
            for item in scene.decorations
        ]
        decorations = np.array([(body, int(shape.kind)) for body, shape in extra], np.int64).reshape(-1, 2)
        self.parts = np.concatenate((self.colliders, decorations))
        self.first_color_at = self.first_collider_at + COLLIDER_WIDTH * len(self.parts)
        self.row = np.zeros(self.first_color_at + COLOR_WIDTH * len(self.parts))
        self.row[GRAVITY : GRAVITY + 3] = to_mujoco(scene.gravity)
        first = 0
        for index, prefab in enumerate(prefabs):
            self.bodies[index] = (
                prefab.motion.rank,
                prefab.freeze.in_mujoco_order(),
                first,
                len(prefab.shapes),
            )
            self._fill_body(index, prefab)
            for offset, shape in enumerate(prefab.shapes):
                tag = prefab.tag if shape.tag is None else shape.tag
                self._fill_collider(first + offset, shape, tags.number(tag), 1 << prefab.layer)
            first += len(prefab.shapes)
            self.update_mass(self.row, index)
        for index, (_, shape) in enumerate(extra, len(shapes)):
            self._fill_collider(index, shape, 0, 0)
        looks = [
            (shape, None if body == NO_BODY else prefabs[body], index >= len(shapes))
            for index, (body, shape) in enumerate(shapes + extra)
        ]
        self.visible = np.array([is_visible(*look) for look in looks], np.bool_)
        self.row[self.first_color_at :] = [channel for look in looks for channel in color_of(*look[:2])]

    def body_at(self, body: int) -> int:
        """First column of a body."""
        return AREA_WIDTH + BODY_WIDTH * body

    def collider_at(self, collider: int) -> int:
        """First column of a collider."""
        return self.first_collider_at + COLLIDER_WIDTH * collider

    def colliders_of(self, body: int) -> range:
        """Indices of the colliders of a body."""
        first, count = self.bodies[body, FIRST:].tolist()
        return range(first, first + count)

    def parts_of(self, body: int) -> list[int]:
        """Indices of what cameras may see of a body: its colliders and decorations."""
        indices: list[int] = np.flatnonzero(self.parts[:, BODY] == body).tolist()
        return indices

    def color_at(self, part: int) -> int:
        """First column of the colour of a collider or decoration."""
        return self.first_color_at + COLOR_WIDTH * part

    def reset_row(self, row: NDArray[np.float64]) -> None:
        """Put poses and velocities of an area back to the beginning, and forget pending forces."""
        for body in range(len(self.bodies)):
            at = self.body_at(body)
            row[at : at + POSE_WIDTH] = self.row[at : at + POSE_WIDTH]
            row[at + KNOWN : at + KNOWN + 7] = row[at : at + 7]
            row[at + REST] = AWAKE_TIME

    def wake(self, row: NDArray[np.float64]) -> None:
        """Wake all bodies of an area."""
        for body in range(len(self.bodies)):
            row[self.body_at(body) + REST] = AWAKE_TIME

    def update_mass(self, row: NDArray[np.float64], body: int) -> None:
        """Make centre of mass, inertia and reach follow the colliders of ``row``, and the frozen axes."""
        at = self.body_at(body)
        parts, reach = [], 0.0
        for collider in self.colliders_of(body):
            block = row[self.collider_at(collider) :][:COLLIDER_WIDTH]
            half, center = block[HALF : HALF + 3], block[OFFSET : OFFSET + 3]
            kind = ShapeKind(self.colliders[collider, KIND])
            block[RADIUS] = _bounding_radius(kind, half)
            reach = max(reach, float(np.linalg.norm(center)) + block[RADIUS])
            if kind is not ShapeKind.PLANE and not block[TRIGGER]:
                parts.append(SolidPart(kind, half, center, rotation_matrix(block[TURN : TURN + 4])))
        center, inertia = mass_distribution(parts)
        inverse = np.linalg.inv(inertia)
        row[at + CENTER : at + CENTER + 3] = center
        row[at + INERTIA : at + INERTIA + 6] = (*inverse.diagonal(), *inverse[[0, 0, 1], [1, 2, 2]])
        row[at + REACH] = reach

    def write_material(self, row: NDArray[np.float64], collider: int, material: PhysicsMaterial) -> None:
        """Give a collider its surface."""
        at = self.collider_at(collider) + STATIC_FRICTION
        row[at : at + 5] = (
            material.static_friction,
            material.dynamic_friction,
            material.bounciness,
            material.friction_combine,
            material.bounce_combine,
        )

    def _fill_body(self, index: int, prefab: Collider) -> None:
        block = self.row[self.body_at(index) :][:BODY_WIDTH]
        block[POSITION : POSITION + 3] = to_mujoco(prefab.position)
        block[ROTATION : ROTATION + 4] = rotation_to_mujoco(prefab.rotation)
        block[[MASS, SCALE, DRAG, ANGULAR_DRAG]] = (prefab.mass, 1.0, prefab.drag, prefab.angular_drag)
        block[[MAX_SPIN, ENABLED, REST]] = (DEFAULT_MAX_SPIN, 1.0, AWAKE_TIME)
        block[KNOWN : KNOWN + 7] = block[POSITION : POSITION + 7]
        block[KNOWN + 7] = 1.0

    def _fill_collider(self, index: int, shape: Shape, tag: int, layers: int) -> None:
        block = self.row[self.collider_at(index) :][:COLLIDER_WIDTH]
        block[HALF : HALF + 3] = to_mujoco(shape.half_size)
        block[OFFSET : OFFSET + 3] = to_mujoco(shape.position)
        block[TURN : TURN + 4] = rotation_to_mujoco(shape.rotation)
        block[[TAG, LAYERS, TRIGGER]] = (tag, layers, shape.trigger)
        self.write_material(self.row, index, shape.material)


def _bounding_radius(kind: ShapeKind, half: NDArray[np.float64]) -> float:
    a, b, c = half.tolist()
    if kind is ShapeKind.PLANE:
        return PLANE_RADIUS
    if kind is ShapeKind.SPHERE:
        return float(a)
    if kind is ShapeKind.CAPSULE:
        return float(c)
    return float(np.sqrt(a * a + c * c + (b * b if kind is ShapeKind.BOX else 0.0)))
