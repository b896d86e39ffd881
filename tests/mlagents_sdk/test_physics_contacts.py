"""What happens when things touch."""

from __future__ import annotations

import math

import pytest

from mlagents_sdk.physics import Body, Combine, Motion, PhysicsMaterial, PhysicsWorld, Scene
from mlagents_sdk.physics.rotations import turned_about_z

H = 0.02
G = 9.81


def _ball_on_floor(
    height: float, ball: PhysicsMaterial | None = None, walls: bool = False, timestep: float = H
) -> tuple[PhysicsWorld, Body]:
    scene = Scene(timestep=timestep)
    scene.add_box("floor", (40.0, 1.0, 40.0), position=(0.0, -0.5, 0.0), motion=Motion.SCRIPTED)
    if walls:
        scene.add_box("wall", (1.0, 9.0, 9.0), position=(1.5, 0.0, 0.0))
        scene.add_box("post", (9.0, 9.0, 1.0), position=(0.0, 0.0, 1.5))
    material = ball or PhysicsMaterial()
    scene.add_sphere(
        "ball", 0.5, position=(0.0, height, 0.0), motion=Motion.DYNAMIC, angular_drag=0.0, material=material
    )
    world = PhysicsWorld(scene)
    return world, world.areas[0].body("ball")


def _run(world: PhysicsWorld, steps: int) -> None:
    for _ in range(steps):
        assert world.step() == []


def test_a_ball_comes_to_rest_on_the_floor() -> None:
    world, ball = _ball_on_floor(0.8)
    _run(world, 100)
    assert ball.position == pytest.approx((0.0, 0.5, 0.0), abs=1e-6)
    assert ball.velocity == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


def test_a_sliding_ball_ends_up_rolling() -> None:
    # A solid sphere that slides without spin keeps 5/7 of its speed once it rolls, v = ω R; until then
    # Coulomb friction slows it by μ g.
    world, ball = _ball_on_floor(0.5)
    ball.velocity = (3.0, 0.0, 0.0)
    ball.max_angular_speed = 100.0
    _run(world, 2)
    assert ball.velocity[0] == pytest.approx(3.0 - 2.0 * 0.6 * G * H, rel=1e-6)
    _run(world, 98)
    assert ball.velocity[0] == pytest.approx(3.0 * 5.0 / 7.0, rel=1e-6)
    # Rolling to the right turns clockwise seen from in front: a negative roll in this frame.
    assert ball.angular_velocity == pytest.approx((0.0, 0.0, -ball.velocity[0] / 0.5), rel=1e-5, abs=1e-9)


def test_the_spin_that_friction_gives_turns_the_ball_in_the_same_step() -> None:
    world, ball = _ball_on_floor(0.5)
    ball.velocity = (1.0, 0.0, 0.0)
    _run(world, 1)
    degrees = math.degrees(ball.angular_velocity[2] * H)
    assert degrees < -0.5
    assert ball.rotation == pytest.approx(turned_about_z((0.0, 0.0, 0.0, 1.0), degrees), abs=1e-5)


def test_a_scaled_ball_rolls_on_its_own_radius() -> None:
    world, ball = _ball_on_floor(1.0)
    ball.scale = 2.0
    ball.velocity = (0.0, 0.0, 2.0)
    _run(world, 50)
    assert ball.velocity[2] == pytest.approx(2.0 * 5.0 / 7.0, rel=1e-6)
    assert ball.angular_velocity[0] == pytest.approx(ball.velocity[2] / 1.0, rel=1e-5)


def test_friction_may_be_weaker_in_motion() -> None:
    slippery = PhysicsMaterial(0.6, 0.1, friction_combine=Combine.MINIMUM)
    world, ball = _ball_on_floor(0.5, slippery)
    ball.velocity = (0.0, 0.0, 3.0)
    _run(world, 10)
    assert ball.velocity[2] == pytest.approx(3.0 - 10 * 0.1 * G * H, rel=1e-6)


def test_fast_impacts_bounce_and_slow_ones_do_not() -> None:
    bouncy = PhysicsMaterial(bounciness=0.8)  # 0.4 with a floor that has none
    world, ball = _ball_on_floor(0.5, bouncy)
    ball.velocity = (0.0, -5.0, 0.0)
    _run(world, 1)
    assert ball.velocity[1] == pytest.approx(0.4 * (5.0 + G * H))
    world, ball = _ball_on_floor(0.5, bouncy)
    ball.velocity = (0.0, -1.7, 0.0)
    _run(world, 1)
    assert ball.velocity[1] == pytest.approx(0.0, abs=1e-12)


def test_nothing_bounces_before_it_arrives() -> None:
    world, ball = _ball_on_floor(0.518, PhysicsMaterial(bounciness=0.8), timestep=0.005)
    ball.velocity = (0.0, -3.0, 0.0)
    _run(world, 1)
    assert ball.velocity[1] == pytest.approx(-0.8 * 0.018 / 0.005)
    _run(world, 1)
    assert ball.velocity[1] > 1.0


def test_a_penetration_is_closed_by_four_fifths_per_step_without_adding_velocity() -> None:
    world, ball = _ball_on_floor(0.4)
    for depth in (0.02, 0.004, 0.0008):
        _run(world, 1)
        assert ball.position[1] == pytest.approx(0.5 - depth, abs=1e-12)
        assert ball.velocity == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)


def test_a_gap_is_closed_by_at_most_four_fifths_per_step() -> None:
    world, ball = _ball_on_floor(0.51)
    ball.velocity = (0.0, -1.5, 0.0)
    _run(world, 1)
    assert ball.position[1] == pytest.approx(0.502, abs=1e-12)
    assert ball.velocity[1] == pytest.approx(-0.8 * 0.01 / H)


def test_a_scripted_collider_imparts_no_velocity() -> None:
    world, ball = _ball_on_floor(0.5)
    floor = world.areas[0].transform("floor")
    _run(world, 1)
    for step in range(50):
        floor.position = (0.05 * step, -0.5 + 0.02 * step, 0.0)  # 1 m/s up, 2.5 m/s to the right
        _run(world, 1)
        assert ball.velocity == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert ball.position[0] == pytest.approx(0.0, abs=1e-9)
    assert ball.position[1] == pytest.approx(0.5 + 0.02 * 49, abs=0.006)


def test_a_ball_in_a_corner_stops_at_all_walls() -> None:
    ice = PhysicsMaterial(0.0, 0.0, friction_combine=Combine.MINIMUM)
    world, ball = _ball_on_floor(0.5, ice, walls=True)
    ball.velocity = (3.0, -1.0, 2.0)
    _run(world, 100)
    assert ball.position == pytest.approx((0.5, 0.5, 0.5), abs=1e-6)
    assert math.hypot(*ball.velocity) < 1e-6


def test_friction_at_several_contacts_adds_no_energy() -> None:
    world, ball = _ball_on_floor(0.5, walls=True)
    ball.velocity = (3.0, 0.0, 2.0)
    energy = math.inf
    for _ in range(200):
        _run(world, 1)
        spin = 0.4 * 0.25 * math.hypot(*ball.angular_velocity) ** 2
        total = 0.5 * (math.hypot(*ball.velocity) ** 2 + spin) + G * ball.position[1]
        assert total <= energy + 1e-3
        energy = total
        assert max(ball.position[0], ball.position[2]) < 0.5 + 1e-3


def test_a_ball_rolls_down_a_slope_at_five_sevenths_of_sliding() -> None:
    world, ball = _ball_on_floor(0.5)
    angle = math.radians(10.0)
    world.areas[0].transform("floor").rotation = turned_about_z((0.0, 0.0, 0.0, 1.0), 10.0)
    ball.position = (0.0, -0.5 + (0.5 + 0.5) / math.cos(angle), 0.0)
    ball.max_angular_speed = 100.0
    _run(world, 50)
    speed = math.hypot(*ball.velocity)
    assert speed == pytest.approx(5.0 / 7.0 * G * math.sin(angle) * 1.0, rel=0.01)
    assert ball.velocity[0] < 0.0  # a positive roll raises the right side


@pytest.mark.parametrize(
    ("floor", "block", "rule", "expected"),
    [
        (0.6, 0.6, Combine.AVERAGE, 0.6),
        (0.0, 0.6, Combine.AVERAGE, 0.3),
        (0.2, 0.6, Combine.MINIMUM, 0.2),
        (0.5, 0.6, Combine.MULTIPLY, 0.3),
    ],
)
def test_a_box_that_slides_flat_is_stopped_by_twice_the_combined_friction(
    floor: float, block: float, rule: Combine, expected: float
) -> None:
    scene = Scene()
    scene.add_box("floor", (60.0, 1.0, 60.0), (0.0, -0.5, 0.0), material=PhysicsMaterial(floor, floor))
    surface = PhysicsMaterial(block, block, friction_combine=rule)
    scene.add_box("block", (2.0, 0.5, 2.0), (0.0, 0.25, 0.0), motion=Motion.DYNAMIC, material=surface)
    world = PhysicsWorld(scene)
    body = world.areas[0].body("block")
    _run(world, 50)
    body.velocity = (0.0, 0.0, 3.0)
    _run(world, 200)
    assert body.position[2] == pytest.approx(3.0**2 / (4.0 * expected * G), rel=0.1)
    assert body.position[1] == pytest.approx(0.25, abs=0.005)


def test_without_friction_a_box_keeps_its_speed() -> None:
    ice = PhysicsMaterial(0.0, 0.0, friction_combine=Combine.MINIMUM)
    scene = Scene()
    scene.add_box("floor", (60.0, 1.0, 60.0), (0.0, -0.5, 0.0))
    scene.add_box("block", (1.0, 1.0, 1.0), (0.0, 0.5, 0.0), motion=Motion.DYNAMIC, material=ice)
    world = PhysicsWorld(scene)
    body = world.areas[0].body("block")
    body.velocity = (2.0, 0.0, 0.0)
    _run(world, 50)
    assert body.velocity[0] == pytest.approx(2.0, rel=1e-9)


def test_dynamic_bodies_push_each_other() -> None:
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    scene.add_sphere("left", 0.5, (-1.0, 0.0, 0.0), motion=Motion.DYNAMIC, mass=2.0)
    scene.add_sphere("right", 0.5, (1.0, 0.0, 0.0), motion=Motion.DYNAMIC, mass=1.0)
    world = PhysicsWorld(scene)
    left, right = world.areas[0].body("left"), world.areas[0].body("right")
    left.velocity = (3.0, 0.0, 0.0)
    _run(world, 100)
    assert 2.0 * left.velocity[0] + right.velocity[0] == pytest.approx(6.0)
    assert right.velocity[0] >= left.velocity[0] > 0.0
    assert right.position[0] - left.position[0] > 0.99
