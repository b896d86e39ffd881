"""Rigid-body physics for training areas: MuJoCo behind handles that speak the original's frame.

Declare a :class:`Scene`, make a :class:`PhysicsWorld` with as many copies as wanted, and work with the
handles of its areas::

    scene = Scene()
    scene.add_box("floor", size=(10, 1, 10), position=(0, -0.5, 0))
    scene.add_sphere("ball", radius=0.5, position=(0, 3, 0), motion=Motion.DYNAMIC)
    world = PhysicsWorld(scene, num_areas=12)
    ball = world.areas[0].body("ball")
    ball.add_force((1.0, 0.0, 0.0), ForceMode.VELOCITY_CHANGE)
    diverged = world.step()

Bodies can hang together by joints, driven or not (:mod:`mlagents_sdk.physics.joints`)::

    scene.add_capsule("leg", radius=0.1, height=1.0, position=(0, 2, 0), motion=Motion.DYNAMIC)
    drive = Drive(spring=400, damper=20, max_force=100)
    hip = Joint.hinge(anchor=(0, 0.5, 0), limits=(-60, 60), drive=drive)
    scene.add_joint("hip", hip, child="leg", parent="ball")
    area.joint("hip").set_target_angles(30)
"""

from __future__ import annotations

from mlagents_sdk.physics.appearance import Color, Lighting
from mlagents_sdk.physics.area import ALL_LAYERS, RayHit, TrainingArea
from mlagents_sdk.physics.body import Body, ForceMode, Transform
from mlagents_sdk.physics.joints import Drive, Joint
from mlagents_sdk.physics.joints_handle import JointHandle
from mlagents_sdk.physics.materials import Combine, PhysicsMaterial
from mlagents_sdk.physics.rendering import Camera
from mlagents_sdk.physics.rotations import Quaternion, Vector
from mlagents_sdk.physics.scene import Freeze, Motion, Scene
from mlagents_sdk.physics.shapes import Shape
from mlagents_sdk.physics.touching import Contact
from mlagents_sdk.physics.world import PhysicsWorld

__all__ = [
    "ALL_LAYERS",
    "Body",
    "Camera",
    "Color",
    "Combine",
    "Contact",
    "Drive",
    "ForceMode",
    "Freeze",
    "Joint",
    "JointHandle",
    "Lighting",
    "Motion",
    "PhysicsMaterial",
    "PhysicsWorld",
    "Quaternion",
    "RayHit",
    "Scene",
    "Shape",
    "TrainingArea",
    "Transform",
    "Vector",
]
