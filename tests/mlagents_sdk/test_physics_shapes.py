"""Volumes, centres of mass and inertia; tags; what a scene refuses; stale kernels."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mlagents_sdk import AgentsError
from mlagents_sdk.physics import Freeze, Motion, PhysicsWorld, Scene, Shape
from mlagents_sdk.physics.compiled import discard_outdated
from mlagents_sdk.physics.layout import CENTER, INERTIA, Tags
from mlagents_sdk.physics.rotations import turned_about_z
from mlagents_sdk.physics.shapes import ShapeKind, SolidPart, mass_distribution, volume_and_inertia

QUARTER = turned_about_z((0.0, 0.0, 0.0, 1.0), 90.0)


def _inside(kind: ShapeKind, half: np.ndarray, points: np.ndarray) -> np.ndarray:
    across = np.hypot(points[:, 0], points[:, 1])
    if kind is ShapeKind.BOX:
        return (np.abs(points) <= half).all(1)
    if kind is ShapeKind.SPHERE:
        return np.linalg.norm(points, axis=1) <= half[0]
    if kind is ShapeKind.CYLINDER:
        return (across <= half[0]) & (np.abs(points[:, 2]) <= half[2])
    gap = np.maximum(np.abs(points[:, 2]) - (half[2] - half[0]), 0.0)
    return np.hypot(across, gap) <= half[0]


@pytest.mark.parametrize(
    ("kind", "half"),
    [
        (ShapeKind.BOX, (0.3, 0.5, 0.9)),
        (ShapeKind.SPHERE, (0.7, 0.7, 0.7)),
        (ShapeKind.CYLINDER, (0.4, 0.4, 0.8)),
        (ShapeKind.CAPSULE, (0.4, 0.4, 1.0)),
    ],
)
def test_volume_and_inertia_are_those_of_a_uniform_solid(kind: ShapeKind, half: tuple[float, ...]) -> None:
    extents = np.array(half)
    steps = [np.linspace(-h, h, 81) for h in half]
    points = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
    solid = points[_inside(kind, extents, points)]
    square = solid**2
    moments = square.sum(1, keepdims=True) - square
    volume, inertia = volume_and_inertia(kind, extents)
    assert volume == pytest.approx(len(solid) / len(points) * np.prod(2.0 * extents), rel=0.05)
    np.testing.assert_allclose(inertia, moments.mean(0), rtol=0.03)


def test_two_half_boxes_weigh_like_a_whole_one() -> None:
    half = np.array([0.5, 0.4, 0.3])
    parts = [SolidPart(ShapeKind.BOX, half, np.array([x, 2.0, 0.0]), np.eye(3)) for x in (1.0, 2.0)]
    center, inertia = mass_distribution(parts)
    whole = SolidPart(ShapeKind.BOX, np.array([1.0, 0.4, 0.3]), np.array([1.5, 2.0, 0.0]), np.eye(3))
    expected_center, expected = mass_distribution([whole])
    np.testing.assert_allclose(center, expected_center)
    np.testing.assert_allclose(inertia, expected, atol=1e-12)


def test_rotated_parts_and_triggers() -> None:
    scene = Scene()
    ghost = Shape.sphere(9.0, trigger=True)
    scene.add_body("lying", (Shape.capsule(0.2, 2.0, rotation=QUARTER), ghost), motion=Motion.DYNAMIC)
    layout = PhysicsWorld(scene).layout
    at = layout.body_at(0)
    inverse = layout.row[at + INERTIA : at + INERTIA + 3]
    assert inverse[0] > 10.0 * inverse[1]  # it lies along x, about which it turns easily
    assert inverse[1] == pytest.approx(inverse[2])
    assert layout.row[at + CENTER : at + CENTER + 3] == pytest.approx(np.zeros(3))


def test_tags_have_numbers_and_a_limit() -> None:
    tags = Tags(limit=3)
    assert [tags.number(name) for name in ("", "wall", "goal", "wall")] == [0, 1, 2, 1]
    assert tags.mask({"goal"}).tolist() == [False, False, True]
    assert tags.mask(None).all()
    with pytest.raises(AgentsError, match="'agent' is one too many"):
        tags.number("agent")


def test_scenes_refuse_what_cannot_be() -> None:
    scene = Scene()
    with pytest.raises(AgentsError, match=r"'disc'.*cannot be dynamic"):
        scene.add_cylinder("disc", 1.0, 0.1, motion=Motion.DYNAMIC)
    with pytest.raises(AgentsError, match="'nothing' has no shapes"):
        scene.add_body("nothing", ())
    with pytest.raises(AgentsError, match="layer is 32"):
        scene.add_sphere("far", 1.0, layer=32)
    scene.add_body("pair", (Shape.sphere(1.0), Shape.sphere(1.0)))
    pair = PhysicsWorld(scene).areas[0].transform("pair")
    with pytest.raises(AgentsError, match="'pair' has several colliders"):
        pair.size = (1.0, 1.0, 1.0)


def test_freeze_flags_swap_axes_with_the_frame() -> None:
    assert Freeze.ROTATION_Y.in_mujoco_order() == Freeze.ROTATION_Z
    assert (Freeze.POSITION_Z | Freeze.ROTATION_X).in_mujoco_order() == Freeze.POSITION_Y | Freeze.ROTATION_X
    assert Freeze.ALL.in_mujoco_order() == Freeze.ALL


def test_kernels_older_than_any_source_are_discarded(tmp_path: Path) -> None:
    source, cache = tmp_path / "kernels.py", tmp_path / "cache"
    cache.mkdir()
    old, new = cache / "old.nbi", cache / "new.nbi"
    for file, seconds in ((source, 100), (old, 99), (new, 101)):
        file.touch()
        os.utime(file, (seconds, seconds))
    discard_outdated(tmp_path, (cache, tmp_path / "missing"))
    assert [file.name for file in cache.iterdir()] == ["new.nbi"]
