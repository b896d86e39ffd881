"""Where two boxes touch: separating axes, then the incident face clipped by the reference face.

The axis of least overlap is searched among the face normals of both boxes and the cross products of their
edges (S. Gottschalk, M. C. Lin, D. Manocha, "OBBTree", 1996). A face axis gives up to four points, found by
clipping the most opposed face of the other box (I. Sutherland, G. Hodgman, "Reentrant polygon clipping",
1974); an edge axis gives one.

A contact is a row ``(nx, ny, nz, separation, x, y, z)``: the normal points from ``b`` to ``a``, and the point
lies on the surface of ``b``. Everything is in MuJoCo's frame.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlagents_sdk.physics.compiled import compiled
from mlagents_sdk.physics.geometry import Placement, into_axes

CONTACT_WIDTH = 7
"""Numbers of a contact."""

MAX_CONTACTS = 4
"""Points kept of one pair."""

_FACE_PREFERENCE = 1e-3  # metres by which an edge must separate better than any face
_PARALLEL = 1e-3  # sine of the angle below which two edges give no axis

# Rows of the scratch space.
_POLYGON = 0  # 12 corners: along two axes of the reference face, and separation
_SPARE = 12  # the same
_COSINES = 24  # 3, of the angles between the axes of a and those of b
_KEPT = 27  # 4 corners


@compiled
def collide_boxes(a: int, b: int, placement: Placement, margin: float, out: NDArray[np.float64]) -> int:
    """Contacts of two boxes.

    Args:
        a: index of a box in the placement.
        b: index of another one.
        placement: where they are.
        margin: separation above which nothing is reported, metres.
        out: ``(4, 7)``, gets the contacts.

    Returns:
        Number of contacts, 0 to 4.
    """
    centers, axes, halves, scratch = placement.centers, placement.axes, placement.halves, placement.scratch
    dx, dy, dz = into_axes(
        axes,
        a,
        centers[b, 0] - centers[a, 0],
        centers[b, 1] - centers[a, 1],
        centers[b, 2] - centers[a, 2],
    )
    for i in range(3):
        for j in range(3):
            scratch[_COSINES + i, j] = (
                axes[a, 0, i] * axes[b, 0, j] + axes[a, 1, i] * axes[b, 1, j] + axes[a, 2, i] * axes[b, 2, j]
            )
    best = -np.inf
    face = -1
    for i in range(3):
        reach = halves[a, i]
        for j in range(3):
            reach += abs(scratch[_COSINES + i, j]) * halves[b, j]
        separation = abs(dx if i == 0 else (dy if i == 1 else dz)) - reach
        if separation > margin:
            return 0
        if separation > best:
            best = separation
            face = i
    for j in range(3):
        c0, c1, c2 = scratch[_COSINES, j], scratch[_COSINES + 1, j], scratch[_COSINES + 2, j]
        reach = halves[b, j] + abs(c0) * halves[a, 0] + abs(c1) * halves[a, 1] + abs(c2) * halves[a, 2]
        separation = abs(dx * c0 + dy * c1 + dz * c2) - reach
        if separation > margin:
            return 0
        if separation > best + 1e-9:
            best = separation
            face = 3 + j
    edge_best, edge = _best_edge_axis(dx, dy, dz, a, b, placement)
    if edge_best > margin:
        return 0
    if edge >= 0 and edge_best > best + _FACE_PREFERENCE:
        _edge_contact(a, b, placement, edge // 3, edge % 3, edge_best, out)
        return 1
    if face < 3:
        return _face_contacts(a, b, placement, face, True, margin, out)
    return _face_contacts(b, a, placement, face - 3, False, margin, out)


@compiled
def _best_edge_axis(
    dx: float, dy: float, dz: float, a: int, b: int, placement: Placement
) -> tuple[float, int]:
    """Largest separation along a cross product of edges, and which: ``3 i + j``, -1 when all are parallel."""
    halves, scratch = placement.halves, placement.scratch
    best = -np.inf
    edge = -1
    for i in range(3):
        i1 = (i + 1) % 3
        i2 = (i + 2) % 3
        d1 = dx if i1 == 0 else (dy if i1 == 1 else dz)
        d2 = dx if i2 == 0 else (dy if i2 == 1 else dz)
        for j in range(3):
            j1 = (j + 1) % 3
            j2 = (j + 2) % 3
            cosine = scratch[_COSINES + i, j]
            sine = math.sqrt(max(0.0, 1.0 - cosine * cosine))
            if sine < _PARALLEL:
                continue
            reach = (
                halves[a, i1] * abs(scratch[_COSINES + i2, j])
                + halves[a, i2] * abs(scratch[_COSINES + i1, j])
                + halves[b, j1] * abs(scratch[_COSINES + i, j2])
                + halves[b, j2] * abs(scratch[_COSINES + i, j1])
            )
            apart = abs(d2 * scratch[_COSINES + i1, j] - d1 * scratch[_COSINES + i2, j])
            separation = (apart - reach) / sine
            if separation > best:
                best = separation
                edge = 3 * i + j
    return best, edge


@compiled
def _edge_contact(
    a: int, b: int, placement: Placement, i: int, j: int, separation: float, out: NDArray[np.float64]
) -> None:
    """The contact between edge ``i`` of ``a`` and edge ``j`` of ``b``."""
    centers, axes, halves = placement.centers, placement.axes, placement.halves
    nx = axes[a, 1, i] * axes[b, 2, j] - axes[a, 2, i] * axes[b, 1, j]
    ny = axes[a, 2, i] * axes[b, 0, j] - axes[a, 0, i] * axes[b, 2, j]
    nz = axes[a, 0, i] * axes[b, 1, j] - axes[a, 1, i] * axes[b, 0, j]
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    px, py, pz = (
        centers[a, 0] - centers[b, 0],
        centers[a, 1] - centers[b, 1],
        centers[a, 2] - centers[b, 2],
    )
    if nx * px + ny * py + nz * pz < 0.0:
        length = -length
    nx /= length
    ny /= length
    nz /= length
    # From a point on the edge of b to one on that of a: each the corner farthest towards the other box.
    qx, qy, qz = centers[b, 0], centers[b, 1], centers[b, 2]
    for k in range(3):
        if k != i:
            side = nx * axes[a, 0, k] + ny * axes[a, 1, k] + nz * axes[a, 2, k]
            reach = -halves[a, k] if side > 0.0 else halves[a, k]
            px += reach * axes[a, 0, k]
            py += reach * axes[a, 1, k]
            pz += reach * axes[a, 2, k]
        if k != j:
            side = nx * axes[b, 0, k] + ny * axes[b, 1, k] + nz * axes[b, 2, k]
            reach = halves[b, k] if side > 0.0 else -halves[b, k]
            qx += reach * axes[b, 0, k]
            qy += reach * axes[b, 1, k]
            qz += reach * axes[b, 2, k]
            px -= reach * axes[b, 0, k]
            py -= reach * axes[b, 1, k]
            pz -= reach * axes[b, 2, k]
    cosine = placement.scratch[_COSINES + i, j]
    along_a = axes[a, 0, i] * px + axes[a, 1, i] * py + axes[a, 2, i] * pz
    along_b = axes[b, 0, j] * px + axes[b, 1, j] * py + axes[b, 2, j] * pz
    shift = (along_b - cosine * along_a) / (1.0 - cosine * cosine)
    out[0, 0] = nx
    out[0, 1] = ny
    out[0, 2] = nz
    out[0, 3] = separation
    out[0, 4] = qx + shift * axes[b, 0, j]
    out[0, 5] = qy + shift * axes[b, 1, j]
    out[0, 6] = qz + shift * axes[b, 2, j]


@compiled
def _face_contacts(
    r: int,
    i: int,
    placement: Placement,
    face: int,
    reference_is_a: bool,
    margin: float,
    out: NDArray[np.float64],
) -> int:
    """Contacts of the reference box ``r`` at its axis ``face`` with the incident box ``i``."""
    centers, axes, halves, scratch = placement.centers, placement.axes, placement.halves, placement.scratch
    dx, dy, dz = (
        centers[i, 0] - centers[r, 0],
        centers[i, 1] - centers[r, 1],
        centers[i, 2] - centers[r, 2],
    )
    sign = 1.0 if dx * axes[r, 0, face] + dy * axes[r, 1, face] + dz * axes[r, 2, face] >= 0.0 else -1.0
    mx, my, mz = sign * axes[r, 0, face], sign * axes[r, 1, face], sign * axes[r, 2, face]
    incident = 0
    most = -1.0
    towards = 1.0
    for k in range(3):
        cosine = mx * axes[i, 0, k] + my * axes[i, 1, k] + mz * axes[i, 2, k]
        if abs(cosine) > most:
            most = abs(cosine)
            incident = k
            towards = -1.0 if cosine > 0.0 else 1.0
    f1 = (face + 1) % 3
    f2 = (face + 2) % 3
    k1 = (incident + 1) % 3
    k2 = (incident + 2) % 3
    depth = towards * halves[i, incident]
    for corner in range(4):
        s1 = halves[i, k1] if corner in (0, 3) else -halves[i, k1]
        s2 = halves[i, k2] if corner < 2 else -halves[i, k2]
        px = dx + depth * axes[i, 0, incident] + s1 * axes[i, 0, k1] + s2 * axes[i, 0, k2]
        py = dy + depth * axes[i, 1, incident] + s1 * axes[i, 1, k1] + s2 * axes[i, 1, k2]
        pz = dz + depth * axes[i, 2, incident] + s1 * axes[i, 2, k1] + s2 * axes[i, 2, k2]
        at = _POLYGON + corner
        scratch[at, 0] = px * axes[r, 0, f1] + py * axes[r, 1, f1] + pz * axes[r, 2, f1]
        scratch[at, 1] = px * axes[r, 0, f2] + py * axes[r, 1, f2] + pz * axes[r, 2, f2]
        scratch[at, 2] = px * mx + py * my + pz * mz - halves[r, face]
    count = _clip(scratch, _POLYGON, 4, 0, 1.0, halves[r, f1], _SPARE)
    count = _clip(scratch, _SPARE, count, 0, -1.0, halves[r, f1], _POLYGON)
    count = _clip(scratch, _POLYGON, count, 1, 1.0, halves[r, f2], _SPARE)
    count = _clip(scratch, _SPARE, count, 1, -1.0, halves[r, f2], _POLYGON)
    count = _keep_near(scratch, count, margin)
    side = -1.0 if reference_is_a else 1.0
    for k in range(count):
        at = _POLYGON + k
        u, v, separation = scratch[at, 0], scratch[at, 1], scratch[at, 2]
        height = halves[r, face] + (separation if reference_is_a else 0.0)
        out[k, 0] = side * mx
        out[k, 1] = side * my
        out[k, 2] = side * mz
        out[k, 3] = separation
        out[k, 4] = centers[r, 0] + u * axes[r, 0, f1] + v * axes[r, 0, f2] + height * mx
        out[k, 5] = centers[r, 1] + u * axes[r, 1, f1] + v * axes[r, 1, f2] + height * my
        out[k, 6] = centers[r, 2] + u * axes[r, 2, f1] + v * axes[r, 2, f2] + height * mz
    return count


@compiled
def _clip(
    points: NDArray[np.float64], source: int, count: int, axis: int, sign: float, limit: float, target: int
) -> int:
    """Cut off the part of a polygon where ``sign * coordinate > limit``; returns the number of corners."""
    kept = target
    for k in range(count):
        here = source + k
        there = source + (k + 1 if k + 1 < count else 0)
        a = limit - sign * points[here, axis]
        b = limit - sign * points[there, axis]
        if a >= 0.0:
            for m in range(3):
                points[kept, m] = points[here, m]
            kept += 1
        if (a > 0.0 and b < 0.0) or (a < 0.0 and b > 0.0):
            share = a / (a - b)
            for m in range(3):
                points[kept, m] = points[here, m] + share * (points[there, m] - points[here, m])
            kept += 1
    return kept - target


@compiled
def _keep_near(points: NDArray[np.float64], count: int, margin: float) -> int:
    """Keep at most four corners within the margin: the deepest, and those that span most."""
    kept = 0
    deepest = 0
    for k in range(count):
        if points[k, 2] <= margin:
            for m in range(3):
                points[kept, m] = points[k, m]
            if points[kept, 2] < points[deepest, 2] - 1e-9:
                deepest = kept
            kept += 1
    if kept <= MAX_CONTACTS:
        return kept
    ox, oy = points[deepest, 0], points[deepest, 1]
    far = 0
    farthest = -1.0
    for k in range(kept):
        distance = (points[k, 0] - ox) ** 2 + (points[k, 1] - oy) ** 2
        if distance > farthest:
            farthest = distance
            far = k
    lx, ly = points[far, 0] - ox, points[far, 1] - oy
    left = deepest
    right = deepest
    highest = 0.0
    lowest = 0.0
    for k in range(kept):
        height = lx * (points[k, 1] - oy) - ly * (points[k, 0] - ox)
        if height > highest:
            highest = height
            left = k
        if height < lowest:
            lowest = height
            right = k
    size = 0
    for k in range(kept):
        if k in (deepest, far, left, right):
            for m in range(3):
                points[_KEPT + size, m] = points[k, m]
            size += 1
    for k in range(size):
        for m in range(3):
            points[k, m] = points[_KEPT + k, m]
    return size
