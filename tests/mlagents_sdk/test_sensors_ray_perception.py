"""The ray sensor: encoding, order, offsets, stacking."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents_sdk import Academy, ActionSpec, Agent, AgentsError, BehaviorParameters, SdkEnvironment
from mlagents_sdk.physics import Body, Freeze, Motion, PhysicsWorld, Scene, TrainingArea
from mlagents_sdk.physics.rotations import yaw_rotation
from mlagents_sdk.sensors.ray_perception import RayPerceptionSensorComponent, ray_angles
from mlagents_sdk.sensors.sensor import Sensor

TAGS = ["wall", "goal"]


def _agent() -> Agent:
    behavior = BehaviorParameters(
        "Rays", vector_observation_size=0, action_spec=ActionSpec.create_discrete((2,))
    )
    return Agent(Academy(), behavior)


def make_sensor(body: Body, tags: list[str] | None = None, **options: Any) -> Sensor:  # noqa: ANN401
    component = RayPerceptionSensorComponent(_agent(), body, TAGS if tags is None else tags, **options)
    return component.create_sensors()[0]


def observe(sensor: Sensor, width: int = 4) -> np.ndarray:
    out = np.full(sensor.get_observation_spec().shape, np.nan, np.float32)
    sensor.update()
    assert sensor.write(out) == out.size
    return out.reshape(-1, width)


def area_with(*things: tuple[str, float, float, str], num_areas: int = 1) -> TrainingArea:
    """Unit cubes at (x, z) with a tag, around an agent at the origin."""
    scene = Scene(gravity=(0.0, 0.0, 0.0))
    scene.add_box("agent", (1.0, 1.0, 1.0), motion=Motion.DYNAMIC, freeze=Freeze.ROTATION, tag="agent")
    for name, x, z, tag in things:
        scene.add_box(name, (1.0, 1.0, 1.0), (x, 0.0, z), tag=tag, motion=Motion.SCRIPTED)
    return PhysicsWorld(scene, num_areas).areas[-1]


def test_the_worked_example() -> None:
    # Forward meets a goal at 9 of 20, the right ray something untagged at 6, the left ray nothing.
    area = area_with(("ahead", 0.0, 9.5, "goal"), ("right", 6.5, 0.0, ""), num_areas=3)
    options = {"rays_per_direction": 1, "max_ray_degrees": 90.0, "sphere_cast_radius": 0.0}
    observation = observe(make_sensor(area.body("agent"), **options))
    expected = [[0.0, 1.0, 0.0, 0.45], [0.0, 0.0, 0.0, 0.3], [0.0, 0.0, 1.0, 1.0]]
    np.testing.assert_allclose(observation, expected, atol=1e-7)


def test_rays_alternate_right_before_left() -> None:
    assert ray_angles(2, 60.0) == [90.0, 60.0, 120.0, 30.0, 150.0]
    assert ray_angles(2, 60.0, alternating=False) == [30.0, 60.0, 90.0, 120.0, 150.0]
    assert ray_angles(0, 60.0) == ray_angles(0, 60.0, alternating=False) == [90.0]
    area = area_with(("right", 5.0, 0.0, "goal"), ("left", -5.0, 0.0, "wall"))
    options = {"rays_per_direction": 1, "max_ray_degrees": 90.0}
    alternating = observe(make_sensor(area.body("agent"), **options))
    np.testing.assert_array_equal(alternating[:, :2], [[0, 0], [0, 1], [1, 0]])
    sequential = observe(make_sensor(area.body("agent"), alternating_ray_order=False, **options))
    np.testing.assert_array_equal(sequential[:, :2], [[0, 1], [0, 0], [1, 0]])


@pytest.mark.parametrize(("rays", "tags", "stacks", "size"), [(5, 6, 3, 264), (20, 4, 3, 738), (0, 2, 1, 4)])
def test_sizes(rays: int, tags: int, stacks: int, size: int) -> None:
    names = [f"tag {index}" for index in range(tags)]
    sensor = make_sensor(area_with().body("agent"), names, rays_per_direction=rays, observation_stacks=stacks)
    spec = sensor.get_observation_spec()
    assert spec.shape == (size,)
    assert spec.name == (
        "RayPerceptionSensor" if stacks == 1 else f"StackingSensor_size{stacks}_RayPerceptionSensor"
    )


def test_thick_rays_hit_earlier_and_what_they_overlap_is_not_seen() -> None:
    area = area_with(("goal", 0.0, 5.0, "goal"), ("beside", 0.9, 0.0, "wall"))
    body = area.body("agent")
    thin = observe(make_sensor(body, rays_per_direction=0, sphere_cast_radius=0.0))
    thick = observe(make_sensor(body, rays_per_direction=0, sphere_cast_radius=0.5))
    np.testing.assert_allclose([thin[0, 3], thick[0, 3]], [4.5 / 20.0, 4.0 / 20.0], atol=1e-6)
    right = observe(make_sensor(body, rays_per_direction=1, max_ray_degrees=90.0))[1]
    np.testing.assert_array_equal(right, [0.0, 0.0, 1.0, 1.0])


def test_offsets_lift_the_ray_and_lengthen_it() -> None:
    # From 2.5 m up at the agent to 5 m up at the end: at a wall 10 m away it is 3.75 m up.
    scene = Scene()
    scene.add_box("agent", (1.0, 1.0, 1.0), motion=Motion.DYNAMIC)
    scene.add_box("low", (9.0, 3.0, 1.0), (0.0, 1.5, 5.5), tag="wall")
    scene.add_box("high", (9.0, 2.0, 1.0), (0.0, 4.0, 10.5), tag="goal")
    body = PhysicsWorld(scene).areas[0].body("agent")
    offsets = {"start_vertical_offset": 2.5, "end_vertical_offset": 5.0, "rays_per_direction": 0}
    ray = observe(make_sensor(body, sphere_cast_radius=0.0, **offsets))[0]
    np.testing.assert_allclose(ray, [0.0, 1.0, 0.0, 0.5], atol=1e-6)
    # A thick one, its radius scaled with the length, grazes the lower wall.
    length = math.hypot(20.0, 2.5)
    radius = 1.0 * length / 20.0
    thick = observe(make_sensor(body, sphere_cast_radius=1.0, **offsets))[0]
    assert thick.tolist()[:3] == [1.0, 0.0, 0.0]
    center = np.array([2.5 + 2.5 * thick[3], 20.0 * thick[3]])
    edge = np.array([3.0, min(max(center[1], 5.0), 6.0)])
    assert np.linalg.norm(center - edge) == pytest.approx(radius, abs=1e-5)


def test_a_sensor_may_be_mounted_anywhere() -> None:
    area = area_with(("behind", 0.0, -5.0, "goal"), ("ahead", 0.0, 5.0, "wall"))
    options = {"rays_per_direction": 0, "sphere_cast_radius": 0.0}
    reverse = make_sensor(
        area.body("agent"), rotation=yaw_rotation(180.0), position=(0.0, 0.0, -1.0), **options
    )
    np.testing.assert_allclose(observe(reverse)[0], [0.0, 1.0, 0.0, 3.5 / 20.0], atol=1e-6)


def test_the_body_itself_is_never_seen_but_triggers_are() -> None:
    scene = Scene()
    scene.add_sphere("agent", 0.5, motion=Motion.DYNAMIC, tag="goal")
    scene.add_box("zone", (1.0, 1.0, 1.0), (0.0, 0.0, 5.0), tag="wall", trigger=True, layer=2)
    body = PhysicsWorld(scene).areas[0].body("agent")
    options = {"rays_per_direction": 0, "start_vertical_offset": 3.0, "sphere_cast_radius": 0.2}
    seen = observe(make_sensor(body, end_vertical_offset=-17.0, **options))[0]  # down through the agent
    assert seen[1] == 0.0
    ahead = {"rays_per_direction": 0, "sphere_cast_radius": 0.1}
    assert observe(make_sensor(body, **ahead))[0, 0] == 1.0
    assert observe(make_sensor(body, layers=~(1 << 2) & 0xFFFFFFFF, **ahead))[0, 2] == 1.0


def test_tags_positions_and_presence_are_those_of_the_moment() -> None:
    area = area_with(("thing", 0.0, 5.0, "goal"))
    sensor, thing = make_sensor(area.body("agent"), rays_per_direction=0), area.transform("thing")
    assert observe(sensor)[0, 1] == 1.0
    thing.tag = "wall"
    thing.position = (0.0, 0.0, 10.0)
    np.testing.assert_allclose(observe(sensor)[0], [1.0, 0.0, 0.0, 9.0 / 20.0], atol=1e-6)
    thing.tag = "a tag of which the sensor never heard"
    np.testing.assert_allclose(observe(sensor)[0], [0.0, 0.0, 0.0, 9.0 / 20.0], atol=1e-6)
    thing.enabled = False
    np.testing.assert_array_equal(observe(sensor)[0], [0.0, 0.0, 1.0, 1.0])


def test_a_scaled_body_has_longer_and_thicker_rays() -> None:
    area = area_with(("thing", 0.0, 30.5, "goal"))
    body = area.body("agent")
    sensor = make_sensor(body, rays_per_direction=0)
    assert observe(sensor)[0, 2] == 1.0
    body.scale = 2.0
    np.testing.assert_allclose(observe(sensor)[0], [0.0, 1.0, 0.0, 29.0 / 40.0], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(-180.0, 180.0), st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_turning_everything_changes_nothing(degrees: float, count: int, seed: int) -> None:
    # drawn by a generator of its own: chosen numbers such as 0 and 1 graze edges far too often
    places = np.random.default_rng(seed).uniform(-15.0, 15.0, (count, 2)).tolist()

    def observation(turn: float) -> np.ndarray:
        scene = Scene()
        scene.add_box("agent", (1.0, 1.0, 1.0), (1.0, 0.0, 2.0), yaw_rotation(turn), motion=Motion.DYNAMIC)
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        for index, (x, z) in enumerate(places):
            at = (1.0 + c * x + s * z, 0.1, 2.0 - s * x + c * z)
            tag = (*TAGS, "")[index % 3]
            scene.add_box(f"thing {index}", (1.0, 1.0, 2.0), at, yaw_rotation(turn + 30.0 * index), tag=tag)
        return observe(make_sensor(PhysicsWorld(scene).areas[0].body("agent"), rays_per_direction=4))

    before, after = observation(0.0), observation(degrees)
    # One-hot, miss flag and fraction exclude each other as they should.
    assert (before[:, :2].sum(1) + before[:, 2] <= 1.0).all()
    assert (before[before[:, 2] == 1.0, 3] == 1.0).all()
    assert ((before[:, 3] >= 0.0) & (before[:, 3] <= 1.0)).all()
    # Where an edge is grazed, rounding decides; nothing else may differ.
    same = np.isclose(before, after, atol=1e-3).all(1)
    assert same.sum() >= 8


def test_impossible_settings_are_named() -> None:
    body = area_with().body("agent")
    for options, problem in (
        ({"rays_per_direction": 51}, "rays_per_direction is 51"),
        ({"max_ray_degrees": 181.0}, "max_ray_degrees is 181.0"),
        ({"sphere_cast_radius": -1.0}, "sphere_cast_radius is -1.0"),
        ({"ray_length": -2.0}, "ray_length is -2.0"),
    ):
        with pytest.raises(AgentsError, match=f"Sensor Eyes: {problem}"):
            RayPerceptionSensorComponent(_agent(), body, TAGS, "Eyes", **options)


def test_stacks_fill_up_and_start_anew_with_an_episode() -> None:
    area = area_with(("thing", 0.0, 5.0, "goal"))
    academy = Academy()
    behavior = BehaviorParameters(
        "Rays", vector_observation_size=0, action_spec=ActionSpec.create_discrete((2,))
    )
    agent = Agent(academy, behavior)
    RayPerceptionSensorComponent(
        agent, area.body("agent"), TAGS, rays_per_direction=0, observation_stacks=3, sphere_cast_radius=0.0
    )
    agent.enable()
    academy.agent_pre_step.append(lambda _: agent.request_decision())
    env = SdkEnvironment(academy, lambda: None)
    env.reset()
    seen = []
    for step in range(4):
        if step == 3:
            agent.end_episode()
        decisions, _ = env.get_steps(behavior.fully_qualified_name)
        seen.append(decisions.obs[0][0].reshape(3, 4)[:, 3].tolist() if len(decisions) else None)
        env.step()
    empty, hit = 0.0, pytest.approx(4.5 / 20.0)
    assert seen[:3] == [[empty, empty, hit], [empty, hit, hit], [hit, hit, hit]]
    decisions, terminals = env.get_steps(behavior.fully_qualified_name)
    assert len(terminals) == 1
    assert decisions.obs[0][0].reshape(3, 4)[:, 3].tolist() == [empty, empty, hit]
