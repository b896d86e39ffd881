"""How far a point is from the surface of a solid."""

from __future__ import annotations

import math

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import CAPSULE, CYLINDER, PLANE, SPHERE


@compiled
def nearest_surface(
    kind: int, h0: float, h1: float, h2: float, u: float, v: float, w: float
) -> tuple[float, float, float, float]:
    """Distance of a point from the surface of a collider, and the outward normal there.

    Args:
        kind: geometry.
        h0: half extents, metres; round shapes have their axis along the third.
        h1: ditto.
        h2: ditto.
        u: the point along the first axis of the collider, from its centre, metres.
        v: along the second.
        w: along the third.

    Returns:
        ``(distance, nu, nv, nw)``; the distance is negative inside.
    """
    if kind == PLANE:
        return w, 0.0, 0.0, 1.0
    if kind in (SPHERE, CAPSULE):
        straight = h2 - h0 if kind == CAPSULE else 0.0
        dw = w - min(max(w, -straight), straight)
        length = math.sqrt(u * u + v * v + dw * dw)
        if length < 1e-12:
            return -h0, 1.0, 0.0, 0.0
        return length - h0, u / length, v / length, dw / length
    if kind == CYLINDER:
        return _nearest_on_cylinder(h0, h2, u, v, w)
    return _nearest_on_box(h0, h1, h2, u, v, w)


@compiled
def _nearest_on_box(
    h0: float, h1: float, h2: float, u: float, v: float, w: float
) -> tuple[float, float, float, float]:
    du = max(abs(u) - h0, 0.0)
    dv = max(abs(v) - h1, 0.0)
    dw = max(abs(w) - h2, 0.0)
    square = du * du + dv * dv + dw * dw
    if square > 0.0:
        length = math.sqrt(square)
        return (
            length,
            math.copysign(du / length, u),
            math.copysign(dv / length, v),
            math.copysign(dw / length, w),
        )
    su, sv, sw = abs(u) - h0, abs(v) - h1, abs(w) - h2
    if su >= sv and su >= sw:
        return su, math.copysign(1.0, u), 0.0, 0.0
    if sv >= sw:
        return sv, 0.0, math.copysign(1.0, v), 0.0
    return sw, 0.0, 0.0, math.copysign(1.0, w)


@compiled
def _nearest_on_cylinder(
    radius: float, height: float, u: float, v: float, w: float
) -> tuple[float, float, float, float]:
    """The same for a cylinder of half height ``height``."""
    across = math.sqrt(u * u + v * v)
    nu, nv = (u / across, v / across) if across > 1e-12 else (1.0, 0.0)
    side = across - radius
    end = abs(w) - height
    upwards = math.copysign(1.0, w)
    if side > 0.0 and end > 0.0:
        length = math.sqrt(side * side + end * end)
        return length, nu * side / length, nv * side / length, upwards * end / length
    if side > end:
        return side, nu, nv, 0.0
    return end, 0.0, 0.0, upwards
