"""Rays, moving spheres and boxes in a whole area."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents_sdk.physics import Motion, PhysicsWorld, Scene, Shape, TrainingArea
from mlagents_sdk.physics.rotations import yaw_rotation

PLACES = st.floats(-3.0, 3.0)


@pytest.fixture
def area() -> TrainingArea:
    scene = Scene()
    scene.add_box("floor", (20.0, 1.0, 20.0), (0.0, -0.5, 0.0), tag="floor")
    scene.add_box("near", (1.0, 2.0, 4.0), (3.0, 1.0, 0.0), tag="wall", motion=Motion.SCRIPTED, layer=3)
    scene.add_sphere("far", 1.0, (6.0, 1.0, 0.0), tag="ball", motion=Motion.DYNAMIC)
    scene.add_box("zone", (1.0, 2.0, 1.0), (1.0, 1.0, 0.0), tag="zone", trigger=True)
    shapes = (Shape.box((1.0, 1.0, 1.0), tag="base"), Shape.capsule(0.2, 2.0, (0.0, 1.5, 0.0), tag="top"))
    scene.add_body("statue", shapes, (-4.0, 0.5, 0.0), tag="statue")
    return PhysicsWorld(scene).areas[0]


def test_a_ray_meets_the_nearest_thing(area: TrainingArea) -> None:
    origin, right = (0.0, 1.0, 0.0), (2.0, 0.0, 0.0)
    hit = area.raycast(origin, right, 10.0)
    assert hit is not None
    assert (hit.body.name, hit.tag, hit.distance) == ("zone", "zone", pytest.approx(0.5))
    assert hit.point == pytest.approx((0.5, 1.0, 0.0))
    assert hit.normal == pytest.approx((-1.0, 0.0, 0.0))
    solid = area.raycast(origin, right, 10.0, hit_triggers=False)
    assert solid is not None
    assert (solid.body.name, solid.distance) == ("near", pytest.approx(2.5))
    near = area.transform("near")
    beyond = area.raycast(origin, right, 10.0, ignore=near, hit_triggers=False)
    assert beyond is not None
    assert (beyond.tag, beyond.distance) == ("ball", pytest.approx(5.0))
    on_layer = area.raycast(origin, right, 10.0, layers=1 << 3)
    assert on_layer is not None
    assert on_layer.body is near
    assert area.raycast(origin, right, 10.0, layers=1 << 4) is None
    assert area.raycast(origin, right, 0.4) is None
    near.enabled = False
    hit = area.raycast(origin, right, 10.0, hit_triggers=False)
    assert hit is not None
    assert hit.tag == "ball"


def test_rays_see_what_scripts_just_did(area: TrainingArea) -> None:
    near = area.transform("near")
    near.position = (0.0, 1.0, 5.0)
    near.turn(90.0)
    near.tag = "door"
    hit = area.raycast((0.0, 1.0, 0.0), (0.0, 0.0, 1.0), 10.0)
    assert hit is not None
    assert (hit.tag, hit.distance) == ("door", pytest.approx(4.5))
    assert hit.normal == pytest.approx((0.0, 0.0, -1.0))


def test_colliders_of_a_body_have_their_own_tags(area: TrainingArea) -> None:
    for height, tag in ((0.5, "base"), (2.0, "top")):
        hit = area.raycast((-9.0, height, 0.0), (1.0, 0.0, 0.0), 10.0)
        assert hit is not None
        assert (hit.body.name, hit.tag) == ("statue", tag)


def test_a_moving_sphere_does_not_see_what_it_overlaps(area: TrainingArea) -> None:
    hit = area.sphere_cast((0.0, 0.5, 0.0), 0.5, (1.0, 0.0, 0.0), 9.0, hit_triggers=False)
    assert hit is not None  # it slides along the floor
    assert hit.distance == pytest.approx(2.0, abs=1e-5)
    assert hit.point == pytest.approx((2.5, 0.5, 0.0), abs=1e-5)
    hit = area.sphere_cast((2.2, 1.0, 0.0), 0.5, (1.0, 0.0, 0.0), 9.0)
    assert hit is not None
    assert hit.tag == "ball"


def test_boxes_tell_what_they_overlap(area: TrainingArea) -> None:
    names = [body.name for body in area.overlap_box((2.0, 1.0, 0.0), (0.6, 0.5, 0.5))]
    assert names == ["near", "zone"]
    assert area.overlap_box((2.0, 1.0, 0.0), (0.5, 0.5, 0.5)) == []  # touching is not overlapping
    assert [b.name for b in area.overlap_box((2.0, 1.0, 0.0), (0.6, 0.5, 0.5), hit_triggers=False)] == [
        "near"
    ]
    assert [b.name for b in area.overlap_box((2.0, 1.0, 0.0), (0.6, 0.5, 0.5), tags={"zone"})] == ["zone"]
    assert [b.name for b in area.overlap_box((-4.0, 1.0, 0.0), (1.0, 1.0, 1.0))] == ["floor", "statue"][1:]
    assert area.check_box((0.0, 0.0, 0.0), (0.1, 0.1, 0.1), tags=("floor",))
    assert not area.check_box((0.0, 0.2, 0.0), (0.1, 0.1, 0.1))
    assert not area.check_box(
        (2.0, 1.0, 0.0), (0.6, 0.5, 0.5), ignore=area.transform("near"), hit_triggers=False
    )


def test_a_rotated_box_reaches_with_its_corner(area: TrainingArea) -> None:
    half, center = (0.5, 0.5, 0.5), (1.9, 1.0, 5.0)
    area.transform("near").position = (3.0, 1.0, 5.0)
    assert not area.check_box(center, half, hit_triggers=False)
    assert area.check_box(center, half, yaw_rotation(45.0), hit_triggers=False)


@settings(max_examples=60, deadline=None)
@given(PLACES, PLACES, PLACES, st.floats(0.0, 360.0), st.floats(0.1, 1.0))
def test_a_ray_into_a_box_agrees_with_an_overlap_there(
    x: float, y: float, z: float, yaw: float, half: float
) -> None:
    scene = Scene()
    scene.add_box("box", (1.0, 1.4, 0.6), (x, y, z), yaw_rotation(yaw))
    area = PhysicsWorld(scene).areas[0]
    length = math.hypot(x, y, z)
    if area.check_box((0.0, 0.0, 0.0), (half, half, half)) or length < 1e-3:
        return
    hit = area.raycast((0.0, 0.0, 0.0), (x, y, z), 10.0)
    assert hit is not None
    assert area.check_box(hit.point, (1e-4, 1e-4, 1e-4))
    assert hit.distance == pytest.approx(math.hypot(*hit.point))
