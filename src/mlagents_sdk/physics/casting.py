"""How far a ray, or a sphere along a ray, gets before it hits a collider: exact for every geometry.

A sphere cast against a solid is a ray cast against the solid grown by the radius of the sphere. A grown box
has flat faces, edges that are parts of cylinders and corners that are parts of spheres (C. Ericson,
"Real-Time Collision Detection", 2005, section 5.5.7). What the sphere overlaps at the start is not
reported. Everything is in the frame of the collider, in metres.
"""

from __future__ import annotations

import math

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import BOX, CAPSULE, PLANE, SPHERE
from mlagents_sdk.physics.surfaces import nearest_surface

MISS = 1e30
"""Distance of what is not hit, metres."""

SKIN = 1e-6
"""Metres by which a moving sphere may pass and still touch. The original's casts have such a tolerance: of
recorded thick rays that graze an edge exactly, three quarters hit it."""

_TOUCH = 2.0 * SKIN  # a sphere, skin included, that is in by less at the start touches but does not overlap
_ADVANCE_ROUNDS = 200
_ADVANCE_PRECISION = 1e-9  # metres


@compiled
def cast_at_shape(
    kind: int,
    h0: float,
    h1: float,
    h2: float,
    radius: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    limit: float,
) -> float:
    """Distance that a sphere travels until it touches a collider.

    Args:
        kind: geometry of the collider.
        h0: its half extents, metres; round shapes have their axis along the third.
        h1: ditto.
        h2: ditto.
        radius: of the sphere, 0 for a ray.
        ou: start along the first axis of the collider, from its centre.
        ov: along the second.
        ow: along the third.
        du: direction, of unit length, along the first axis.
        dv: along the second.
        dw: along the third.
        limit: how far it travels.

    Returns:
        The distance, :data:`MISS` when it hits nothing within the limit or starts in overlap.
    """
    if radius > 0.0:
        radius += SKIN
    if kind == BOX:
        return _cast_at_box(h0, h1, h2, radius, ou, ov, ow, du, dv, dw, limit)
    if kind == SPHERE:
        return _within(_cast_at_ball(radius + h0, ou, ov, ow, du, dv, dw), limit)
    if kind == PLANE:
        if ow < radius - _TOUCH or dw >= 0.0:
            return MISS
        return _within((radius - ow) / dw, limit)
    if kind == CAPSULE:
        distance = _cast_at_capsule(radius + h0, h2 - h0, ou, ov, ow, du, dv, dw)
        return _within(distance, limit)
    return _advance(kind, h0, h1, h2, radius, ou, ov, ow, du, dv, dw, limit)


@compiled
def _within(distance: float, limit: float) -> float:
    return max(distance, 0.0) if distance <= limit else MISS


@compiled
def _cast_at_ball(radius: float, ou: float, ov: float, ow: float, du: float, dv: float, dw: float) -> float:
    """Distance to a sphere about the origin."""
    outside = ou * ou + ov * ov + ow * ow - radius * radius
    approach = ou * du + ov * dv + ow * dw
    if outside < -2.0 * _TOUCH * radius or approach >= 0.0:
        return MISS
    root = approach * approach - outside
    return -approach - math.sqrt(root) if root >= 0.0 else MISS


@compiled
def _cast_at_capsule(
    radius: float, straight: float, ou: float, ov: float, ow: float, du: float, dv: float, dw: float
) -> float:
    """Distance to a capsule along the third axis, ``straight`` metres from its centre to each cap's."""
    nearest = min(max(ow, -straight), straight)
    gap = ow - nearest
    if ou * ou + ov * ov + gap * gap < radius * radius - 2.0 * _TOUCH * radius:
        return MISS
    across = du * du + dv * dv
    if across > 1e-18:
        b = ou * du + ov * dv
        c = ou * ou + ov * ov - radius * radius
        root = b * b - across * c
        if root < 0.0:
            return MISS
        distance = (-b - math.sqrt(root)) / across
        if distance >= 0.0 and abs(ow + distance * dw) <= straight:
            return distance
    low = _cast_at_ball(radius, ou, ov, ow + straight, du, dv, dw)
    return min(low, _cast_at_ball(radius, ou, ov, ow - straight, du, dv, dw))


@compiled
def _cast_at_box(
    h0: float,
    h1: float,
    h2: float,
    radius: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    limit: float,
) -> float:
    """Distance to a box; see the module's description."""
    # Where the ray enters the box grown by the radius on all sides, and where it leaves it.
    enter = -MISS
    leave = limit
    for axis in range(3):
        o = ou if axis == 0 else (ov if axis == 1 else ow)
        d = du if axis == 0 else (dv if axis == 1 else dw)
        reach = (h0 if axis == 0 else (h1 if axis == 1 else h2)) + radius
        if abs(d) < 1e-15:
            if abs(o) >= reach:
                return MISS
            continue
        inverse = 1.0 / d
        middle = -o * inverse
        around = reach * abs(inverse)
        enter = max(enter, middle - around)
        leave = min(leave, middle + around)
        if enter > leave or leave < 0.0:
            return MISS
    if radius == 0.0:
        return enter if enter >= 0.0 else MISS
    if enter < 0.0:
        # Inside the grown box: in overlap, or in a corner that the rounding leaves free.
        au = max(abs(ou) - h0, 0.0)
        av = max(abs(ov) - h1, 0.0)
        aw = max(abs(ow) - h2, 0.0)
        if au * au + av * av + aw * aw < radius * radius - 2.0 * _TOUCH * radius:
            return MISS
        enter = 0.0
    pu, pv, pw = ou + enter * du, ov + enter * dv, ow + enter * dw
    outside = (1 if abs(pu) > h0 else 0) + (1 if abs(pv) > h1 else 0) + (1 if abs(pw) > h2 else 0)
    if outside <= 1:
        return enter if enter > 0.0 or _leads_in(h0, h1, h2, ou, ov, ow, du, dv, dw) else MISS
    return _within(_cast_at_edges(h0, h1, h2, radius, ou, ov, ow, du, dv, dw), limit)


@compiled
def _leads_in(
    h0: float, h1: float, h2: float, ou: float, ov: float, ow: float, du: float, dv: float, dw: float
) -> bool:
    """Whether a sphere that touches a face moves towards the box."""
    toward = 0.0
    if abs(ou) > h0:
        toward -= math.copysign(du, du * ou)
    if abs(ov) > h1:
        toward -= math.copysign(dv, dv * ov)
    if abs(ow) > h2:
        toward -= math.copysign(dw, dw * ow)
    return toward > 0.0


@compiled
def _cast_at_edges(
    h0: float,
    h1: float,
    h2: float,
    radius: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
) -> float:
    """Distance to the nearest of the twelve rounded edges.

    All of them, because a ray that enters the grown box beside one edge may pass a corner and hit another.
    """
    best = MISS
    for side in range(4):
        one = 1.0 if side & 1 else -1.0
        two = 1.0 if side & 2 else -1.0
        a, b, c = one * h0, one * h1, two * h1
        e = two * h2
        best = min(best, _cast_at_capsule(radius, h0, ov - b, ow - e, ou, dv, dw, du))
        best = min(best, _cast_at_capsule(radius, h1, ou - a, ow - e, ov, du, dw, dv))
        best = min(best, _cast_at_capsule(radius, h2, ou - a, ov - c, ow, du, dv, dw))
    return best


@compiled
def _advance(
    kind: int,
    h0: float,
    h1: float,
    h2: float,
    radius: float,
    ou: float,
    ov: float,
    ow: float,
    du: float,
    dv: float,
    dw: float,
    limit: float,
) -> float:
    """Distance to any convex solid, found by moving as far as nothing can be hit, again and again."""
    travelled = 0.0
    if nearest_surface(kind, h0, h1, h2, ou, ov, ow)[0] < radius - _TOUCH:
        return MISS
    for _ in range(_ADVANCE_ROUNDS):
        gap, nu, nv, nw = nearest_surface(
            kind, h0, h1, h2, ou + travelled * du, ov + travelled * dv, ow + travelled * dw
        )
        gap -= radius
        approach = -(nu * du + nv * dv + nw * dw)
        if approach <= 0.0:
            return MISS  # it moves away, and from something convex for ever
        if gap < _ADVANCE_PRECISION:
            return travelled
        # The solid lies behind the plane through its nearest point.
        travelled += gap / approach
        if travelled > limit:
            return MISS
    return travelled
