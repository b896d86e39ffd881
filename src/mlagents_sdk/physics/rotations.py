"""Rotations as plain tuples of floats ``(x, y, z, w)`` in the original's frame.

The frame is left-handed with x to the right, y up and z forward; positive angles turn clockwise, seen
from where the axis points to. The algebra of quaternions does not know handedness, so products and
conjugates read as usual. Tuples, because small NumPy arrays cost more than the arithmetic.
"""

from __future__ import annotations

import math

Vector = tuple[float, float, float]
"""Three floats along x (right), y (up) and z (forward)."""

Quaternion = tuple[float, float, float, float]
"""A unit quaternion, ``(x, y, z, w)``."""

IDENTITY: Quaternion = (0.0, 0.0, 0.0, 1.0)
"""No rotation."""

_HALF_RADIAN_PER_DEGREE = math.pi / 360.0


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """Rotation that applies ``b`` in the own frame of ``a`` (Hamilton product ``a b``)."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def turned_about_x(rotation: Quaternion, degrees: float) -> Quaternion:
    """``rotation`` turned about its own x axis."""
    x, y, z, w = rotation
    half = degrees * _HALF_RADIAN_PER_DEGREE
    s, c = math.sin(half), math.cos(half)
    return (w * s + x * c, y * c + z * s, z * c - y * s, w * c - x * s)


def turned_about_y(rotation: Quaternion, degrees: float) -> Quaternion:
    """``rotation`` turned about its own y axis."""
    x, y, z, w = rotation
    half = degrees * _HALF_RADIAN_PER_DEGREE
    s, c = math.sin(half), math.cos(half)
    return (x * c - z * s, w * s + y * c, z * c + x * s, w * c - y * s)


def turned_about_z(rotation: Quaternion, degrees: float) -> Quaternion:
    """``rotation`` turned about its own z axis."""
    x, y, z, w = rotation
    half = degrees * _HALF_RADIAN_PER_DEGREE
    s, c = math.sin(half), math.cos(half)
    return (x * c + y * s, y * c - x * s, w * s + z * c, w * c - z * s)


def yaw_rotation(degrees: float) -> Quaternion:
    """Turn about the vertical, clockwise seen from above."""
    half = degrees * _HALF_RADIAN_PER_DEGREE
    return (0.0, math.sin(half), 0.0, math.cos(half))


def euler_rotation(pitch: float, yaw: float = 0.0, roll: float = 0.0) -> Quaternion:
    """Rotation by angles in degrees: about y first, then about the own x axis, then about the own z axis.

    Args:
        pitch: positive looks down.
        yaw: positive looks to the right.
        roll: positive tilts to the left.
    """
    return turned_about_z(turned_about_x(yaw_rotation(yaw), pitch), roll)


def rotate(rotation: Quaternion, vector: Vector) -> Vector:
    """``vector`` of the rotated frame, as seen from the outer frame."""
    x, y, z, w = rotation
    vx, vy, vz = vector
    tx = 2.0 * (y * vz - z * vy)
    ty = 2.0 * (z * vx - x * vz)
    tz = 2.0 * (x * vy - y * vx)
    return (
        vx + w * tx + y * tz - z * ty,
        vy + w * ty + z * tx - x * tz,
        vz + w * tz + x * ty - y * tx,
    )


def conjugate(rotation: Quaternion) -> Quaternion:
    """The opposite rotation."""
    x, y, z, w = rotation
    return (-x, -y, -z, w)
