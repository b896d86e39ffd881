"""Integration, handles, independence of areas, resets and saving."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from mujoco import batch

from mlagents_sdk.physics import Body, ForceMode, Motion, PhysicsWorld, Scene
from mlagents_sdk.physics.rotations import IDENTITY, turned_about_x, turned_about_y, turned_about_z

H = 0.02
G = 9.81


def _falling(num_areas: int = 1, num_threads: int = 1, **properties: float) -> PhysicsWorld:
    scene = Scene()
    scene.add_sphere("ball", 0.5, position=(1.0, 10.0, 2.0), motion=Motion.DYNAMIC, **properties)
    return PhysicsWorld(scene, num_areas, num_threads)


def _platform_world(num_areas: int, num_threads: int = 1) -> PhysicsWorld:
    scene = Scene()
    scene.add_box("platform", (5.0, 5.0, 5.0), motion=Motion.SCRIPTED)
    scene.add_sphere("ball", 0.5, position=(0.0, 3.2, 0.0), motion=Motion.DYNAMIC)
    scene.add_box("crate", (0.5, 0.5, 0.5), position=(1.5, 2.9, 0.0), motion=Motion.DYNAMIC)
    return PhysicsWorld(scene, num_areas, num_threads)


def _shake(world: PhysicsWorld, steps: int) -> list[list[int]]:
    diverged = []
    for step in range(steps):
        for area in world.areas:
            platform = area.transform("platform")
            platform.rotation = turned_about_z(
                turned_about_x(platform.rotation, math.sin(0.3 * step + area.index)),
                math.cos(0.2 * step * (area.index + 1)),
            )
        diverged.append(world.step())
    return diverged


def test_a_step_integrates_as_the_original_does() -> None:
    world = _falling(drag=0.5, angular_drag=2.0)
    ball = world.areas[0].body("ball")
    ball.velocity = (1.0, 2.0, 3.0)
    ball.angular_velocity = (0.5, -1.0, 2.0)
    position, velocity, spin = [1.0, 10.0, 2.0], [1.0, 2.0, 3.0], [0.5, -1.0, 2.0]
    for _ in range(7):
        world.step()
        velocity[1] -= G * H
        velocity = [v * (1.0 - 0.5 * H) for v in velocity]
        position = [x + v * H for x, v in zip(position, velocity, strict=True)]
        spin = [s * (1.0 - 2.0 * H) for s in spin]
    assert ball.velocity == pytest.approx(velocity, abs=1e-12)
    assert ball.position == pytest.approx(position, abs=1e-12)
    assert ball.angular_velocity == pytest.approx(spin, abs=1e-12)


@pytest.mark.parametrize(
    ("mode", "change"),
    [
        (ForceMode.FORCE, H / 4.0),
        (ForceMode.ACCELERATION, H),
        (ForceMode.IMPULSE, 1.0 / 4.0),
        (ForceMode.VELOCITY_CHANGE, 1.0),
    ],
)
def test_force_modes(mode: ForceMode, change: float) -> None:
    world = _falling(mass=4.0, drag=1.0)
    world.areas[0].gravity = (0.0, 0.0, 0.0)
    ball = world.areas[0].body("ball")
    ball.add_force((1.0, 2.0, 3.0), mode)
    ball.add_force((1.0, 0.0, 0.0), mode)
    assert ball.velocity == (0.0, 0.0, 0.0)
    world.step()
    expected = [change * x * (1.0 - H) for x in (2.0, 2.0, 3.0)]
    assert ball.velocity == pytest.approx(expected, rel=1e-12)
    world.step()  # the force acted once
    assert ball.velocity == pytest.approx([v * (1.0 - H) for v in expected], rel=1e-12)


def test_spin_turns_in_the_original_frame_and_is_capped() -> None:
    world = _falling(angular_drag=0.0)
    ball: Body = world.areas[0].body("ball")
    ball.angular_velocity = (0.0, math.pi / 2.0, 0.0)  # a quarter turn to the right per second
    for _ in range(50):
        world.step()
    assert ball.rotation == pytest.approx(turned_about_y(IDENTITY, 90.0), abs=1e-9)
    ball.angular_velocity = (0.0, 0.0, 40.0)
    world.step()
    assert ball.angular_velocity == pytest.approx((0.0, 0.0, 7.0), abs=1e-9)
    ball.max_angular_speed = 100.0
    ball.angular_velocity = (40.0, 0.0, 0.0)
    world.step()
    assert ball.angular_velocity == pytest.approx((40.0, 0.0, 0.0), abs=1e-9)


def test_poses_read_back_as_written() -> None:
    area = _platform_world(2).areas[1]
    rotation = turned_about_z(turned_about_x(turned_about_y(IDENTITY, 40.0), -70.0), 15.0)
    for handle in (area.transform("platform"), area.body("crate")):
        handle.position, handle.rotation = (1.0, -2.0, 3.0), rotation
        assert handle.position == (1.0, -2.0, 3.0)
        assert handle.rotation == rotation
    crate = area.body("crate")
    crate.velocity, crate.angular_velocity = (4.0, 5.0, 6.0), (-1.0, 2.0, 3.0)
    assert crate.velocity == (4.0, 5.0, 6.0)
    assert crate.angular_velocity == pytest.approx((-1.0, 2.0, 3.0))


def test_gravity_mass_and_scale_belong_to_one_area() -> None:
    scene = Scene()
    scene.add_box("floor", (9.0, 1.0, 9.0), position=(0.0, -0.5, 0.0))
    scene.add_sphere("ball", 0.5, position=(0.0, 1.6, 0.0), motion=Motion.DYNAMIC, mass=2.0)
    world = PhysicsWorld(scene, 3)
    changed = world.areas[1].body("ball")
    changed.mass, changed.scale = 5.0, 3.0
    world.areas[2].gravity = (0.0, -20.0, 0.0)
    assert world.areas[2].gravity == (0.0, -20.0, 0.0)
    world.step()
    assert [area.body("ball").velocity[1] for area in world.areas] == pytest.approx(
        [-G * H, -G * H, -20.0 * H]
    )
    for area in world.areas:
        area.body("ball").add_force((1.0, 0.0, 0.0), ForceMode.IMPULSE)
    world.step()
    assert [area.body("ball").velocity[0] for area in world.areas] == pytest.approx([0.5, 0.2, 0.5])
    for _ in range(200):
        world.step()
    assert [area.body("ball").position[1] for area in world.areas] == pytest.approx([0.5, 1.5, 0.5], abs=1e-4)
    model = world._engine._batch.get_model(1)
    assert model.body("ball").mass[0] == 5.0
    assert model.body("ball").inertia == pytest.approx([0.4 * 5.0 * 1.5**2] * 3)


def test_a_diverged_area_is_reset_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quiet, hurt = _platform_world(3), _platform_world(3)
    _shake(quiet, 20)
    _shake(hurt, 20)
    hurt.areas[1].body("ball").velocity = (math.nan, 0.0, 0.0)
    assert _shake(quiet, 1) == [[]]
    assert _shake(hurt, 1) == [[1]]
    assert np.isfinite(hurt.get_state()["rows"]).all()
    assert hurt.areas[1].body("ball").position[1] > 3.0
    assert _shake(hurt, 30) == [[]] * 30
    _shake(quiet, 30)
    a, b = quiet.get_state()["rows"], hurt.get_state()["rows"]
    np.testing.assert_array_equal(a[[0, 2]], b[[0, 2]])
    assert not np.array_equal(a[1], b[1])
    assert not list(tmp_path.iterdir())  # MuJoCo, had it met the NaN, would have left a log


def test_an_infinite_force_is_found_as_well() -> None:
    world = _falling(2)
    world.areas[0].body("ball").add_force((math.inf, 0.0, 0.0))
    assert world.step() == [0]
    assert world.areas[0].body("ball").position == (1.0, 10.0, 2.0)
    assert world.areas[1].body("ball").velocity == pytest.approx((0.0, -G * H, 0.0))
    assert world.step() == []


def test_an_error_of_mujoco_in_one_area_resets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _falling(3)
    world.step()

    def failing_step() -> None:
        raise batch.SimulationError(np.array([2]), "out of memory")

    monkeypatch.setattr(world._engine._batch, "step", failing_step)
    assert world.step() == [2]
    monkeypatch.undo()
    assert world.areas[2].body("ball").position == (1.0, 10.0, 2.0)
    assert world.areas[1].body("ball").position != (1.0, 10.0, 2.0)
    assert world.step() == []


def test_runs_are_bit_identical_at_any_number_of_threads() -> None:
    one, two = _platform_world(5), _platform_world(5, num_threads=2)
    _shake(one, 40)
    _shake(two, 40)
    np.testing.assert_array_equal(one.get_state()["rows"], two.get_state()["rows"])


def test_reset_puts_one_area_back() -> None:
    world = _platform_world(2)
    start = world.get_state()["rows"]
    _shake(world, 10)
    world.areas[0].body("ball").add_force((9.0, 9.0, 9.0))
    world.areas[0].reset()
    rows = world.get_state()["rows"]
    np.testing.assert_array_equal(rows[0], start[0])
    assert not np.array_equal(rows[1], start[1])
    world.step()
    assert world.areas[0].body("ball").velocity[0] == 0.0


def test_saved_state_continues_bit_for_bit() -> None:
    world = _platform_world(2)
    world.areas[1].body("ball").scale = 0.5
    world.areas[1].body("crate").drag = 0.3
    world.areas[0].gravity = (0.0, -15.0, 0.0)
    _shake(world, 15)
    world.areas[0].body("crate").add_force((3.0, 1.0, 0.0))
    saved = world.get_state()
    _shake(world, 15)
    fresh = _platform_world(2)
    fresh.set_state(saved)
    _shake(fresh, 15)
    np.testing.assert_array_equal(fresh.get_state()["rows"], world.get_state()["rows"])
