"""Free and scripted bodies in scenes with joints, and what is refused."""

from __future__ import annotations

import math

import pytest

from mlagents_sdk import AgentsError
from mlagents_sdk.physics import (
    Drive,
    ForceMode,
    Freeze,
    Joint,
    JointHandle,
    Motion,
    PhysicsMaterial,
    PhysicsWorld,
    Scene,
    Shape,
    TrainingArea,
)
from mlagents_sdk.physics.rotations import Vector, yaw_rotation


def _on_floor(
    material: PhysicsMaterial | None = None, gravity: Vector = (0.0, -10.0, 0.0), freeze: Freeze = Freeze.NONE
) -> TrainingArea:
    """A pendulum, which makes the scene MuJoCo's, and a free box on a floor."""
    surface = material or PhysicsMaterial()
    scene = Scene(gravity=gravity)
    scene.add_box("floor", (50.0, 1.0, 50.0), (0.0, -0.5, 0.0), material=surface)
    scene.add_box("box", (1.0, 1.0, 1.0), (0.0, 0.5, 0.0), motion=Motion.DYNAMIC, mass=3.0,
                  material=surface, freeze=freeze)  # fmt: skip
    scene.add_box("door", (1.0, 1.0, 0.2), (0.0, 1.0, 5.0), motion=Motion.SCRIPTED)
    scene.add_sphere("bob", 0.2, (9.0, 5.0, 9.0), motion=Motion.DYNAMIC)
    scene.add_joint("rope", Joint.ball((0.0, 1.0, 0.0)), "bob")
    return PhysicsWorld(scene, 1).areas[0]


def test_free_bodies_slide_with_the_friction_of_the_materials() -> None:
    area = _on_floor(PhysicsMaterial(0.3, 0.3))
    box = area.body("box")
    for _ in range(25):
        area.world.step()
    assert box.position == pytest.approx((0.0, 0.5, 0.0), abs=1e-3)
    box.velocity = (3.0, 0.0, 0.0)
    for _ in range(25):
        area.world.step()
    assert box.velocity[0] == pytest.approx(3.0 - 0.3 * 10.0 * 0.5, abs=0.1)
    box.set_material(PhysicsMaterial(0.0, 0.0))
    area.transform("floor").set_material(PhysicsMaterial(0.0, 0.0))
    before = box.velocity[0]
    for _ in range(25):
        area.world.step()
    assert box.velocity[0] == pytest.approx(before, abs=1e-3)


def test_what_sticks_on_a_slope_hardly_creeps() -> None:
    tilt = math.radians(20.0)
    area = _on_floor(PhysicsMaterial(0.6, 0.6), (10.0 * math.sin(tilt), -10.0 * math.cos(tilt), 0.0))
    for _ in range(250):
        area.world.step()
    assert abs(area.body("box").position[0]) < 0.02


def test_materials_bounce() -> None:
    area = _on_floor(PhysicsMaterial(bounciness=0.5))
    box = area.body("box")
    box.position = (0.0, 5.5, 0.0)  # falls 5 m
    highest, falling = 0.0, True
    for _ in range(150):
        area.world.step()
        falling = falling and box.velocity[1] <= 0.0
        highest = max(highest, 0.0 if falling else box.position[1] - 0.5)
    assert highest == pytest.approx(5.0 * 0.5**2, rel=0.15)


def test_frozen_axes_of_free_bodies_hold() -> None:
    area = _on_floor(freeze=Freeze.ROTATION | Freeze.POSITION_X)
    box = area.body("box")
    box.add_force((500.0, 0.0, 20.0), ForceMode.IMPULSE)
    box.add_torque((300.0, 300.0, 300.0), ForceMode.IMPULSE)
    for _ in range(20):
        area.world.step()
    assert box.position[0] == 0.0
    assert box.rotation == pytest.approx((0.0, 0.0, 0.0, 1.0), abs=1e-6)
    assert box.position[2] > 1.0
    box.rotation = yaw_rotation(90.0)  # a script still can
    area.world.step()
    assert box.rotation == pytest.approx(yaw_rotation(90.0), abs=1e-6)


def test_mass_size_and_gravity_of_one_area() -> None:
    world = PhysicsWorld(_on_floor().world.scene, 2)
    one, other = world.areas
    one.body("bob").mass = 7.0
    one.body("box").size = (2.0, 2.0, 2.0)
    one.body("box").position = (0.0, 3.0, 0.0)
    other.gravity = (0.0, -20.0, 0.0)
    other.body("box").position = (0.0, 9.0, 0.0)
    world.step()
    assert other.body("box").velocity[1] == pytest.approx(-20.0 * 0.02)
    one.body("bob").add_force((7.0, 0.0, 0.0), ForceMode.IMPULSE)
    other.body("bob").add_force((7.0, 0.0, 0.0), ForceMode.IMPULSE)
    world.step()
    # At the end of its rope its inertia about the pivot is m (1 + 0.4 0.2²).
    share = 1.0 / (1.0 + 0.4 * 0.2**2)
    assert one.body("bob").velocity[0] == pytest.approx(1.0 * share, rel=0.01)
    assert other.body("bob").velocity[0] == pytest.approx(7.0 * share, rel=0.01)
    for _ in range(150):
        world.step()
    assert one.body("box").position[1] == pytest.approx(1.0, abs=0.005)
    assert other.body("box").position[1] == pytest.approx(0.5, abs=0.005)


def test_scripted_bodies_push_and_vanish() -> None:
    area = _on_floor()
    door, box = area.transform("door"), area.body("box")
    for k in range(100):
        door.position = (0.0, 1.0, max(5.0 - 0.05 * k, 0.0))
        area.world.step()
    assert box.position[2] == pytest.approx(door.position[2] - 0.6, abs=0.05)
    door.enabled = False
    box.position, box.velocity = (0.0, 0.5, 2.0), (0.0, 0.0, -8.0)
    for _ in range(30):
        area.world.step()
    assert box.position[2] < -0.1


def test_disabled_bodies_and_their_trees_stand_still_and_touch_nothing() -> None:
    area = _on_floor()
    box, bob = area.body("box"), area.body("bob")
    bob.velocity = (1.016, 0.0, 0.0)  # 1 m/s of the swing to which its joint turns it
    area.world.step()
    start, x = bob.position, bob.velocity[0]
    area.transform("floor").enabled = False
    bob.enabled = False
    for _ in range(20):
        area.world.step()
    assert box.position[1] < 0.0
    assert bob.position == start
    assert bob.velocity[0] == x == pytest.approx(1.0, abs=0.01)
    area.transform("floor").enabled = True
    bob.enabled = True
    box.position, box.velocity = (0.0, 0.5, 0.0), (0.0, 0.0, 0.0)
    for _ in range(20):
        area.world.step()
    assert box.position[1] == pytest.approx(0.5, abs=0.005)
    frequency = math.sqrt(10.0 / 1.016)
    assert bob.position[0] == pytest.approx(9.0 + math.sin(0.42 * frequency) / frequency, abs=0.01)


def test_a_change_of_scale_keeps_the_velocity_of_the_centre_of_mass() -> None:
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    scene.add_body("club", (Shape.box((1.0, 1.0, 1.0), (2.0, 0.0, 0.0)),), motion=Motion.DYNAMIC)
    scene.add_sphere("bob", 0.2, (9.0, 5.0, 9.0), motion=Motion.DYNAMIC)
    scene.add_joint("rope", Joint.ball(), "bob")
    area = PhysicsWorld(scene, 1).areas[0]
    club = area.body("club")
    club.angular_velocity, club.velocity = (0.0, 1.0, 0.0), (0.0, 0.0, 0.3)
    area.world.step()
    club.scale = 2.0
    area.world.step()
    assert club.velocity == pytest.approx((0.0, 0.0, 0.3), abs=1e-6)
    assert club.angular_velocity == pytest.approx((0.0, 1.0, 0.0), abs=2e-3)


def test_a_joint_follows_a_scripted_parent() -> None:
    scene = Scene(timestep=0.01)
    scene.add_box("crane", (1.0, 1.0, 1.0), (0.0, 5.0, 0.0), motion=Motion.SCRIPTED)
    scene.add_sphere("load", 0.2, (0.0, 3.0, 0.0), motion=Motion.DYNAMIC, angular_drag=0.0)
    scene.add_joint("rope", Joint.ball((0.0, 2.0, 0.0)), "load", "crane")
    area = PhysicsWorld(scene, 1).areas[0]
    crane, load = area.transform("crane"), area.body("load")
    for k in range(100):
        crane.position = (0.01 * k, 5.0, 0.0)
        crane.rotation = yaw_rotation(3.0 * k)
        area.world.step()
        assert math.dist(crane.position, load.position) == pytest.approx(2.0, abs=1e-9)
    assert load.position[0] > 0.3


def _two() -> Scene:
    scene = Scene()
    scene.add_box("base", (1.0, 1.0, 1.0))
    scene.add_box("arm", (1.0, 1.0, 1.0), motion=Motion.DYNAMIC)
    scene.add_box("hand", (1.0, 1.0, 1.0), motion=Motion.DYNAMIC)
    scene.add_box("stiff", (1.0, 1.0, 1.0), motion=Motion.DYNAMIC, freeze=Freeze.ROTATION_X)
    return scene.add_joint("shoulder", Joint.hinge(), "arm", "base").add_joint(
        "wrist", Joint.fixed(), "hand", "arm"
    )


@pytest.mark.parametrize(
    ("name", "joint", "child", "parent", "message"),
    [
        ("wrist", Joint.hinge(), "stiff", None, "'wrist': the scene has a joint of this name"),
        ("j", Joint.hinge(), "foot", None, "no body 'foot'"),
        ("j", Joint.hinge(), "stiff", "foot", "no body 'foot'"),
        ("j", Joint.hinge(), "base", "arm", "'base' is not dynamic"),
        ("j", Joint.hinge(), "stiff", "arm", "'stiff' has frozen axes"),
        ("j", Joint.hinge(), "hand", "base", "'hand' hangs on 'arm' already"),
        ("j", Joint.hinge((0.0, 0.0, 0.0)), "stiff", None, "'stiff' has frozen axes"),
    ],
)
def test_impossible_joints_are_refused(
    name: str, joint: Joint, child: str, parent: str | None, message: str
) -> None:
    with pytest.raises(AgentsError, match=message):
        _two().add_joint(name, joint, child, parent)


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        (Joint.hinge((0.0, 0.0, 0.0)), "neither be zero nor parallel"),
        (
            Joint.configurable(axis=(0, 1, 0), secondary_axis=(0, 2, 0), x=None),
            "neither be zero nor parallel",
        ),
        (Joint.hinge(limits=(10.0, -10.0)), r"limits \(10.0, -10.0\) of x must rise"),
        (Joint.hinge(limits=(0.0, 270.0)), "within ±179"),
        (Joint.configurable(y=-3.0), r"limits \(3.0, -3.0\) of y"),
        (Joint.hinge(anchor=(math.nan, 0.0, 0.0)), "must be finite"),
        (Joint.hinge(drive=Drive(-1.0)), "may be negative"),
    ],
)
def test_impossible_numbers_of_joints_are_refused(joint: Joint, message: str) -> None:
    scene = Scene().add_sphere("ball", 1.0, motion=Motion.DYNAMIC)
    with pytest.raises(AgentsError, match=message):
        scene.add_joint("joint", joint, "ball")


def test_circles_are_refused() -> None:
    scene = Scene()
    for name in "abc":
        scene.add_sphere(name, 1.0, motion=Motion.DYNAMIC)
    scene.add_joint("ab", Joint.ball(), "b", "a").add_joint("bc", Joint.ball(), "c", "b")
    with pytest.raises(AgentsError, match="'a' and 'c' would hang in a circle"):
        scene.add_joint("ca", Joint.ball(), "a", "c")


def test_handles_name_what_is_missing() -> None:
    area = PhysicsWorld(_two(), 1).areas[0]
    assert isinstance(area.joint("wrist"), JointHandle)
    assert area.joint("wrist").parent is area.transform("arm")
    assert area.joint("wrist").child is area.body("hand")
    assert repr(area.joint("wrist")) == "JointHandle('wrist', area 0)"
    with pytest.raises(AgentsError, match="no joint 'elbow'; it has shoulder, wrist"):
        area.joint("elbow")
    with pytest.raises(AgentsError, match="'shoulder' has no drive"):
        area.joint("shoulder").set_target_angles(10.0)
    with pytest.raises(AgentsError, match="'shoulder' has no drive"):
        area.joint("shoulder").strength = 0.5
    scene = Scene().add_sphere("ball", 1.0, motion=Motion.DYNAMIC)
    scene.add_joint("rail", Joint.slider(drive=Drive(1.0, 1.0)), "ball")
    scene.add_sphere("limp", 1.0, motion=Motion.DYNAMIC)
    scene.add_joint("limp", Joint.hinge(drive=Drive(1.0, 1.0, 0.0)), "limp")
    assert PhysicsWorld(scene, 1).areas[0].joint("limp").strength == 0.0
    rail = PhysicsWorld(scene, 1).areas[0].joint("rail")
    with pytest.raises(AgentsError, match="'rail' is driven by its target_position"):
        rail.set_target_angles(10.0)
    with pytest.raises(AgentsError, match="no max_force"):
        rail.strength = 0.5
    with pytest.raises(AgentsError, match="lie in 0 to 1"):
        rail.strength = 1.5
    with pytest.raises(AgentsError, match="spring is -1"):
        rail.spring = -1.0
    with pytest.raises(AgentsError, match="no joint 'x'; it has none"):
        PhysicsWorld(Scene().add_sphere("ball", 1.0), 1).areas[0].joint("x")
