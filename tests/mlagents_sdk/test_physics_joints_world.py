"""A crawler: contacts, callbacks, casts, states, areas."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from mlagents_sdk.physics import (
    Body,
    Contact,
    Drive,
    ForceMode,
    Joint,
    Motion,
    PhysicsWorld,
    Scene,
    TrainingArea,
)
from mlagents_sdk.physics.rotations import (
    euler_rotation,
    multiply,
    rotate,
    yaw_rotation,
)

DRIVE = Drive(40000.0, 5000.0, 20000.0)


def crawler(drive: Drive | None = DRIVE, height: float = 2.506) -> Scene:
    """A sphere with four legs of two capsules, on a platform, and a cube."""
    scene = Scene(timestep=1.0 / 75.0, gravity=(0.0, -14.715, 0.0))
    scene.add_box("ground", (100.0, 1.0, 100.0), tag="ground")
    plain = {"motion": Motion.DYNAMIC, "drag": 0.05, "angular_drag": 0.05, "tag": "agent"}
    body = (0.0, height + 0.15, 0.0)
    scene.add_sphere("body", 0.5, body, mass=20.0, **plain)
    for leg, yaw in enumerate((135.0, 225.0, 315.0, 45.0)):
        turn = multiply(yaw_rotation(yaw + 180.0), euler_rotation(-90.0))  # own y outwards, own z up
        for name, mass, length, reach in ((f"leg{leg}", 2.0, 0.95, 0.9), (f"foreleg{leg}", 1.0, 1.5, 1.98)):
            x, y, z = rotate(yaw_rotation(yaw), (0.0, -0.15, reach))
            place = (body[0] + x, body[1] + y, body[2] + z)
            scene.add_capsule(name, 0.15, length, place, turn, mass=mass, **plain)
        hip = Joint.configurable((0.0, -0.5, 0.0), (1, 0, 0), (0, 0, -1), x=(-60.0, 0.0), y=20.0, drive=drive)
        knee = Joint.configurable((0.0, -0.75, 0.0), (1, 0, 0), (0, 0, -1), x=(0.0, 150.0), drive=drive)
        scene.add_joint(f"hip{leg}", hip, f"leg{leg}", "body")
        scene.add_joint(f"knee{leg}", knee, f"foreleg{leg}", f"leg{leg}")
    scene.add_box("cube", (1.0, 1.0, 1.0), (4.0, 1.0, 4.0), motion=Motion.DYNAMIC, tag="target")
    return scene


def crawler_world(areas: int = 1, **scene: float | None) -> PhysicsWorld:
    world = PhysicsWorld(crawler(**scene), areas)
    for area in world.areas:
        for body in area.transforms:
            if isinstance(body, Body):
                body.max_angular_speed = 50.0
    return world


def act(area: TrainingArea, random: np.random.Generator) -> None:
    for joint in area.joints.values():
        x, y, _ = joint.limits
        assert x is not None
        assert y is not None
        joint.set_target_angles(random.uniform(*x), random.uniform(*y))
        joint.strength = random.uniform()


def wander(world: PhysicsWorld, steps: int, seed: int = 0) -> list[list[int]]:
    """Random targets and strengths every fifth step."""
    random = [np.random.default_rng([seed, area.index]) for area in world.areas]
    diverged = []
    for step in range(steps):
        if step % 5 == 0:
            for area in world.areas:
                act(area, random[area.index])
        diverged.append(world.step())
    return diverged


def depth(area: TrainingArea) -> float:
    """How deep the deepest limb is below the ground, metres."""
    lowest = area.body("body").position[1] - 0.5
    for leg in range(4):
        for name, half in ((f"leg{leg}", 0.325), (f"foreleg{leg}", 0.6)):
            body = area.body(name)
            lowest = min(lowest, body.position[1] - half * abs(body.up[1]) - 0.15)
    return 0.5 - lowest


def test_ten_thousand_random_steps_of_a_crawler() -> None:
    world = crawler_world()
    area = world.areas[0]
    random = np.random.default_rng(1)
    deepest, fastest, ranges = [], 0.0, np.array([[180.0, -180.0]] * 8)
    for step in range(10_000):
        if step % 5 == 0:
            act(area, random)
        assert world.step() == []
        if step % 5 == 4:
            deepest.append(depth(area))
            angles = np.array([joint.angles[0] for joint in area.joints.values()])
            ranges[:, 0] = np.minimum(ranges[:, 0], angles)
            ranges[:, 1] = np.maximum(ranges[:, 1], angles)
            fastest = max(fastest, abs(area.body("body").velocity[1]))
    assert np.quantile(deepest, 0.99) < 0.03
    assert max(deepest) < 0.15
    assert fastest < 15.0
    # It uses its joints, within their limits.
    assert (ranges[::2] > np.array([-66.0, -20.0])).all()
    assert (ranges[::2] < np.array([-40.0, 8.0])).all()
    assert (ranges[1::2] > np.array([-8.0, 90.0])).all()
    assert (ranges[1::2] < np.array([45.0, 158.0])).all()


def test_a_limp_creature_falls_onto_the_floor_and_stays_on_it() -> None:
    world = crawler_world(drive=None, height=6.0)
    area = world.areas[0]
    deepest = 0.0
    for _ in range(300):
        assert world.step() == []
        deepest = max(deepest, depth(area))
    assert deepest < 0.03
    assert depth(area) == pytest.approx(0.0, abs=0.005)
    moving = [math.hypot(*area.body(body.name).velocity) for body in area.transforms[1:]]
    assert max(moving) < 0.1


def test_limbs_bend_the_way_the_original_says() -> None:
    """With axis x and secondary axis -z, negative hip angles lift legs and positive knees bend down."""
    world = crawler_world()
    area = world.areas[0]
    area.gravity = (0.0, 0.0, 0.0)
    area.joint("hip0").set_target_angles(-50.0)
    area.joint("knee1").set_target_angles(100.0)
    area.joint("hip2").set_target_angles(0.0, 20.0)
    for _ in range(150):
        world.step()
    body = area.body("body")
    up = [body.to_local(area.body(f"leg{leg}").up) for leg in range(4)]
    assert up[0][1] == pytest.approx(math.sin(math.radians(50.0)), abs=0.01)
    assert area.joint("knee1").angles[0] == pytest.approx(100.0, abs=0.1)
    below = area.body("leg1").to_local(area.body("foreleg1").up)
    assert below == pytest.approx(
        (0.0, math.cos(math.radians(100.0)), -math.sin(math.radians(100.0))), abs=0.01
    )
    # The child turns opposite to the angle about its y axis, which points down: to the right.
    start = rotate(yaw_rotation(315.0 + 20.0), (0.0, 0.0, 1.0))
    assert up[2] == pytest.approx(start, abs=0.01)


def test_a_crawler_stands_up_against_its_weight() -> None:
    world = crawler_world()
    area = world.areas[0]
    for leg in range(4):
        area.joint(f"hip{leg}").set_target_angles(-30.0)
        area.joint(f"knee{leg}").set_target_angles(110.0)
    for _ in range(300):
        world.step()
    # Legs 30° above the horizon, forelegs 80° below it, standing on the caps at their ends.
    tip = 0.83 * math.sin(math.radians(30.0)) - 1.35 * math.sin(math.radians(80.0)) - 0.15
    assert area.body("body").position[1] == pytest.approx(0.5 - tip + 0.15, abs=0.03)
    for leg in range(4):
        assert area.joint(f"hip{leg}").angles[0] == pytest.approx(-30.0, abs=1.0)
        assert area.joint(f"knee{leg}").angles[0] == pytest.approx(110.0, abs=1.0)
    torque = area.joint("knee0").current_torque[0]
    # The spring holds the weight by its error alone.
    assert torque == pytest.approx(40000.0 * math.radians(110.0 - area.joint("knee0").angles[0]), rel=0.01)


def test_states_continue_bit_for_bit() -> None:
    world = crawler_world(2)
    world.areas[1].gravity = (0.0, -9.0, 0.0)
    world.areas[1].body("body").mass = 15.0
    wander(world, 60)
    world.areas[0].joint("hip2").target_velocity = (0.5, 0.0, 0.0)
    world.areas[0].body("leg1").add_force((5.0, 0.0, 0.0), ForceMode.IMPULSE)
    world.areas[1].body("body").rotation = yaw_rotation(30.0)
    saved = world.get_state()
    wander(world, 60, seed=1)
    fresh = crawler_world(2)
    wander(fresh, 7)
    fresh.set_state(saved)
    wander(fresh, 60, seed=1)
    np.testing.assert_array_equal(fresh.rows, world.rows)
    np.testing.assert_array_equal(fresh.joints, world.joints)


def test_areas_know_nothing_of_each_other_and_diverge_alone() -> None:
    quiet, hurt, single = crawler_world(3), crawler_world(3), crawler_world(1)
    for world in (quiet, hurt, single):
        wander(world, 30)
    np.testing.assert_array_equal(quiet.rows[0], single.rows[0])
    assert not np.array_equal(quiet.rows[0], quiet.rows[1])
    hurt.areas[1].body("leg0").velocity = (math.nan, 0.0, 0.0)
    assert hurt.step() == [1]
    quiet.step()
    assert np.isfinite(hurt.rows).all()
    assert hurt.areas[1].body("body").position == pytest.approx((0.0, 2.656, 0.0))
    wander(quiet, 20, seed=3)
    assert wander(hurt, 20, seed=3) == [[]] * 20
    np.testing.assert_array_equal(quiet.rows[[0, 2]], hurt.rows[[0, 2]])


def test_a_target_that_is_no_number_resets_its_area_once() -> None:
    world = crawler_world(2)
    world.step()
    world.areas[1].joint("hip0").target_velocity = (math.nan, 0.0, 0.0)
    assert world.step() == [1]
    assert world.areas[1].joint("hip0").target_velocity == (0.0, 0.0, 0.0)
    assert world.step() == []


def test_reset_is_a_fresh_start_that_keeps_targets_and_strengths() -> None:
    world = crawler_world()
    start = world.rows.copy()
    wander(world, 50)
    area = world.areas[0]
    area.joint("hip1").set_target_angles(-33.0, -5.0)
    area.joint("hip1").strength = 0.3
    area.reset()
    np.testing.assert_array_equal(world.rows, start)
    assert area.joint("hip1").angles == (0.0, 0.0, 0.0)
    assert area.joint("hip1").strength == 0.3
    assert area.joint("hip1").target_rotation == pytest.approx(euler_rotation(-33.0, -5.0))
    fresh = crawler_world()
    fresh.joints[:] = world.joints
    for _ in range(20):
        world.step()
        fresh.step()
    np.testing.assert_array_equal(world.rows, fresh.rows)


def test_a_creature_is_placed_as_one_piece() -> None:
    world = crawler_world()
    area = world.areas[0]
    wander(world, 40)
    before = {name: joint.angles for name, joint in area.joints.items()}
    seen = [
        area.body("body").to_local(
            tuple(np.subtract(area.body(f"foreleg{k}").position, area.body("body").position))
        )
        for k in range(4)
    ]
    rotation = euler_rotation(10.0, 123.0, -20.0)
    area.body("body").place((7.0, 9.0, -3.0), rotation)
    assert area.body("body").position == (7.0, 9.0, -3.0)
    for k in range(4):
        now = area.body("body").to_local(
            tuple(np.subtract(area.body(f"foreleg{k}").position, (7.0, 9.0, -3.0)))
        )
        assert now == pytest.approx(seen[k], abs=1e-9)
    for body in area.transforms:
        if isinstance(body, Body):
            body.stop()
    for joint in area.joints.values():
        joint.strength = 0.0
    area.gravity = (0.0, 0.0, 0.0)
    world.step()
    for name, angles in before.items():
        assert area.joint(name).angles == pytest.approx(angles, abs=1e-6)
    assert area.body("body").rotation == pytest.approx(rotation, abs=1e-6)
    assert area.transform("cube").position == pytest.approx((4.0, 1.0, 4.0), abs=0.02)


def test_contacts_of_limbs_are_told_but_not_those_of_joined_ones() -> None:
    world = crawler_world(drive=None, height=1.0)
    area = world.areas[0]
    heard: list[tuple[str, str]] = []

    def hear(name: str) -> Callable[[Contact], None]:
        return lambda contact: heard.append((name, contact.other.name))

    for body in area.transforms[1:]:
        body.listen(collision_enter=hear(body.name))
    for _ in range(150):
        world.step()
        world.dispatch_contacts()
    for leg in range(4):
        assert (f"foreleg{leg}", "ground") in heard
        assert (f"foreleg{leg}", f"leg{leg}") not in heard
    assert ("body", "leg0") not in heard
    contacts: list[Contact] = []
    area.transform("foreleg0").listen(collision_stay=contacts.append)
    world.step()
    world.dispatch_contacts()
    (contact,) = contacts
    assert (contact.other.name, contact.tag) == ("ground", "ground")
    assert contact.normal == pytest.approx((0.0, 1.0, 0.0), abs=1e-6)
    assert contact.point[1] == pytest.approx(0.5, abs=0.01)


def test_casts_and_overlaps_see_limbs_where_they_are() -> None:
    world = crawler_world()
    area = world.areas[0]
    area.joint("hip3").set_target_angles(-40.0)
    for _ in range(30):
        world.step()
    leg = area.body("leg3")
    x, y, z = leg.position
    hit = area.raycast((x, y + 5.0, z), (0.0, -1.0, 0.0), 10.0)
    assert hit is not None
    assert (hit.body.name, hit.tag) == ("leg3", "agent")
    hit = area.raycast((x, y + 5.0, z), (0.0, -1.0, 0.0), 10.0, ignore=leg)
    assert hit is None or hit.body.name != "leg3"
    near = area.overlap_box(leg.position, (0.05, 0.05, 0.05))
    assert leg in near
