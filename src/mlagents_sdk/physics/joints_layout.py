"""The numbers of the joints of a training area, and which body hangs where.

What a program says to joints and reads from them stands in one row per area, a block per joint, beside the
rows of :mod:`mlagents_sdk.physics.layout`. What never changes stands in two tables with one line per
*link*: a dynamic body and how it is connected to its parent. Links are sorted so that parents come first.
Vectors and quaternions of the tables are in MuJoCo's frame.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlagents_sdk.physics.joints import LOCKED, Joint, JointKind, SceneJoint
from mlagents_sdk.physics.layout import rotation_to_mujoco, to_mujoco
from mlagents_sdk.physics.rotations import Quaternion, Vector, conjugate, multiply, rotate

if TYPE_CHECKING:
    from mlagents_sdk.physics.scene import Collider, Scene

# Columns of a joint, relative to its block. Angles are in radians here.
TARGET = 0  # 4, target rotation (x, y, z, w) in the frame of the joint
GOAL = 4  # 3, what that is about x, y and z, rad; m along x for sliders
GOAL_RATE = 7  # 3, rad/s or m/s
SPRING = 10  # N m/rad or N/m
DAMPER = 11  # N m s/rad or N s/m
MAX_FORCE = 12  # N m or N
ANGLE = 13  # 3, about x, y and z, rad; m for sliders
RATE = 16  # 3, rad/s or m/s
FORCE = 19  # 3, of the drive in the last step, N m or N
JOINT_WIDTH = 22

READ_ONLY = ANGLE
"""From this column on, numbers are results."""

# Columns of the integer table of links, int64 (links, 13).
LINK_BODY = 0  # index of the body
LINK_PARENT = 1  # index of the parent's body; -1: the area
LINK_KIND = 2  # JointKind, or FREE
LINK_JOINT = 3  # index of the joint; -1: none
LINK_QPOS = 4  # first column in MuJoCo's qpos
LINK_DOF = 5  # first column in MuJoCo's qvel
LINK_COUNT = 6  # degrees of freedom
LINK_TREE = 7  # number of the tree of links
LINK_MUJOCO = 8  # MuJoCo's number of the body
LINK_AXES = 9  # 3, axis of each degree of freedom: 0 x, 1 y, 2 z
LINK_UPPER = 12  # link of the parent; -1 where that is not dynamic
LINK_WIDTH = 13

FREE = 5
"""Kind of a link without a joint; the others are those of :class:`JointKind`."""

# Columns of the float table of links (links, 25).
ANCHOR = 0  # 3, in the frame of the child, m
SOCKET = 3  # 3, the same point in the frame of the parent at the beginning, m
TURNED = 6  # 4, rotation of the child in the frame of the parent at the beginning, (w, x, y, z)
AXES = 10  # 9, the joint's x, y and z axes in the frame of the child
LOWEST = 19  # 3, limits, rad or m; infinite where there are none
HIGHEST = 22  # 3
GEOMETRY_WIDTH = 25

_SERIES = (0, 2, 1)
"""Order of the axes from the parent to the child: a twist about x, then a swing about z and y."""


class JointTable:
    """Joints of a scene as tables; MuJoCo's columns are filled in by who builds the model.

    Args:
        scene: the scene.

    Attributes:
        joints: of the scene, in order.
        links: int64 ``(links, 13)``, see the columns above.
        geometry: float64 ``(links, 25)``, ditto.
        parents: int64 ``(bodies,)``: body on which each body hangs, -1 for none.
        row: float64 ``(joints · 22,)``, the joints at the beginning.
    """

    def __init__(self, scene: Scene) -> None:
        self.joints: list[SceneJoint] = list(scene.joints.values())
        names = list(scene.colliders)
        prefabs = list(scene.colliders.values())
        of_child = {item.child: index for index, item in enumerate(self.joints)}
        self.parents = np.full(len(names), -1, np.int64)
        for item in self.joints:
            if item.parent is not None:
                self.parents[names.index(item.child)] = names.index(item.parent)
        ordered = sorted(
            (body for body, prefab in enumerate(prefabs) if prefab.motion.value == "dynamic"),
            key=self._depth,
        )
        self.links = np.zeros((len(ordered), LINK_WIDTH), np.int64)
        self.geometry = np.zeros((len(ordered), GEOMETRY_WIDTH))
        self.geometry[:, TURNED] = 1.0
        trees: dict[int, int] = {}
        for link, body in enumerate(ordered):
            parent = int(self.parents[body])
            tree = trees[body] = trees.get(parent, len(set(trees.values())))
            index = of_child.get(names[body], -1)
            self.links[link, :LINK_MUJOCO] = (body, parent, FREE, index, 0, 0, 6, tree)
            self.links[link, LINK_UPPER] = ordered.index(parent) if parent in ordered else -1
            if index >= 0:
                self._fill_link(link, self.joints[index].joint, prefabs[body], scene, parent)
        self.row = np.zeros(len(self.joints) * JOINT_WIDTH)
        for index, item in enumerate(self.joints):
            block = self.row[JOINT_WIDTH * index :][:JOINT_WIDTH]
            block[TARGET + 3] = 1.0
            if item.joint.drive is not None:
                drive = item.joint.drive
                block[[SPRING, DAMPER, MAX_FORCE]] = (drive.spring, drive.damper, drive.max_force)

    def _depth(self, body: int) -> int:
        depth = 0
        while self.parents[body] >= 0:
            body = int(self.parents[body])
            depth += 1
        return depth

    def _fill_link(self, link: int, joint: Joint, child: Collider, scene: Scene, parent: int) -> None:
        free = joint.free_axes
        kind = joint.kind
        if not free:
            kind = JointKind.FIXED
        ints, floats = self.links[link], self.geometry[link]
        ints[LINK_KIND] = kind
        ints[LINK_COUNT] = len(free)
        series = [axis for axis in _SERIES if axis in free]
        ints[LINK_AXES : LINK_AXES + len(series)] = series
        position, rotation = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
        if parent >= 0:
            holder = list(scene.colliders.values())[parent]
            position, rotation = holder.position, holder.rotation
        turned, socket = _seen_from(position, rotation, child, joint.anchor)
        floats[ANCHOR : ANCHOR + 3] = to_mujoco(joint.anchor)
        floats[SOCKET : SOCKET + 3] = to_mujoco(socket)
        floats[TURNED : TURNED + 4] = rotation_to_mujoco(turned)
        # A rotation of the child changes its sign in MuJoCo's frame, one of the parent does not.
        sign = -1.0 if kind is JointKind.HINGE else 1.0
        for axis, direction in enumerate(joint.axes()):
            floats[AXES + 3 * axis : AXES + 3 * axis + 3] = [sign * x for x in to_mujoco(direction)]
        unit = 1.0 if kind is JointKind.SLIDER else math.pi / 180.0
        for axis, limits in enumerate(joint.limits):
            low, high = (-math.inf, math.inf) if limits is None else limits
            floats[LOWEST + axis], floats[HIGHEST + axis] = low * unit, high * unit


def angles_of(target: Quaternion) -> Vector:
    """Angles about x, y and z, rad, that make up a rotation as configurable joints do: y, then z, then x."""
    x, y, z, w = target
    sine = min(1.0, max(-1.0, 2.0 * (x * y + w * z)))
    about_x = math.atan2(2.0 * (w * x - y * z), 1.0 - 2.0 * (x * x + z * z))
    about_y = math.atan2(2.0 * (w * y - x * z), 1.0 - 2.0 * (y * y + z * z))
    return (about_x, about_y, math.asin(sine))


def is_limited(joint: Joint, axis: int) -> bool:
    """Whether a free axis has limits."""
    limits = joint.limits[axis]
    return limits is not None and limits != LOCKED


def _seen_from(
    position: Vector, rotation: Quaternion, child: Collider, anchor: Vector
) -> tuple[Quaternion, Vector]:
    """Rotation and anchor of a child in the frame of its parent."""
    back = conjugate(rotation)
    ax, ay, az = rotate(child.rotation, anchor)
    cx, cy, cz = child.position
    x, y, z = position
    return multiply(back, child.rotation), rotate(back, (cx + ax - x, cy + ay - y, cz + az - z))
