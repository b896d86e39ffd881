"""Bodies that are frozen in place, and tags that colliders keep."""

from __future__ import annotations

import math

import pytest

from mlagents_sdk.physics import Freeze, Motion, PhysicsMaterial, PhysicsWorld, Scene, Shape

ICE = PhysicsMaterial(static_friction=0.0, dynamic_friction=0.0)
IN_PLACE = Freeze.POSITION | Freeze.ROTATION


def _meeting(light_freeze: Freeze, gravity: float = 0.0) -> PhysicsWorld:
    """A heavy box that slides towards a light one, in the void."""
    scene = Scene(gravity=(0.0, -gravity, 0.0), position_iterations=12, velocity_iterations=12)
    for name, x, mass, freeze in (("heavy", -2.0, 25.0, Freeze.ROTATION), ("light", 0.0, 1.0, light_freeze)):
        scene.add_box(
            name,
            (1.0, 1.0, 1.0),
            (x, 0.0, 0.0),
            motion=Motion.DYNAMIC,
            mass=mass,
            material=ICE,
            freeze=freeze,
        )
    world = PhysicsWorld(scene)
    world.areas[0].body("heavy").velocity = (10.0, 0.0, 0.0)
    return world


def test_a_light_body_frozen_in_place_hardly_stops_a_heavy_one() -> None:
    world = _meeting(IN_PLACE)
    heavy, light = (world.areas[0].body(name) for name in ("heavy", "light"))
    for _ in range(40):
        world.step()
        assert light.position == (0.0, 0.0, 0.0)
        assert light.velocity == (0.0, 0.0, 0.0)
    assert heavy.position[0] > 2.0
    # In each step of contact it shares its momentum with a free body of 1 kg, which then is held again.
    steps = math.log(10.0 / heavy.velocity[0]) / math.log(26.0 / 25.0)
    assert steps == pytest.approx(round(steps), abs=1e-6)
    assert 4 <= round(steps) <= 11


def test_a_free_light_body_takes_its_share_once() -> None:
    world = _meeting(Freeze.ROTATION)
    for _ in range(40):
        world.step()
    speeds = [world.areas[0].body(name).velocity[0] for name in ("heavy", "light")]
    assert speeds == pytest.approx([10.0 * 25.0 / 26.0] * 2, rel=1e-3)


def test_frozen_axes_ignore_gravity_and_others_do_not() -> None:
    world = _meeting(Freeze.POSITION_Y | Freeze.ROTATION, gravity=10.0)
    area = world.areas[0]
    area.body("heavy").enabled = False
    area.body("light").velocity = (1.0, 5.0, 2.0)
    for _ in range(50):
        world.step()
    assert area.body("light").position == pytest.approx((1.0, 0.0, 2.0))
    assert area.body("light").velocity == pytest.approx((1.0, 0.0, 2.0))


def test_colliders_with_a_tag_of_their_own_keep_it() -> None:
    scene = Scene()
    shapes = (Shape.box((1.0, 1.0, 1.0)), Shape.box((1.0, 1.0, 1.0), (3.0, 0.0, 0.0), tag="key"))
    scene.add_body("dragon", shapes, motion=Motion.SCRIPTED, tag="asleep")
    area = PhysicsWorld(scene).areas[0]
    area.transform("dragon").tag = "awake"
    assert area.transform("dragon").tag == "awake"
    hits = [area.raycast((x, 5.0, 0.0), (0.0, -1.0, 0.0), 10.0) for x in (0.0, 3.0)]
    assert [hit.tag for hit in hits if hit is not None] == ["awake", "key"]
