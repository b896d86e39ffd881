"""Rays and moving spheres against single colliders: exact where geometry tells, and everywhere consistent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents_sdk.physics.casting import MISS, SKIN, cast_at_shape
from mlagents_sdk.physics.geometry import BOX, CAPSULE, CYLINDER, PLANE, SPHERE
from mlagents_sdk.physics.surfaces import nearest_surface

extents = st.floats(0.2, 2.0)
places = st.floats(-5.0, 5.0)


def cast(
    kind: int,
    half: tuple[float, float, float],
    radius: float,
    start: tuple[float, ...],
    direction: tuple[float, ...],
    limit: float = 20.0,
) -> float:
    norm = math.hypot(*direction)
    unit = [component / norm for component in direction]
    return float(cast_at_shape(kind, *half, radius, *start, *unit, limit))


def advanced(
    kind: int, half: tuple[float, float, float], radius: float, start: np.ndarray, unit: np.ndarray
) -> float:
    """Distance by moving as far as nothing can be in the way, again and again."""
    travelled = 0.0
    for _ in range(20_000):
        gap = nearest_surface(kind, *half, *(start + travelled * unit))[0] - radius
        if gap < 1e-9:
            return travelled
        travelled += gap
        if travelled > 20.0:
            return MISS
    return travelled


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from((BOX, SPHERE, CAPSULE, CYLINDER)),
    st.tuples(extents, extents, extents),
    st.floats(0.05, 1.0),
    st.tuples(places, places, places),
    st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)),
)
def test_a_sphere_travels_until_it_touches(
    kind: int,
    half: tuple[float, float, float],
    radius: float,
    start: tuple[float, float, float],
    direction: tuple[float, float, float],
) -> None:
    if math.hypot(*direction) < 0.1:
        direction = (1.0, 0.0, 0.0)
    if kind != BOX:
        half = (half[0], half[0], half[0] if kind == SPHERE else half[0] + half[2])
    unit = np.array(direction) / math.hypot(*direction)
    distance = cast(kind, half, radius, start, direction)
    if nearest_surface(kind, *half, *start)[0] < radius - 1e-5:
        assert distance == MISS  # what is overlapped at the start is not seen
        return
    expected = advanced(kind, half, radius, np.array(start), unit)
    if distance == MISS:
        assert expected == MISS or _grazes(kind, half, radius, start, unit)
        return
    assert nearest_surface(kind, *half, *(np.array(start) + distance * unit))[0] == pytest.approx(
        radius, abs=3e-6
    )
    if expected != MISS:
        assert distance == pytest.approx(expected, abs=5e-3)
        assert distance <= expected + 1e-6


def _grazes(
    kind: int, half: tuple[float, float, float], radius: float, start: tuple[float, ...], unit: np.ndarray
) -> bool:
    along = np.linspace(0.0, 20.0, 4001)[:, None] * unit + np.array(start)
    return min(nearest_surface(kind, *half, *point)[0] for point in along) > radius - 1e-4


def test_faces_edges_and_corners_of_a_box() -> None:
    half = (1.0, 2.0, 3.0)
    assert cast(BOX, half, 0.5, (-5.0, 0.0, 0.0), (1.0, 0.0, 0.0)) == pytest.approx(3.5, abs=2e-6)
    # Beside the edge by 0.3 of the radius 0.5: the sphere gets 0.4 less far back from the edge.
    assert cast(BOX, half, 0.5, (-5.0, 2.3, 0.0), (1.0, 0.0, 0.0)) == pytest.approx(3.6, abs=5e-6)
    # Beside the corner by (0.2, 0.2): sqrt(0.25 - 0.08) back from it.
    expected = 4.0 - math.sqrt(0.17)
    assert cast(BOX, half, 0.5, (-5.0, 2.2, 3.2), (1.0, 0.0, 0.0)) == pytest.approx(expected, abs=5e-6)
    assert cast(BOX, half, 0.5, (-5.0, 2.4, 3.4), (1.0, 0.0, 0.0)) == MISS
    assert cast(BOX, half, 0.0, (-5.0, 1.9, 2.9), (1.0, 0.0, 0.0)) == pytest.approx(4.0)


def test_a_ray_that_passes_one_edge_may_hit_another() -> None:
    # It enters the grown box beside the edge along z, passes the corner and meets the edge along x.
    start = np.array((1.9, 1.95, 1.0))
    target = np.array((0.2, 1.6, 1.75))
    unit = (target - start) / np.linalg.norm(target - start)
    half = (1.0, 1.0, 1.0)
    expected = advanced(BOX, half, 1.0, start, unit)
    assert expected < MISS
    assert cast(BOX, half, 1.0, tuple(start), tuple(unit)) == pytest.approx(expected, abs=1e-4)


def test_limits_and_starts() -> None:
    half = (1.0, 1.0, 1.0)
    assert cast(BOX, half, 0.5, (-5.0, 0.0, 0.0), (1.0, 0.0, 0.0), 3.4) == MISS
    assert cast(BOX, half, 0.5, (-5.0, 0.0, 0.0), (-1.0, 0.0, 0.0)) == MISS
    assert cast(BOX, half, 0.0, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)) == MISS
    assert cast(BOX, half, 0.5, (-1.4, 0.0, 0.0), (1.0, 0.0, 0.0)) == MISS


@pytest.mark.parametrize("kind", [BOX, CAPSULE, SPHERE, CYLINDER, PLANE])
def test_a_sphere_that_touches_sees_what_it_moves_into_but_not_what_it_slides_along(kind: int) -> None:
    half = (1.0, 1.0, 2.0 if kind == CAPSULE else 1.0)
    top = 0.0 if kind == PLANE else half[2]
    for gap in (0.0, 1e-7, -1e-7):
        start = (0.0, 0.0, top + 0.5 + gap)
        assert cast(kind, half, 0.5, start, (0.0, 0.0, -1.0)) == pytest.approx(0.0, abs=3e-6)
        if kind in (BOX, PLANE):
            assert cast(kind, half, 0.5, start, (1.0, 0.0, 0.0)) == MISS
        assert cast(kind, half, 0.5, start, (0.0, 0.0, 1.0)) == MISS


def test_a_grazing_sphere_hits() -> None:
    # Exactly as high above the top as its radius, it touches the top's near edge.
    half = (1.0, 5.0, 1.0)
    assert cast(BOX, half, 0.5, (-5.0, 0.0, 1.5), (1.0, 0.0, 0.0)) == pytest.approx(4.0, abs=2e-3)
    assert cast(BOX, half, 0.5, (-5.0, 0.0, 1.5 + 2.0 * SKIN), (1.0, 0.0, 0.0)) == MISS
