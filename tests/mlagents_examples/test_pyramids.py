"""Rules of Pyramids."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from single_agent_helpers import act, agents_of, assert_same_future, boxes, make, play

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.capabilities import SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.movement import BACK, FORWARD, STAY, TURN_LEFT, TURN_RIGHT
from mlagents_examples.pyramids import PyramidsAgent, PyramidsArea, build_scene, make_environment
from mlagents_examples.pyramids.area import ROOMS
from mlagents_examples.pyramids.stacks import BRICK_PYRAMID, STONE_PYRAMID
from mlagents_sdk.physics import Freeze, PhysicsWorld
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

BEHAVIOR = "Pyramids?team=0"
BLOCK, WALL, GOAL, OFF, ON, STONE, MISS, DISTANCE = range(8)


def _cleared(env: BaseEnv) -> PyramidsArea:
    """The first area, its agent in the middle at rest and looking along z, and nothing else there."""
    area = agents_of(env)[0].area
    for pyramid in (*area.stones, area.bricks):
        pyramid.remove()
    area.switch.position = (40.0, 0.0, 40.0)
    area.agent.position = (0.0, 0.5, 0.0)
    area.agent.rotation = IDENTITY
    area.agent.stop()
    return area


def _rays(env: BaseEnv) -> list[np.ndarray]:
    """The rays of the first agent, three arrays ``(7, 8)``."""
    agent: PyramidsAgent = agents_of(env)[0]
    frames = []
    for sensor in agent.runtime.observation_sensors()[:3]:
        out = np.zeros(56, np.float32)
        sensor.update()
        sensor.write(out)
        frames.append(out.reshape(7, 8))
    return frames


def test_walls_and_floor_have_their_documented_sizes() -> None:
    found = boxes(build_scene())
    assert found["floor"] == ("", [99.0, 1.0, 99.0], [0.0, -0.5, 0.0])
    walls = [(size, center) for tag, size, center in found.values() if tag == "wall"]
    assert len(walls) == 4 + 8 + 8
    assert ([1.0, 15.0, 101.0], [50.0, -2.5, 0.0]) in walls
    assert ([101.0, 15.0, 1.0], [0.25, -2.5, 49.6]) in walls
    assert ([101.0, 15.0, 1.0], [0.25, -2.5, -50.1]) in walls
    for x in (-16.55, 16.55):
        for z in (-16.56, 16.56):
            assert ([15.15, 7.22, 1.0], [x, 0.91, z]) in walls
            assert ([1.0, 7.22, 15.0], [x, 0.91, z]) in walls
    for x, z in ((16.56, -42.25), (-16.44, -42.25), (16.44, 42.25), (-16.56, 42.25)):
        assert ([1.0, 7.22, 14.5], [x, 0.91, z]) in walls
    for x, z in ((-42.25, -16.56), (-42.25, 16.44), (42.25, 16.56), (42.25, -16.44)):
        assert ([14.5, 7.22, 1.0], [x, 0.91, z]) in walls


def test_agent_and_switch_have_their_documented_bodies() -> None:
    colliders = build_scene().colliders
    agent, switch = colliders["agent"], colliders["switch"]
    assert (agent.mass, agent.drag, agent.freeze) == (25.0, 2.0, Freeze.ROTATION)
    assert agent.shapes[0].half_size == (0.5, 0.5, 0.5)
    assert (switch.mass, switch.drag, switch.tag) == (1.0, 0.0, "switchOff")
    frozen = Freeze.POSITION_X | Freeze.POSITION_Z | Freeze.ROTATION_X | Freeze.ROTATION_Z
    assert switch.freeze == frozen
    box, button = switch.shapes
    assert (box.half_size, box.position, box.tag) == ((2.0, 2.0, 2.0), (0.0, 2.0, 0.0), None)
    assert (button.half_size, button.position, button.tag) == ((1.0, 0.375, 1.0), (0.0, 1.375, 0.0), "")


@pytest.mark.parametrize(
    ("cubes", "tag", "mass", "heights", "top"),
    [
        (STONE_PYRAMID, "stone", 50.0, [0.15] * 12 + [1.25] * 8 + [2.38] * 4 + [3.52], (0.34, 3.52, 0.8)),
        (BRICK_PYRAMID[:-1], "block", 2.0, [0.15] * 12 + [1.6] * 8 + [3.11] * 4 + [4.29], (0.52, 4.29, 0.8)),
    ],
)
def test_pyramids_consist_of_borders_of_layers(
    cubes: tuple, tag: str, mass: float, heights: list[float], top: tuple
) -> None:
    assert [cube.offset[1] for cube in cubes] == heights
    assert {(cube.size, cube.mass, cube.tag) for cube in cubes} == {(1.0, mass, tag)}
    base = {(cube.offset[0], cube.offset[2]) for cube in cubes[:12]}
    assert {(-1.34, -1.06), (2.2, 2.62), (-0.21, 2.62), (2.2, 0.1)} <= base
    assert (-0.21, 0.1) not in base
    assert cubes[-1].offset == top


def test_the_goal_lies_on_top_of_the_bricks() -> None:
    goal = BRICK_PYRAMID[-1]
    assert (goal.offset, goal.size, goal.mass, goal.tag) == ((0.45, 6.0, 0.8), 2.0, 2.0, "goal")
    env = make(make_environment, 2)
    area = _cleared(env)
    area.bricks.build((30.0, 2.0, 0.0))
    act(env, STAY)
    for _ in range(30):
        act(env, STAY)
    x, y, z = area.bricks.top.position
    assert (x, y, z) == pytest.approx((30.45, 5.0, 0.8), abs=0.05)


def test_observations_and_actions_are_those_of_the_original() -> None:
    env = make(make_environment, 2)
    spec = env.behavior_specs[BEHAVIOR]
    assert [(one.name, one.shape) for one in spec.observation_specs] == [
        ("RayPerceptionSensor", (56,)),
        ("RayPerceptionSensor1", (56,)),
        ("RayPerceptionSensor2", (56,)),
        ("VectorSensor_size4", (4,)),
    ]
    assert spec.action_spec.discrete_branches == (5,)


def test_rays_tell_kind_and_distance_in_their_order() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    area = _cleared(env)
    area.switch.position = (0.0, 0.0, 20.0)
    level = _rays(env)[0]
    assert level[0].tolist() == pytest.approx([0, 0, 0, 1, 0, 0, 0, 17.5 / 35.0], abs=1e-5)
    area.switch.tag = "switchOn"
    assert _rays(env)[0][0][ON] == 1.0
    area.switch.enabled = False
    stone = area.stones[0].bodies[0]
    stone.enabled = True
    # The outermost rays come last, the right one first; at 8 m they have risen a little.
    for sensor, (degrees, rise) in enumerate(((70.0, 0.0), (65.0, 5.0), (75.0, 10.0))):
        x, z = 8.0 * math.sin(math.radians(degrees)), 8.0 * math.cos(math.radians(degrees))
        for ray, side in ((5, 1.0), (6, -1.0)):
            stone.position = (side * x, 0.5 + rise * 8.0 / 35.0, z)
            stones = [int(seen) for seen in np.flatnonzero(_rays(env)[sensor][:, STONE])]
            assert stones == [ray]


def test_upper_rays_rise_to_five_and_ten_metres() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    area = _cleared(env)
    cube = area.bricks.top
    cube.enabled = True
    # 14 m ahead the rays have risen by 0, 2 and 4 m.
    for height, seen_by in (
        (0.5, [True, False, False]),
        (2.5, [False, True, False]),
        (4.5, [False, False, True]),
    ):
        cube.size = (1.0, 0.2, 1.0)
        cube.position = (0.0, height, 14.0)
        assert [bool(frame[0][GOAL]) for frame in _rays(env)] == seen_by
    # A rising ray is a little longer, and its sphere a little larger.
    cube.size = (40.0, 30.0, 1.0)
    cube.position = (0.0, 0.0, 20.5)
    distances = [float(frame[0][DISTANCE]) for frame in _rays(env)]
    radii = [0.5 * math.hypot(35.0, rise) / 35.0 for rise in (0.0, 5.0, 10.0)]
    assert distances == pytest.approx([(20.0 - radius) / 35.0 for radius in radii], abs=1e-4)


@pytest.mark.parametrize(
    ("action", "velocity", "heading"),
    [
        (STAY, (0.0, 0.0), 0.0),
        (FORWARD, (0.0, 2.0), 0.0),
        (BACK, (0.0, -2.0), 0.0),
        (TURN_RIGHT, (0.0, 0.0), 4.0),
        (TURN_LEFT, (0.0, 0.0), -4.0),
    ],
)
def test_what_an_action_does_in_one_step(action: int, velocity: tuple[float, float], heading: float) -> None:
    env = make(make_environment, 2)
    area = _cleared(env)
    area.agent.position = (0.0, 30.0, 0.0)
    act(env, action)
    drag = 1.0 - 2.0 * 0.02
    speed = sum(drag**step for step in range(1, 6))
    vx, _, vz = area.agent.velocity
    assert (vx, vz) == pytest.approx((speed * velocity[0], speed * velocity[1]), abs=1e-9)
    x, _, z = area.agent.forward
    assert math.degrees(math.atan2(x, z)) == pytest.approx(5.0 * heading)


def test_the_vector_tells_switch_and_velocity_along_the_own_axes() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    agent: PyramidsAgent = agents_of(env)[0]
    area = _cleared(env)
    area.agent.rotation = yaw_rotation(90.0)
    area.agent.velocity = (3.0, -1.0, 2.0)
    agent.runtime.observation_sensors()
    act(env, TURN_LEFT)
    switch, right, _, ahead = env.get_steps(BEHAVIOR)[0].obs[3][0].tolist()
    x, _, z = area.agent.velocity
    c, s = math.cos(math.radians(70.0)), math.sin(math.radians(70.0))
    assert switch == 0.0
    assert (right, ahead) == pytest.approx((c * x - s * z, s * x + c * z), abs=1e-5)
    area.switch_on(Random(0))
    act(env, STAY)
    assert env.get_steps(BEHAVIOR)[0].obs[3][0][0] == 1.0


def test_every_step_costs_and_time_runs_out_after_5000() -> None:
    env = make(make_environment, 2)
    total = 0.0
    for decisions in range(1, 1001):
        act(env, STAY)
        ended = env.get_steps(BEHAVIOR)[1]
        assert len(ended) == (2 if decisions == 1000 else 0)
        for steps in env.get_steps(BEHAVIOR):
            total += float(steps.reward[steps.agent_id == 0].sum())
    assert ended.interrupted.tolist() == [True, True]
    assert total == pytest.approx(-1.0, abs=1e-4)


def test_a_reset_gives_everything_its_own_room() -> None:
    world = PhysicsWorld(build_scene())
    area = PyramidsArea(world.areas[0])
    rng = Random(0)
    rooms_of_agents = set()
    for _ in range(60):
        area.switch_on(rng)
        area.switch.rotation = yaw_rotation(30.0)
        area.agent.velocity = (1.0, 2.0, 3.0)
        area.reset(rng)
        origins = [area.agent.position, area.switch.position]
        for pyramid in area.stones:
            (x, y, z), (dx, dy, dz) = pyramid.bodies[0].position, STONE_PYRAMID[0].offset
            origins.append((x - dx, y - dy, z - dz))
        rooms = [(round(x / 30.0), round(z / 30.0)) for x, _, z in origins]
        assert len(set(rooms)) == 8
        for (x, y, z), (column, row) in zip(origins, rooms, strict=True):
            assert y == pytest.approx(2.0)
            assert max(abs(x - 30.0 * column), abs(z - 30.0 * row)) <= 11.9 + 1e-9
        rooms_of_agents.add(rooms[0])
        assert not area.is_on
        assert not any(body.enabled for body in area.bricks.bodies)
        assert area.switch.rotation == IDENTITY
        assert area.agent.velocity == (0.0, 0.0, 0.0)
        fx, _, fz = area.agent.forward
        degrees = math.degrees(math.atan2(fx, fz))
        assert degrees == pytest.approx(round(degrees), abs=1e-6)
        area.switch_on(rng)
        x, y, z = area.bricks.bodies[0].position
        left = {(x / 30.0, z / 30.0) for x, _, z in ROOMS} - set(rooms)
        assert (round((x + 1.34) / 30.0), round((z + 1.06) / 30.0)) in left
        assert area.switch.tag == "switchOn"
    assert len(rooms_of_agents) == 9


def test_touching_the_switch_lets_the_bricks_appear_once() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    area = _cleared(env)
    area.switch.position = (0.0, 0.0, 6.0)
    while not area.is_on:
        act(env, FORWARD)
        assert area.agent.position[2] < 12.0
    assert all(body.enabled for body in area.bricks.bodies)
    place = area.bricks.bodies[0].position
    for _ in range(20):
        act(env, FORWARD if area.agent.position[2] > 6.0 else BACK)
    assert len(env.get_steps(BEHAVIOR)[1]) == 0
    assert math.dist(place[::2], area.bricks.bodies[0].position[::2]) < 0.1


def test_an_agent_runs_through_the_switch_and_sees_the_button_inside() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    area = _cleared(env)
    area.switch.position = (0.0, 0.0, 12.0)
    saw_button = False
    speed_before = 0.0
    while area.agent.position[2] < 15.0:
        if not area.is_on:
            speed_before = area.agent.velocity[2]
        else:
            assert area.agent.velocity[2] > 0.7 * speed_before
        act(env, FORWARD)
        # Inside the box its button shows, without a tag: neither a kind nor a miss.
        saw_button |= any(not frame[0][:7].any() for frame in _rays(env))
    assert saw_button
    assert area.switch.position[::2] == (0.0, 12.0)


def test_touching_the_goal_earns_two_and_ends_the_episode() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    area = _cleared(env)
    goal = area.bricks.top
    goal.enabled = True
    goal.position = (0.0, 1.0, 5.0)
    goal.stop()
    for _ in range(10):
        act(env, FORWARD)
        ended = env.get_steps(BEHAVIOR)[1]
        if len(ended):
            break
    assert ended.reward.tolist() == [2.0]
    assert not ended.interrupted[0]
    assert not goal.enabled


def test_stones_and_bricks_earn_nothing() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    area = _cleared(env)
    for body, x in ((area.stones[0].bodies[0], -0.6), (area.bricks.bodies[0], 0.6)):
        body.enabled = True
        body.position = (x, 0.5, 3.0)
        body.stop()
    for _ in range(8):
        act(env, FORWARD)
        decisions, ended = env.get_steps(BEHAVIOR)
        assert len(ended) == 0
        assert decisions.reward[0] == pytest.approx(-0.001)
    assert area.bricks.bodies[0].position[2] > 3.5


def test_the_expert_earns_the_documented_return() -> None:
    score = play(make(make_environment, 8, seed=3), "Pyramids", 16)
    assert score.mean_return > 1.75
    assert score.min_return > 1.0


@pytest.mark.parametrize(
    ("keys", "action"),
    [
        ((), STAY),
        (("w",), FORWARD),
        (("down",), BACK),
        (("d",), TURN_RIGHT),
        (("left",), TURN_LEFT),
        (("w", "a"), TURN_LEFT),
        (("q",), STAY),
    ],
)
def test_keys_give_their_actions(keys: tuple[str, ...], action: int) -> None:
    env = make(make_environment, 2)
    env.academy.keyboard.press(*keys)
    assert env.heuristic_actions(BEHAVIOR).discrete.tolist() == [[action]] * 2


def test_saved_state_continues_bit_for_bit() -> None:
    env = make(make_environment, 3, seed=9)
    assert isinstance(env, SavesState)
    for _ in range(45):
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
    for agent in agents_of(env)[:2]:  # so that resets are compared as well
        agent.runtime.step_count = 4800
    agents_of(env)[2].area.switch_on(Random(1))
    other = make_environment(EnvironmentOptions(seed=1, num_areas=3))
    other.reset()
    other.set_state(env.get_state())
    assert assert_same_future(env, other, 60) == 2
