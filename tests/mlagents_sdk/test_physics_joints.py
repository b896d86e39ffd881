"""Joints against closed forms: pendulums, drives, limits, momentum, frames."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlagents_sdk.physics import Body, Drive, ForceMode, Joint, Motion, PhysicsWorld, Scene, TrainingArea
from mlagents_sdk.physics.rotations import (
    IDENTITY,
    Quaternion,
    Vector,
    conjugate,
    euler_rotation,
    multiply,
    rotate,
    turned_about_y,
    turned_about_z,
    yaw_rotation,
)

G = 9.81
NO_GRAVITY = (0.0, 0.0, 0.0)


def lever(joint: Joint, timestep: float = 0.005, gravity: Vector = NO_GRAVITY) -> TrainingArea:
    """A box of 2 kg, 1 m long along z, that hangs on the area by a joint at its centre."""
    scene = Scene(timestep=timestep, gravity=gravity)
    scene.add_box("lever", (0.2, 0.2, 1.0), motion=Motion.DYNAMIC, mass=2.0, angular_drag=0.0)
    scene.add_joint("joint", joint, "lever")
    area = PhysicsWorld(scene, 1).areas[0]
    area.body("lever").max_angular_speed = 1000.0
    return area


def moment_of_inertia(width: float, length: float, mass: float) -> float:
    return mass * (width**2 + length**2) / 12.0


def step(area: TrainingArea, count: int = 1) -> None:
    for _ in range(count):
        assert area.world.step() == []


def same_rotation(a: Quaternion, b: Quaternion) -> float:
    """1 for equal rotations, up to the sign of the quaternion."""
    return abs(sum(x * y for x, y in zip(a, b, strict=True)))


def test_a_pendulum_swings_with_its_period() -> None:
    scene = Scene(timestep=0.002)
    scene.add_sphere("bob", 0.1, (0.0, -1.0, 0.0), motion=Motion.DYNAMIC, mass=3.0, angular_drag=0.0)
    scene.add_joint("pivot", Joint.hinge((0.0, 0.0, 1.0), anchor=(0.0, 1.0, 0.0)), "bob")
    area = PhysicsWorld(scene, 1).areas[0]
    area.body("bob").rotation = turned_about_z(IDENTITY, 5.0)
    angles = []
    for _ in range(2500):
        step(area)
        angles.append(area.joint("pivot").angles[0])
    falls = [k for k in range(1, 2500) if angles[k - 1] > 0.0 >= angles[k]]
    length = 1.0 + 0.4 * 0.1**2  # of the mathematical pendulum with the same period
    period = 2.0 * math.pi * math.sqrt(length / G) * (1.0 + math.radians(5.0) ** 2 / 16.0)
    assert (falls[-1] - falls[0]) * 0.002 / (len(falls) - 1) == pytest.approx(period, abs=0.003)
    assert max(angles) == pytest.approx(5.0, abs=0.01)
    assert min(angles) == pytest.approx(-5.0, abs=0.01)


def _drive_answers(spring: float, damper: float, target: float, timestep: float) -> np.ndarray:
    """Angle every 0.05 s after the target jumped, rad."""
    area = lever(Joint.hinge((0.0, 1.0, 0.0), drive=Drive(spring, damper)), timestep)
    joint = area.joint("joint")
    joint.set_target_angles(math.degrees(target))
    angles = []
    for _ in range(16):
        step(area, round(0.05 / timestep))
        angles.append(math.radians(joint.angles[0]))
    return np.array(angles)


@pytest.mark.parametrize(("spring", "damper"), [(60.0, 1.0), (60.0, 12.0), (200.0, 0.5)])
def test_a_drive_answers_as_a_spring_and_a_damper(spring: float, damper: float) -> None:
    """The solution of I q'' = k (q* - q) - d q', which backward Euler reaches to first order."""
    target = 0.5
    inertia = moment_of_inertia(0.2, 1.0, 2.0)
    decay = damper / (2.0 * inertia)
    root = np.sqrt(complex(decay**2 - spring / inertia))
    time = 0.05 * np.arange(1, 17)
    swing = (np.cosh(root * time) + decay / root * np.sinh(root * time)).real
    exact = target * (1.0 - np.exp(-decay * time) * swing)
    coarse, fine = (_drive_answers(spring, damper, target, timestep) for timestep in (0.001, 0.0005))
    np.testing.assert_allclose(fine, exact, atol=0.12 * target)
    np.testing.assert_allclose(2.0 * fine - coarse, exact, atol=0.012 * target)


def test_a_drive_gives_no_more_than_its_strength_allows() -> None:
    area = lever(Joint.hinge((0.0, 1.0, 0.0), drive=Drive(5000.0, 10.0, max_force=8.0)))
    joint = area.joint("joint")
    joint.set_target_angles(90.0)
    inertia = moment_of_inertia(0.2, 1.0, 2.0)
    assert joint.strength == 1.0
    step(area)
    assert joint.current_torque == pytest.approx((8.0, 0.0, 0.0))
    assert joint.rates[0] == pytest.approx(8.0 * 0.005 / inertia)
    joint.strength = 0.25
    assert joint.max_force == 2.0
    step(area)
    assert joint.current_torque[0] == pytest.approx(2.0)
    assert joint.rates[0] == pytest.approx(10.0 * 0.005 / inertia)
    joint.strength = 0.0
    step(area)
    assert joint.current_torque == (0.0, 0.0, 0.0)
    assert joint.rates[0] == pytest.approx(10.0 * 0.005 / inertia)


def test_the_stiffest_drive_does_not_overshoot() -> None:
    area = lever(Joint.hinge((0.0, 1.0, 0.0), drive=Drive(40000.0, 5000.0, 20000.0)), 1.0 / 75.0)
    joint = area.joint("joint")
    joint.set_target_angles(60.0)
    before = 0.0
    for _ in range(150):
        step(area)
        assert before <= joint.angles[0] <= 60.0 + 1e-9
        before = joint.angles[0]
    # Nearly without inertia it closes in by k / d = 8 per second.
    assert joint.angles[0] == pytest.approx(60.0, abs=1e-3)
    assert joint.rates[0] == pytest.approx(0.0, abs=1e-3)


def test_a_drive_with_a_damper_only_is_a_motor() -> None:
    area = lever(Joint.hinge((0.0, 1.0, 0.0), drive=Drive(damper=5.0)))
    joint = area.joint("joint")
    joint.target_velocity = (3.0, 0.0, 0.0)
    step(area, 200)
    assert joint.rates[0] == pytest.approx(3.0, rel=1e-3)
    assert area.body("lever").angular_velocity == pytest.approx((0.0, 3.0, 0.0), rel=1e-3)


def test_a_free_hinge_takes_the_shorter_way() -> None:
    area = lever(Joint.hinge((0.0, 1.0, 0.0), drive=Drive(100.0, 20.0)))
    joint = area.joint("joint")
    area.body("lever").rotation = yaw_rotation(170.0)
    joint.set_target_angles(-170.0)
    step(area, 5)
    assert joint.rates[0] > 0.0
    step(area, 500)
    assert same_rotation(area.body("lever").rotation, yaw_rotation(190.0)) == pytest.approx(1.0, abs=1e-6)


def test_angles_of_a_hinge_are_those_of_the_child_and_left_handed() -> None:
    area = lever(Joint.hinge((0.0, 1.0, 0.0)))
    body, joint = area.body("lever"), area.joint("joint")
    body.angular_velocity = (0.0, 2.0, 0.0)
    step(area, 50)
    assert joint.angles[0] == pytest.approx(math.degrees(2.0 * 0.25), rel=1e-9)
    assert joint.rates == pytest.approx((2.0, 0.0, 0.0))
    assert same_rotation(body.rotation, turned_about_y(IDENTITY, joint.angles[0])) == pytest.approx(1.0)
    assert body.forward[0] > 0.0  # a turn to the right


def test_angles_of_a_configurable_joint_are_those_of_the_parent() -> None:
    drive = Drive(500.0, 100.0)
    area = lever(
        Joint.configurable(axis=(0.0, 1.0, 0.0), secondary_axis=(0.0, 0.0, 1.0), x=None, drive=drive)
    )
    area.joint("joint").set_target_angles(40.0)
    step(area, 400)
    assert area.joint("joint").angles == pytest.approx((40.0, 0.0, 0.0), abs=0.01)
    assert same_rotation(area.body("lever").rotation, yaw_rotation(-40.0)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("angles", [(30.0, 20.0, -15.0), (-70.0, 25.0, 40.0), (100.0, -35.0, 10.0)])
def test_the_child_turns_opposite_to_the_target_in_the_frame_of_the_joint(angles: Vector) -> None:
    start = euler_rotation(25.0, -60.0, 40.0)
    scene = Scene(timestep=0.01, gravity=NO_GRAVITY)
    scene.add_box("base", (1.0, 1.0, 1.0), rotation=euler_rotation(10.0, 20.0, 30.0))
    scene.add_box("limb", (0.2, 0.2, 1.0), (0.0, 2.0, 0.0), start, motion=Motion.DYNAMIC)
    # The axes of this joint are those of the limb, turned by `frame`.
    frame = euler_rotation(80.0, 15.0, -50.0)
    joint = Joint.configurable(
        axis=rotate(frame, (1.0, 0.0, 0.0)),
        secondary_axis=rotate(frame, (0.0, 1.0, 0.0)),
        x=None,
        y=None,
        z=None,
        drive=Drive(300.0, 60.0),
    )
    scene.add_joint("joint", joint, "limb", "base")
    area = PhysicsWorld(scene, 1).areas[0]
    target = euler_rotation(*angles)
    area.joint("joint").target_rotation = target
    step(area, 400)
    in_joint = multiply(multiply(conjugate(frame), conjugate(start)), area.body("limb").rotation)
    in_joint = multiply(in_joint, frame)
    assert same_rotation(in_joint, conjugate(target)) == pytest.approx(1.0, abs=1e-6)
    assert area.body("limb").position == pytest.approx((0.0, 2.0, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    ("drive", "mass"), [(Drive(1000.0, 50.0, 500.0), 5.0), (Drive(40000.0, 5000.0, 20000.0), 0.1)]
)
def test_limits_hold_against_drive_and_weight(drive: Drive, mass: float) -> None:
    scene = Scene(timestep=0.02)
    scene.add_box("arm", (0.2, 0.2, 1.0), (0.0, 0.0, 0.5), motion=Motion.DYNAMIC, mass=mass)
    joint = Joint.configurable((0.0, 0.0, -0.5), x=(-20.0, 50.0), y=30.0, drive=drive)
    scene.add_joint("joint", joint, "arm")
    area = PhysicsWorld(scene, 1).areas[0]
    handle = area.joint("joint")
    lowest, highest = np.full(3, np.inf), np.full(3, -np.inf)
    for k in range(600):
        if k % 50 == 0:
            handle.set_target_angles(170.0 * (-1.0) ** (k // 50), 90.0 * (-1.0) ** (k // 100))
        if k == 400:
            handle.strength = 0.0
        step(area)
        lowest = np.minimum(lowest, handle.angles)
        highest = np.maximum(highest, handle.angles)
    assert lowest == pytest.approx((-20.0, -30.0, 0.0), abs=1.0)
    assert highest == pytest.approx((50.0, 30.0, 0.0), abs=1.0)
    assert min(abs(handle.angles[0] + 20.0), abs(handle.angles[0] - 50.0)) < 1.0  # limp, it hangs in a limit


def _creature(gravity: Vector = NO_GRAVITY) -> Scene:
    scene = Scene(timestep=0.01, gravity=gravity)
    plain = {"motion": Motion.DYNAMIC, "angular_drag": 0.0}
    drive = Drive(200.0, 10.0, 50.0)
    scene.add_box("trunk", (0.5, 0.3, 0.8), mass=4.0, **plain)
    scene.add_capsule("thigh", 0.1, 0.6, (0.3, -0.4, 0.0), mass=2.0, **plain)
    scene.add_capsule("shin", 0.08, 0.6, (0.3, -1.0, 0.1), euler_rotation(20.0, 10.0), mass=1.0, **plain)
    scene.add_sphere("tail", 0.2, (0.0, 0.0, -1.0), mass=1.5, **plain)
    scene.add_box("hand", (0.3, 0.3, 0.3), (-1.0, 0.0, 0.0), mass=1.0, **plain)
    scene.add_sphere("nose", 0.1, (0.0, 0.0, 0.6), mass=0.5, **plain)
    hip = Joint.configurable((0.0, 0.3, 0.0), x=(-90.0, 60.0), y=40.0, z=20.0, drive=drive)
    scene.add_joint("hip", hip, "thigh", "trunk")
    scene.add_joint(
        "knee", Joint.hinge((1.0, 0.0, 0.0), (0.0, 0.3, 0.0), (-150.0, 20.0), drive), "shin", "thigh"
    )
    scene.add_joint("tail", Joint.ball((0.0, 0.0, 0.5)), "tail", "trunk")
    scene.add_joint("hand", Joint.slider((1.0, 0.0, 0.0), (-0.3, 0.3), drive), "hand", "trunk")
    scene.add_joint("nose", Joint.fixed(), "nose", "trunk")
    return scene


def creature(gravity: Vector = NO_GRAVITY) -> TrainingArea:
    area = PhysicsWorld(_creature(gravity), 1).areas[0]
    for body in area.transforms:
        area.body(body.name).max_angular_speed = 1000.0
    return area


def _momenta(area: TrainingArea) -> tuple[np.ndarray, np.ndarray]:
    linear, angular = np.zeros(3), np.zeros(3)
    for body in area.transforms:
        assert isinstance(body, Body)
        velocity = np.array(body.velocity)
        linear += body.mass * velocity
        # A unit torque about each axis shows the inverse inertia.
        inverse = np.array(
            [area.world.inverse_inertia(0, body.body_index, axis) for axis in np.eye(3).tolist()]
        )
        angular += body.mass * np.cross(body.position, velocity)
        angular += np.linalg.solve(inverse.T, np.array(body.angular_velocity))
    return linear, angular


def test_momentum_is_conserved_while_drives_work() -> None:
    area = creature()
    area.body("trunk").velocity, area.body("trunk").angular_velocity = (0.4, 0.0, 0.1), (0.2, 0.5, -0.3)
    step(area)
    linear, angular = _momenta(area)
    assert abs(linear[0]) > 1.0
    moved = 0.0
    for k in range(400):
        if k % 40 == 0:
            area.joint("hip").set_target_angles(50.0 * math.sin(k), 30.0 * math.cos(k), 10.0)
            area.joint("knee").set_target_angles(-60.0 + 50.0 * math.cos(3.0 * k))
            area.joint("hand").target_position = 0.2 * math.sin(k)
        step(area)
        moved = max(moved, abs(area.joint("knee").angles[0]))
        now = _momenta(area)
        assert now[0] == pytest.approx(linear, abs=1e-10)
        assert now[1] == pytest.approx(angular, abs=1e-10)
    assert moved > 50.0


def test_limits_of_speed_throw_nothing_around() -> None:
    """Slowing limbs down must not push the creature, or it would fly off in the end."""
    area = creature()
    for body in area.transforms:
        area.body(body.name).max_angular_speed = 4.0
    linear, _ = _momenta(area)
    random = np.random.default_rng(0)
    slowed = 0
    for k in range(300):
        if k % 5 == 0:
            area.joint("hip").set_target_angles(*random.uniform((-90, -40, -20), (60, 40, 20)))
            area.joint("knee").set_target_angles(random.uniform(-150, 20))
        step(area)
        assert _momenta(area)[0] == pytest.approx(linear, abs=1e-9)
        spins = [math.hypot(*area.body(body.name).angular_velocity) for body in area.transforms]
        assert spins[0] < 4.0 + 1e-9
        slowed += max(spins) > 3.99
        assert max(spins) < 6.0
    assert slowed > 50


def test_what_bodies_say_fits_together() -> None:
    """Velocities are how poses change, and joints stay together, with every kind of joint."""
    area = creature((0.0, -3.0, 0.0))
    area.body("trunk").angular_velocity = (1.0, 0.5, -0.7)
    area.body("tail").angular_velocity = (2.0, -1.0, 3.0)
    area.joint("hand").target_position = 0.2
    area.joint("hip").set_target_angles(40.0, -20.0, 10.0)
    area.joint("knee").set_target_angles(-40.0)
    step(area, 20)
    for _ in range(30):
        before = [(body.position, body.rotation) for body in area.transforms]
        step(area)
        for body, (position, rotation) in zip(area.transforms, before, strict=True):
            assert isinstance(body, Body)
            moved = (np.array(body.position) - position) / 0.01
            assert moved == pytest.approx(body.velocity, abs=0.15), body
            x, y, z, w = multiply(body.rotation, conjugate(rotation))
            turned = 2.0 * math.copysign(1.0, w) / 0.01 * np.array([x, y, z])
            assert turned == pytest.approx(body.angular_velocity, abs=0.6), body
    for name in ("hip", "knee", "tail"):
        joint = area.joint(name)
        assert joint.parent is not None
        ends = []
        for body, anchor in ((joint.child, joint.joint.anchor), (joint.parent, None)):
            if anchor is None:
                child = area.world.scene.colliders[joint.child.name]
                anchor = rotate(child.rotation, joint.joint.anchor)
                start = area.world.scene.colliders[body.name]
                anchor = tuple(
                    a + b - c for a, b, c in zip(anchor, child.position, start.position, strict=True)
                )
                anchor = rotate(conjugate(start.rotation), anchor)
            ends.append(np.array(body.position) + rotate(body.rotation, anchor))
        assert ends[0] == pytest.approx(ends[1], abs=1e-9)
    nose, trunk = area.body("nose"), area.body("trunk")
    assert nose.rotation == pytest.approx(trunk.rotation)
    assert trunk.to_local(tuple(np.subtract(nose.position, trunk.position))) == pytest.approx((0, 0, 0.6))
    hand = area.body("hand")
    along = trunk.to_local(tuple(np.subtract(hand.position, trunk.position)))
    assert along == pytest.approx((-1.0 + area.joint("hand").position, 0.0, 0.0), abs=1e-9)
    assert area.joint("hand").position > 0.05


def test_setting_and_reading_bodies_of_a_tree() -> None:
    """What a program writes becomes joint angles and comes back as it was, if the joints allow it."""
    source, copy = creature(), creature()
    source.joint("hip").set_target_angles(-40.0, 25.0, 12.0)
    source.joint("hand").target_position = -0.2
    source.joint("knee").set_target_angles(-70.0)
    source.body("tail").angular_velocity = (1.0, -2.0, 0.5)
    source.body("trunk").angular_velocity = (0.5, 1.0, -1.0)
    step(source, 30)
    for mine, theirs in zip(copy.transforms, source.transforms, strict=True):
        assert isinstance(mine, Body)
        assert isinstance(theirs, Body)
        mine.position, mine.rotation = theirs.position, theirs.rotation
        mine.velocity, mine.angular_velocity = theirs.velocity, theirs.angular_velocity
    for area in (copy, source):
        for name in ("hip", "knee", "hand"):
            area.joint(name).strength = 0.0
        step(area)
    for name, joint in source.joints.items():
        assert copy.joint(name).angles == pytest.approx(joint.angles, abs=1e-7), name
        assert copy.joint(name).rates == pytest.approx(joint.rates, abs=1e-7), name
    np.testing.assert_allclose(copy.world.rows, source.world.rows, atol=1e-8)


def test_a_hanging_chain_comes_to_rest_straight() -> None:
    scene = Scene(timestep=0.01)
    links = 6
    for k in range(links):
        scene.add_capsule(
            f"link {k}", 0.05, 0.5, (0.25 + 0.5 * k, 0.0, 0.0), turned_about_z(IDENTITY, 90.0),
            motion=Motion.DYNAMIC, angular_drag=2.0, drag=0.5,
        )  # fmt: skip
        parent = f"link {k - 1}" if k else None
        scene.add_joint(f"joint {k}", Joint.ball((0.0, 0.25, 0.0)), f"link {k}", parent)
    area = PhysicsWorld(scene, 1).areas[0]
    bodies = [area.body(f"link {k}") for k in range(links)]

    def energy() -> float:
        return sum(G * b.position[1] + 0.5 * sum(v * v for v in b.velocity) for b in bodies)

    assert energy() == 0.0
    before = 0.0
    for _ in range(40):
        step(area, 50)
        assert energy() <= before + 0.05
        before = energy()
    lowest = -G * sum(0.25 + 0.5 * k for k in range(links))
    assert energy() == pytest.approx(lowest, rel=1e-3)
    assert bodies[-1].position == pytest.approx((0.0, -2.75, 0.0), abs=0.05)


def test_a_slider_moves_along_its_axis_within_its_limits() -> None:
    scene = Scene(timestep=0.01, gravity=NO_GRAVITY)
    scene.add_box(
        "cart", (1.0, 1.0, 1.0), (0.0, 1.0, 0.0), yaw_rotation(90.0), motion=Motion.DYNAMIC, mass=2.0
    )
    joint = Joint.slider((0.0, 0.0, 1.0), (-1.0, 2.0), Drive(50.0, 20.0, 30.0))
    scene.add_joint("rail", joint, "cart")
    area = PhysicsWorld(scene, 1).areas[0]
    rail, cart = area.joint("rail"), area.body("cart")
    rail.target_position = 0.5
    step(area)
    # (m + h/2 (d + h k)) v' = m v + h/2 k e, once for each half of the step h.
    half, mass, speed, place = 0.005, 2.0, 0.0, 0.0
    for _ in range(2):
        speed = (mass * speed + half * 50.0 * (0.5 - place)) / (mass + half * (20.0 + 0.01 * 50.0))
        place += half * speed
    assert (rail.position, rail.speed) == pytest.approx((place, speed), rel=1e-9)
    start = place - half * speed
    assert rail.current_force == pytest.approx(50.0 * (0.5 - start) - (20.0 + 0.5) * speed, rel=1e-6)
    step(area, 500)
    assert cart.position == pytest.approx((0.5, 1.0, 0.0), abs=1e-4)
    rail.target_position = 9.0
    step(area, 500)
    assert rail.position == pytest.approx(2.0, abs=0.01)
    cart.add_force((-500.0, 300.0, 300.0), ForceMode.FORCE)
    step(area)
    assert cart.position[1:] == pytest.approx((1.0, 0.0), abs=1e-12)
    assert rail.speed < -1.0


def test_forces_and_drag_act_on_the_bodies_of_a_tree() -> None:
    area = lever(Joint.ball(), timestep=0.01)
    body = area.body("lever")
    inertia = moment_of_inertia(0.2, 1.0, 2.0)
    body.add_torque((0.0, 3.0, 0.0))
    step(area)
    assert body.angular_velocity == pytest.approx((0.0, 3.0 * 0.01 / inertia, 0.0), rel=1e-9)
    body.angular_drag = 2.0
    step(area)
    assert body.angular_velocity[1] == pytest.approx(3.0 * 0.01 / inertia * (1.0 - 0.02), rel=1e-9)
    body.angular_drag, body.angular_velocity = 0.0, (0.0, 60.0, 0.0)
    body.max_angular_speed = 50.0
    step(area)
    assert body.angular_velocity == pytest.approx((0.0, 50.0, 0.0))
