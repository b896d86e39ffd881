"""Rigid bodies of all shapes: sliding, pushing, resting, sleeping, being disabled."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlagents_sdk.physics import (
    Body,
    Combine,
    ForceMode,
    Freeze,
    Motion,
    PhysicsMaterial,
    PhysicsWorld,
    Scene,
    Shape,
)
from mlagents_sdk.physics.layout import REST
from mlagents_sdk.physics.rotations import IDENTITY, multiply, turned_about_x, yaw_rotation

H = 0.02
G = 9.81
ICE = PhysicsMaterial(0.0, 0.0, friction_combine=Combine.MINIMUM)


def _floor(gravity: float = G, **options: int) -> Scene:
    scene = Scene(gravity=(0.0, -gravity, 0.0), **options)
    scene.add_box("floor", (200.0, 1.0, 200.0), (0.0, -0.5, 0.0), tag="floor")
    return scene


def _run(world: PhysicsWorld, steps: int) -> None:
    for _ in range(steps):
        assert world.step() == []


def _is_asleep(body: Body) -> bool:
    world = body.world
    return bool(world.rows[body.area_index, world.layout.body_at(body.body_index) + REST] <= 0.0)


@pytest.mark.parametrize("yaw", [0.0, 30.0])
@pytest.mark.parametrize(("drag", "gravity"), [(2.0, 9.81), (4.0, 24.525), (0.0, 9.81)])
def test_a_flat_box_loses_twice_coulomb_in_each_step(drag: float, gravity: float, yaw: float) -> None:
    # 2 μ g h (1 - d h), as recorded with Pyramids; the direction does not matter.
    scene = _floor(gravity)
    scene.add_box(
        "agent",
        (1.0, 1.0, 1.0),
        (0.0, 0.5, 0.0),
        motion=Motion.DYNAMIC,
        mass=25.0,
        drag=drag,
        freeze=Freeze.ROTATION,
    )
    world = PhysicsWorld(scene)
    agent = world.areas[0].body("agent")
    agent.rotation = yaw_rotation(yaw)
    _run(world, 5)
    agent.velocity = (3.0, 0.0, -4.0)
    speed = 5.0
    for _ in range(10):
        agent.add_force((0.06, 0.0, -0.08), ForceMode.VELOCITY_CHANGE)
        _run(world, 1)
        speed = max(0.0, (speed + 0.1) * (1.0 - drag * H) - 2.0 * 0.6 * gravity * H * (1.0 - drag * H))
        assert agent.velocity == pytest.approx((0.6 * speed, 0.0, -0.8 * speed), abs=1e-9)
    assert agent.position[1] == pytest.approx(0.5, abs=1e-6)
    assert agent.rotation == pytest.approx(yaw_rotation(yaw))


def test_frozen_axes_do_not_move() -> None:
    scene = Scene()
    frozen = Freeze.POSITION_Y | Freeze.ROTATION_X | Freeze.ROTATION_Z
    scene.add_box("box", (1.0, 1.0, 1.0), motion=Motion.DYNAMIC, freeze=frozen, angular_drag=0.0)
    world = PhysicsWorld(scene)
    box = world.areas[0].body("box")
    box.add_force((1.0, 2.0, 3.0), ForceMode.VELOCITY_CHANGE)
    box.add_torque((1.0, 2.0, 3.0), ForceMode.VELOCITY_CHANGE)
    _run(world, 10)
    assert box.velocity == pytest.approx((1.0, 0.0, 3.0))
    assert box.angular_velocity == pytest.approx((0.0, 2.0, 0.0))
    assert box.position == pytest.approx((0.2, 0.0, 0.6))
    assert box.rotation == pytest.approx(yaw_rotation(math.degrees(0.4)))


def test_torques_turn_by_the_inertia() -> None:
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    scene.add_box("plate", (2.0, 0.2, 1.0), motion=Motion.DYNAMIC, mass=3.0, angular_drag=0.0)
    world = PhysicsWorld(scene)
    plate = world.areas[0].body("plate")
    plate.add_torque((0.0, 5.0, 0.0))
    plate.add_torque((0.0, 1.0, 0.0), ForceMode.IMPULSE)
    _run(world, 1)
    inertia = 3.0 * (2.0**2 + 1.0**2) / 12.0
    assert plate.angular_velocity == pytest.approx((0.0, (5.0 * H + 1.0) / inertia, 0.0))
    plate.stop()
    plate.add_torque((0.0, 0.0, 4.0), ForceMode.ACCELERATION)
    _run(world, 1)
    assert plate.angular_velocity == pytest.approx((0.0, 0.0, 4.0 * H))


def test_a_fast_box_stops_at_a_wall_and_comes_out_of_it() -> None:
    scene = _floor()
    scene.add_box("wall", (1.0, 4.0, 20.0), (5.0, 1.0, 0.0))
    scene.add_box(
        "agent", (1.0, 1.0, 1.0), (0.0, 0.5, 0.0), motion=Motion.DYNAMIC, material=ICE, freeze=Freeze.ROTATION
    )
    world = PhysicsWorld(scene)
    agent = world.areas[0].body("agent")
    agent.velocity = (30.0, 0.0, 0.0)
    deepest = 0.0
    for _ in range(30):
        _run(world, 1)
        deepest = max(deepest, agent.position[0] - 4.0)
        assert agent.velocity[0] > -1e-9  # it is pushed out without gaining velocity
    assert 0.0 < deepest < 0.6
    assert agent.position[0] == pytest.approx(4.0, abs=1e-6)
    assert agent.velocity == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_an_agent_pushes_a_block() -> None:
    scene = _floor(24.525)
    for name, size, mass, drag, z in (
        ("agent", (1.0, 1.0, 1.0), 10.0, 4.0, -3.0),
        ("block", (2.0, 0.75, 2.0), 20.0, 0.5, 0.0),
    ):
        scene.add_box(
            name,
            size,
            (0.0, 0.5 * size[1], z),
            motion=Motion.DYNAMIC,
            mass=mass,
            drag=drag,
            freeze=Freeze.ROTATION,
        )
    world = PhysicsWorld(scene)
    agent, block = world.areas[0].body("agent"), world.areas[0].body("block")
    for _ in range(200):
        agent.add_force((0.0, 0.0, 3.0), ForceMode.VELOCITY_CHANGE)
        _run(world, 1)
    assert block.velocity[2] == pytest.approx(agent.velocity[2], rel=1e-6)
    # Together: each step's change of momentum is zero.
    momentum = 10.0 * (agent.velocity[2] + 3.0) * 0.92 + 20.0 * block.velocity[2] * 0.99
    momentum -= 2.0 * 0.6 * 24.525 * H * (10.0 * 0.92 + 20.0 * 0.99)
    assert momentum == pytest.approx(30.0 * agent.velocity[2], rel=1e-3)
    assert block.position[2] - agent.position[2] == pytest.approx(1.5, abs=1e-3)
    assert block.position[0] == pytest.approx(0.0, abs=1e-9)


def test_a_collision_keeps_momentum_and_shares_it() -> None:
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    for name, x, mass in (("left", -1.0, 2.0), ("right", 1.0, 1.0)):
        scene.add_box(
            name, (1.0, 1.0, 1.0), (x, 0.0, 0.0), motion=Motion.DYNAMIC, mass=mass, freeze=Freeze.ROTATION
        )
    world = PhysicsWorld(scene)
    left, right = world.areas[0].body("left"), world.areas[0].body("right")
    left.velocity = (3.0, 0.0, 0.0)
    _run(world, 50)
    assert left.velocity[0] == pytest.approx(2.0, rel=1e-6)
    assert right.velocity[0] == pytest.approx(2.0, rel=1e-6)


def test_bouncing_bodies_give_back_their_share() -> None:
    scene = _floor()
    bouncy = PhysicsMaterial(0.0, 0.0, 0.5, bounce_combine=Combine.MAXIMUM)
    scene.add_box(
        "box",
        (1.0, 1.0, 1.0),
        (0.0, 0.5, 0.0),
        motion=Motion.DYNAMIC,
        material=bouncy,
        freeze=Freeze.ROTATION,
    )
    world = PhysicsWorld(scene)
    box = world.areas[0].body("box")
    box.velocity = (0.0, -5.0, 0.0)
    _run(world, 1)
    assert box.velocity[1] == pytest.approx(0.5 * (5.0 + G * H))


def test_a_tower_stands_and_falls_asleep() -> None:
    scene = _floor()
    for level in range(5):
        scene.add_box(
            f"brick {level}", (1.0, 1.0, 1.0), (0.05 * level, 0.5 + level, 0.0), motion=Motion.DYNAMIC
        )
    world = PhysicsWorld(scene)
    bricks = [world.areas[0].body(f"brick {level}") for level in range(5)]
    _run(world, 100)
    for level, brick in enumerate(bricks):
        assert brick.position == pytest.approx((0.05 * level, 0.5 + level, 0.0), abs=0.04)
        assert _is_asleep(brick)
        assert brick.velocity == (0.0, 0.0, 0.0)


def test_sleepers_wake_by_forces_by_touch_and_by_what_scripts_do() -> None:
    scene = _floor()
    scene.add_box("table", (2.0, 1.0, 2.0), (0.0, 0.5, 0.0), motion=Motion.SCRIPTED)
    scene.add_box("book", (0.5, 0.2, 0.5), (0.0, 1.1, 0.0), motion=Motion.DYNAMIC)
    scene.add_sphere("ball", 0.5, (5.0, 0.5, 0.0), motion=Motion.DYNAMIC)
    scene.add_sphere("other", 0.5, (8.0, 0.5, 0.0), motion=Motion.DYNAMIC)
    world = PhysicsWorld(scene)
    area = world.areas[0]
    book, ball, other = area.body("book"), area.body("ball"), area.body("other")
    _run(world, 60)
    assert all(map(_is_asleep, (book, ball, other)))
    ball.add_force((3.0, 0.0, 0.0), ForceMode.VELOCITY_CHANGE)
    _run(world, 1)
    assert not _is_asleep(ball)
    assert _is_asleep(other)
    _run(world, 60)
    assert other.position[0] > 8.1  # it was hit
    assert _is_asleep(book)
    area.transform("table").position = (9.0, 0.5, 9.0)
    _run(world, 30)
    assert book.position[1] < 1.0  # what carried it is gone
    _run(world, 100)
    assert book.position[1] == pytest.approx(0.1, abs=1e-3)
    assert _is_asleep(book)
    area.gravity = (0.0, 5.0, 0.0)
    _run(world, 10)
    assert book.position[1] > 0.11


def test_removing_a_brick_wakes_the_one_on_top() -> None:
    scene = _floor()
    scene.add_box("lower", (1.0, 1.0, 1.0), (0.0, 0.5, 0.0), motion=Motion.DYNAMIC)
    scene.add_box("upper", (1.0, 1.0, 1.0), (0.0, 1.5, 0.0), motion=Motion.DYNAMIC)
    world = PhysicsWorld(scene)
    lower, upper = world.areas[0].body("lower"), world.areas[0].body("upper")
    _run(world, 60)
    assert _is_asleep(upper)
    lower.enabled = False
    _run(world, 60)
    assert upper.position[1] == pytest.approx(0.5, abs=1e-3)
    assert lower.position[1] == pytest.approx(0.5)  # it does not move while it is not there


def test_disabled_bodies_are_not_there() -> None:
    scene = _floor()
    scene.add_box("wall", (1.0, 9.0, 9.0), (2.0, 0.0, 0.0))
    scene.add_sphere("ball", 0.5, (0.0, 0.5, 0.0), motion=Motion.DYNAMIC)
    world = PhysicsWorld(scene, 2)
    for area in world.areas:
        area.body("ball").velocity = (10.0, 0.0, 0.0)
    world.areas[1].transform("wall").enabled = False
    _run(world, 30)
    blocked, free = (area.body("ball").position[0] for area in world.areas)
    assert blocked < 1.1
    assert free > 4.0


def test_triggers_let_everything_pass() -> None:
    scene = Scene()
    scene.add_box("zone", (9.0, 1.0, 9.0), trigger=True)
    scene.add_box("box", (1.0, 1.0, 1.0), (0.0, 3.0, 0.0), motion=Motion.DYNAMIC)
    world = PhysicsWorld(scene)
    _run(world, 60)
    assert world.areas[0].body("box").position[1] == pytest.approx(3.0 - G * H * H * 60 * 61 / 2)


def test_a_dumbbell_turns_about_its_centre_of_mass() -> None:
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    shapes = (Shape.sphere(0.5, (0.0, 0.0, 0.0)), Shape.sphere(0.5, (4.0, 0.0, 0.0)))
    scene.add_body("dumbbell", shapes, (1.0, 0.0, 0.0), motion=Motion.DYNAMIC, angular_drag=0.0)
    world = PhysicsWorld(scene)
    body = world.areas[0].body("dumbbell")
    body.angular_velocity = (0.0, math.pi / 2.0, 0.0)
    _run(world, 50)
    assert body.rotation == pytest.approx(yaw_rotation(90.0), abs=1e-9)
    # The centre of mass stays at x = 3; the first sphere went from its left to beyond it.
    assert body.position == pytest.approx((3.0, 0.0, 2.0), abs=1e-9)
    assert body.velocity == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)


def test_a_table_stands_on_its_legs() -> None:
    legs = [Shape.box((0.1, 1.0, 0.1), (x, -0.5, z)) for x in (-0.9, 0.9) for z in (-0.9, 0.9)]
    scene = _floor()
    scene.add_body(
        "table", (Shape.box((2.0, 0.1, 2.0), (0.0, 0.05, 0.0)), *legs), (0.0, 1.1, 0.0), motion=Motion.DYNAMIC
    )
    world = PhysicsWorld(scene)
    table = world.areas[0].body("table")
    _run(world, 100)
    assert table.position == pytest.approx((0.0, 1.0, 0.0), abs=1e-3)
    assert _is_asleep(table)


def test_capsules_lie_and_roll() -> None:
    scene = _floor()
    lying = turned_about_x(IDENTITY, 90.0)
    scene.add_capsule("log", 0.3, 2.0, (0.0, 0.3, 0.0), lying, motion=Motion.DYNAMIC, angular_drag=0.0)
    world = PhysicsWorld(scene)
    log = world.areas[0].body("log")
    _run(world, 10)
    assert log.position[1] == pytest.approx(0.3, abs=1e-4)
    log.velocity = (1.0, 0.0, 0.0)
    _run(world, 100)
    speed, spin = log.velocity[0], log.angular_velocity
    assert 0.5 < speed < 0.9
    assert spin == pytest.approx((0.0, 0.0, -speed / 0.3), abs=0.02)
    assert log.position[1] == pytest.approx(0.3, abs=1e-3)


@pytest.mark.parametrize("ground", ["plane", "disc", "box"])
def test_every_ground_carries_boxes_and_balls(ground: str) -> None:
    scene = Scene()
    if ground == "plane":
        scene.add_plane("ground")
    elif ground == "disc":
        scene.add_cylinder("ground", 20.0, 2.0, (0.0, -1.0, 0.0))
    else:
        scene.add_box("ground", (40.0, 2.0, 40.0), (0.0, -1.0, 0.0))
    scene.add_box("box", (1.0, 1.0, 1.0), (0.0, 0.7, 0.0), motion=Motion.DYNAMIC)
    scene.add_sphere("ball", 0.5, (3.0, 0.7, 0.0), motion=Motion.DYNAMIC)
    world = PhysicsWorld(scene)
    area = world.areas[0]
    _run(world, 60)
    for name in ("box", "ball"):
        assert area.body(name).position[1] == pytest.approx(0.5, abs=1e-3)
    area.body("box").velocity = (0.0, 0.0, 0.3)
    _run(world, 1)
    assert area.body("box").velocity[2] == pytest.approx(0.3 - 2.0 * 0.6 * G * H, abs=4e-3)


def test_sizes_and_materials_can_change() -> None:
    scene = _floor()
    scene.add_box("wall", (1.0, 1.0, 9.0), (3.0, 0.5, 0.0), tag="wall")
    scene.add_box("box", (1.0, 1.0, 1.0), (0.0, 0.5, 0.0), motion=Motion.DYNAMIC, freeze=Freeze.ROTATION)
    world = PhysicsWorld(scene, 2)
    first, second = (area.body("box") for area in world.areas)
    second.size = (1.0, 2.0, 3.0)
    assert second.size == (1.0, 2.0, 3.0)
    assert first.size == (1.0, 1.0, 1.0)
    second.set_material(ICE)
    world.areas[1].transform("wall").size = (3.0, 1.0, 9.0)
    _run(world, 100)
    assert [body.position[1] for body in (first, second)] == pytest.approx([0.5, 1.0], abs=1e-3)
    for body in (first, second):
        body.velocity = (1.0, 0.0, 0.0)
    _run(world, 100)
    assert first.position[0] < 0.2
    assert second.position[0] == pytest.approx(1.0, abs=1e-3)
    assert second.scale == 1.0


def test_directions_of_a_transform() -> None:
    scene = Scene().add_box("box", (1.0, 1.0, 1.0), motion=Motion.SCRIPTED)
    box = PhysicsWorld(scene).areas[0].transform("box")
    box.turn(90.0)
    assert box.forward == pytest.approx((1.0, 0.0, 0.0))
    assert box.right == pytest.approx((0.0, 0.0, -1.0))
    box.rotation = multiply(yaw_rotation(40.0), turned_about_x(IDENTITY, 20.0))
    for axis, direction in (
        ((1.0, 0.0, 0.0), box.right),
        ((0.0, 1.0, 0.0), box.up),
        ((0.0, 0.0, 1.0), box.forward),
    ):
        assert box.to_world(axis) == pytest.approx(direction)
        assert box.to_local(direction) == pytest.approx(axis, abs=1e-12)


def _messy_world(num_areas: int) -> PhysicsWorld:
    scene = _floor()
    scene.add_box("wall", (1.0, 4.0, 9.0), (4.0, 1.0, 0.0), motion=Motion.SCRIPTED)
    scene.add_box(
        "agent", (1.0, 1.0, 1.0), (0.0, 0.5, 0.0), motion=Motion.DYNAMIC, drag=2.0, freeze=Freeze.ROTATION
    )
    for index in range(6):
        scene.add_box(
            f"brick {index}", (1.0, 1.0, 1.0), (2.2, 0.5 + index, 0.1 * index), motion=Motion.DYNAMIC
        )
    scene.add_capsule("log", 0.3, 1.5, (0.0, 2.0, 2.0), motion=Motion.DYNAMIC)
    return PhysicsWorld(scene, num_areas)


def _stir(world: PhysicsWorld, start: int, steps: int) -> None:
    for step in range(start, start + steps):
        for area in world.areas:
            agent = area.body("agent")
            agent.turn(3.0 * math.sin(0.1 * step + area.index))
            agent.add_force(agent.forward, ForceMode.VELOCITY_CHANGE)
            area.transform("wall").enabled = step % 40 < 20
        world.step()


def test_a_saved_world_continues_bit_for_bit() -> None:
    world = _messy_world(2)
    world.areas[1].body("brick 2").tag = "goal"
    world.areas[0].body("brick 1").size = (1.5, 0.5, 1.0)
    _stir(world, 0, 60)
    saved = world.get_state()
    _stir(world, 60, 60)
    fresh = _messy_world(2)
    fresh.areas[0].body("brick 3").tag = "another"  # numbers of tags differ
    fresh.set_state(saved)
    _stir(fresh, 60, 60)
    np.testing.assert_array_equal(
        fresh.rows[:, : world.layout.first_collider_at], world.rows[:, : world.layout.first_collider_at]
    )
    assert fresh.areas[1].body("brick 2").tag == "goal"
    assert fresh.areas[0].body("brick 3").tag == ""


def test_a_diverged_area_does_not_touch_the_others() -> None:
    quiet, hurt = _messy_world(3), _messy_world(3)
    _stir(quiet, 0, 30)
    _stir(hurt, 0, 30)
    hurt.areas[1].body("brick 0").velocity = (math.nan, 0.0, 0.0)
    hurt.areas[1].body("log").add_force((math.inf, 0.0, 0.0))
    assert hurt.step() == [1]
    assert quiet.step() == []
    assert hurt.areas[1].body("log").position == (0.0, 2.0, 2.0)
    _stir(quiet, 31, 30)
    _stir(hurt, 31, 30)
    np.testing.assert_array_equal(quiet.rows[[0, 2]], hurt.rows[[0, 2]])
    assert np.isfinite(hurt.rows).all()
