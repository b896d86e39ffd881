"""Materials and the declaration of scenes."""

from __future__ import annotations

import pytest

from mlagents_sdk import AgentsError
from mlagents_sdk.physics import Combine, Motion, PhysicsMaterial, PhysicsWorld, Scene
from mlagents_sdk.physics.materials import combine_materials


@pytest.mark.parametrize(
    ("rule_a", "rule_b", "expected"),
    [
        (Combine.AVERAGE, Combine.AVERAGE, 0.5),
        (Combine.AVERAGE, Combine.MINIMUM, 0.2),
        (Combine.MULTIPLY, Combine.MINIMUM, 0.16),
        (Combine.MULTIPLY, Combine.MAXIMUM, 0.8),
    ],
)
def test_the_stronger_rule_combines(rule_a: Combine, rule_b: Combine, expected: float) -> None:
    a = PhysicsMaterial(0.2, 0.2, 0.2, friction_combine=rule_a, bounce_combine=rule_a)
    b = PhysicsMaterial(0.8, 0.8, 0.8, friction_combine=rule_b, bounce_combine=rule_b)
    for surface in (combine_materials(a, b), combine_materials(b, a)):
        assert surface.static_friction == pytest.approx(expected)
        assert surface.dynamic_friction == pytest.approx(expected)
        assert surface.bounciness == pytest.approx(expected)


def test_materials_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"dynamic_friction is -0.1"):
        PhysicsMaterial(dynamic_friction=-0.1)
    with pytest.raises(ValueError, match=r"bounciness is 1.5; it must be between 0 and 1.0"):
        PhysicsMaterial(bounciness=1.5)


def test_mistakes_name_the_collider() -> None:
    scene = Scene().add_box("floor", (1.0, 1.0, 1.0))
    with pytest.raises(AgentsError, match=r"'floor' already"):
        scene.add_sphere("floor", 1.0)
    with pytest.raises(AgentsError, match=r"'flat'.*size must be positive"):
        scene.add_box("flat", (1.0, 0.0, 1.0))
    with pytest.raises(AgentsError, match=r"'ghost'.*mass is 0"):
        scene.add_sphere("ghost", 1.0, mass=0.0)
    with pytest.raises(AgentsError, match=r"'odd'.*drag"):
        scene.add_sphere("odd", 1.0, drag=-1.0)
    with pytest.raises(AgentsError, match="no colliders"):
        PhysicsWorld(Scene())
    with pytest.raises(AgentsError, match="num_areas is 0"):
        PhysicsWorld(scene, num_areas=0)


def test_handles_refuse_what_they_cannot_do() -> None:
    scene = Scene().add_box("floor", (1.0, 1.0, 1.0), position=(1.0, 2.0, 3.0))
    scene.add_sphere("ball", 1.0, motion=Motion.DYNAMIC)
    area = PhysicsWorld(scene).areas[0]
    floor = area.transform("floor")
    assert floor.position == (1.0, 2.0, 3.0)
    with pytest.raises(AgentsError, match=r"'floor' is static.*Motion.SCRIPTED"):
        floor.position = (0.0, 0.0, 0.0)
    with pytest.raises(AgentsError, match=r"'floor' is not dynamic"):
        area.body("floor")
    with pytest.raises(AgentsError, match="no collider 'bal'; it has floor, ball"):
        area.body("bal")
    with pytest.raises(AgentsError, match=r"'ball'.*must be positive"):
        area.body("ball").mass = -1.0
