"""Contacts of pairs of colliders, against MuJoCo's distances and against geometry."""

from __future__ import annotations

import math
from typing import NamedTuple

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents_sdk.physics.geometry import BOX, CAPSULE, CYLINDER, PLANE, SPHERE, empty_placement, into_axes
from mlagents_sdk.physics.layout import rotation_matrix
from mlagents_sdk.physics.narrow_phase import collide
from mlagents_sdk.physics.surfaces import nearest_surface

MARGIN = 0.02
_GEOMS = {BOX: "box", SPHERE: "sphere", CAPSULE: "capsule", CYLINDER: "cylinder"}


class Solid(NamedTuple):
    kind: int
    half: tuple[float, float, float]
    center: tuple[float, float, float]
    wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)


def contacts(a: Solid, b: Solid, margin: float = MARGIN) -> np.ndarray:
    placement = empty_placement(2)
    for index, solid in enumerate((a, b)):
        placement.centers[index] = solid.center
        placement.halves[index] = solid.half
        placement.axes[index] = rotation_matrix(np.array(solid.wxyz))
    out = np.zeros((4, 7))
    return out[: collide(a.kind, 0, b.kind, 1, placement, margin, out)]


def mujoco_distance(a: Solid, b: Solid) -> float:
    geoms = ""
    for solid in (a, b):
        size = [solid.half[0], solid.half[2] - (solid.half[0] if solid.kind == CAPSULE else 0.0), 0.0]
        numbers = solid.half if solid.kind == BOX else size
        text = [" ".join(map(str, vector)) for vector in (numbers, solid.center, solid.wxyz)]
        geoms += f'<geom type="{_GEOMS[solid.kind]}" size="{text[0]}" pos="{text[1]}" quat="{text[2]}"/>'
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{geoms}</worldbody></mujoco>")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return float(mujoco.mj_geomDistance(model, data, 0, 1, 10.0, None))


def distance_of_point(solid: Solid, point: np.ndarray) -> float:
    axes = rotation_matrix(np.array(solid.wxyz))[None]
    local = into_axes(axes, 0, *(point - np.array(solid.center)))
    return float(nearest_surface(solid.kind, *solid.half, *local)[0])


@st.composite
def solids(draw: st.DrawFn, kinds: tuple[int, ...]) -> Solid:
    kind = draw(st.sampled_from(kinds))
    extent = st.floats(0.2, 1.0)
    if kind == BOX:
        half = (draw(extent), draw(extent), draw(extent))
    else:
        radius = draw(extent)
        half = (radius, radius, radius if kind == SPHERE else radius + draw(extent))
    place = st.floats(-1.3, 1.3)
    turn = np.array([draw(st.floats(-1.0, 1.0)) for _ in range(4)])
    norm = float(np.linalg.norm(turn))
    wxyz = tuple((turn / norm).tolist()) if norm > 0.1 else (1.0, 0.0, 0.0, 0.0)
    return Solid(kind, half, (draw(place), draw(place), draw(place)), wxyz)


@settings(max_examples=150, deadline=None)
@given(solids((BOX, SPHERE, CAPSULE)), solids((BOX, SPHERE, CAPSULE)))
def test_contacts_are_found_where_mujoco_measures_no_distance(a: Solid, b: Solid) -> None:
    distance = mujoco_distance(a, b)
    found = contacts(a, b)
    if distance > MARGIN + 2e-3:
        # Between an edge and a corner no axis of both boxes is quite the line of least distance.
        slack = 1.8 if a.kind == b.kind == BOX else 1.0
        assert len(found) == 0 or distance < slack * (MARGIN + 2e-3)
    elif distance < -1e-3:
        assert len(found) > 0
        assert found[:, 3].min() < 0.0
    for nx, ny, nz, separation, *point in found:
        assert math.hypot(nx, ny, nz) == pytest.approx(1.0)
        assert separation <= MARGIN
        on_b = np.array(point)
        assert distance_of_point(b, on_b) < 1e-6  # on b or, where the two overlap deeply, inside it
        assert distance_of_point(a, on_b + separation * np.array([nx, ny, nz])) < 1e-6


@settings(max_examples=100, deadline=None)
@given(solids((BOX, SPHERE, CAPSULE)), solids((BOX, SPHERE, CAPSULE)))
def test_the_roles_of_both_can_be_swapped(a: Solid, b: Solid) -> None:
    one, other = contacts(a, b), contacts(b, a)
    assert (len(one) > 0) == (len(other) > 0)
    if len(one) == len(other) == 1 and one[0, 3] > -0.1:  # deep down, directions are ambiguous
        np.testing.assert_allclose(one[0, :3], -other[0, :3], atol=1e-6)
        assert one[0, 3] == pytest.approx(other[0, 3], abs=1e-6)


def test_a_box_flat_on_another_touches_at_four_corners() -> None:
    turn = (math.cos(0.3), 0.0, 0.0, math.sin(0.3))
    found = contacts(
        Solid(BOX, (0.5, 0.5, 0.5), (1.0, 2.0, 0.51), turn), Solid(BOX, (9.0, 9.0, 1.0), (0.0, 0.0, -1.0))
    )
    assert len(found) == 4
    np.testing.assert_allclose(found[:, :3], [(0.0, 0.0, 1.0)] * 4, atol=1e-12)
    np.testing.assert_allclose(found[:, 3], 0.01)
    np.testing.assert_allclose(found[:, 6], 0.0, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*(found[:, 4:6] - (1.0, 2.0)).T), math.sqrt(0.5))


def test_an_overlap_of_eight_corners_keeps_those_that_span_most() -> None:
    turn = (math.cos(math.pi / 8), 0.0, 0.0, math.sin(math.pi / 8))
    found = contacts(
        Solid(BOX, (1.0, 1.0, 0.5), (0.0, 0.0, 0.49), turn), Solid(BOX, (1.0, 1.0, 0.5), (0.0, 0.0, -0.5))
    )
    assert len(found) == 4
    assert np.ptp(found[:, 4]) > 1.5
    assert np.ptp(found[:, 5]) > 1.5


def test_crossed_edges_touch_in_one_point() -> None:
    # Two boxes balanced on edges that cross at right angles, one above the other.
    lower = Solid(
        BOX, (0.5, 2.0, 0.5), (0.0, 0.0, 0.0), (math.cos(math.pi / 8), 0.0, math.sin(math.pi / 8), 0.0)
    )
    upper = Solid(
        BOX,
        (2.0, 0.5, 0.5),
        (0.3, 0.2, math.sqrt(2.0) - 0.01),
        (math.cos(math.pi / 8), math.sin(math.pi / 8), 0.0, 0.0),
    )
    found = contacts(upper, lower)
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :3], (0.0, 0.0, 1.0), atol=1e-9)
    assert found[0, 3] == pytest.approx(-0.01)
    np.testing.assert_allclose(found[0, 4:], (0.0, 0.2, math.sqrt(0.5)), atol=1e-9)


def test_a_lying_capsule_rests_on_both_ends_and_a_tilted_one_on_one() -> None:
    floor = Solid(BOX, (9.0, 9.0, 1.0), (0.0, 0.0, -1.0))
    lying = (math.sqrt(0.5), 0.0, math.sqrt(0.5), 0.0)
    found = contacts(Solid(CAPSULE, (0.3, 0.3, 1.0), (0.0, 0.0, 0.31), lying), floor)
    assert len(found) == 2
    assert sorted(found[:, 4]) == pytest.approx([-0.7, 0.7])
    assert found[:, 3] == pytest.approx([0.01, 0.01])
    tilted = (math.cos(0.5), 0.0, math.sin(0.5), 0.0)
    height = 0.3 + 0.7 * math.cos(1.0)
    assert len(contacts(Solid(CAPSULE, (0.3, 0.3, 1.0), (0.0, 0.0, height), tilted), floor)) == 1


def test_boxes_and_spheres_on_planes_and_cylinders() -> None:
    plane = Solid(PLANE, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))
    disc = Solid(CYLINDER, (20.0, 20.0, 0.5), (0.0, 0.0, 0.5))
    for ground in (plane, disc):
        found = contacts(Solid(BOX, (0.5, 0.5, 0.5), (3.0, 4.0, 1.49)), ground)
        assert found[:, 3] == pytest.approx([-0.01] * 4)
        assert found[:, 2] == pytest.approx([1.0] * 4)
        assert found[:, 6] == pytest.approx([1.0] * 4)
        found = contacts(Solid(SPHERE, (0.5, 0.5, 0.5), (3.0, 4.0, 1.51)), ground)
        assert found[0, 3] == pytest.approx(0.01)
    pillar = Solid(CYLINDER, (0.7, 0.7, 2.0), (0.0, 0.0, 0.0))
    found = contacts(Solid(BOX, (0.5, 3.0, 0.5), (1.19, 0.0, 0.0)), pillar)
    assert found[0, :4] == pytest.approx((1.0, 0.0, 0.0, -0.01), abs=1e-6)
    assert found[0, 4:6] == pytest.approx((0.7, 0.0), abs=1e-6)
    assert len(contacts(pillar, plane)) == 0
