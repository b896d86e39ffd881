"""Rotations in the original's frame."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlagents_sdk.physics.rotations import (
    IDENTITY,
    Quaternion,
    conjugate,
    multiply,
    rotate,
    turned_about_x,
    turned_about_y,
    turned_about_z,
)

components = st.floats(-1.0, 1.0)
angles = st.floats(-180.0, 180.0)


def _unit(x: float, y: float, z: float, w: float) -> Quaternion:
    norm = math.hypot(x, y, z, w)
    return (x / norm, y / norm, z / norm, w / norm) if norm > 1e-3 else IDENTITY


quaternions = st.builds(_unit, components, components, components, components)


def test_positive_turns_are_clockwise_seen_along_the_axis() -> None:
    # Yaw turns forward (z) to the right (x); pitch turns up (y) to forward (z); roll turns right (x) up (y).
    assert rotate(turned_about_y(IDENTITY, 90.0), (0.0, 0.0, 1.0)) == pytest.approx((1.0, 0.0, 0.0))
    assert rotate(turned_about_x(IDENTITY, 90.0), (0.0, 1.0, 0.0)) == pytest.approx((0.0, 0.0, 1.0))
    assert rotate(turned_about_z(IDENTITY, 90.0), (1.0, 0.0, 0.0)) == pytest.approx((0.0, 1.0, 0.0))


@given(quaternions, angles)
def test_a_turn_is_a_product_in_the_own_frame(rotation: Quaternion, degrees: float) -> None:
    half = math.radians(degrees) / 2.0
    s, c = math.sin(half), math.cos(half)
    assert turned_about_x(rotation, degrees) == pytest.approx(multiply(rotation, (s, 0.0, 0.0, c)), abs=1e-12)
    assert turned_about_y(rotation, degrees) == pytest.approx(multiply(rotation, (0.0, s, 0.0, c)), abs=1e-12)
    assert turned_about_z(rotation, degrees) == pytest.approx(multiply(rotation, (0.0, 0.0, s, c)), abs=1e-12)


@given(quaternions, quaternions)
def test_products_rotate_one_after_the_other(a: Quaternion, b: Quaternion) -> None:
    vector = (0.3, -1.2, 0.7)
    assert rotate(multiply(a, b), vector) == pytest.approx(rotate(a, rotate(b, vector)), abs=1e-9)
    assert rotate(conjugate(a), rotate(a, vector)) == pytest.approx(vector, abs=1e-9)
