"""Rules of FoodCollector, in its three versions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from single_agent_helpers import Factory, agents_of, assert_same_future, boxes, make

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.capabilities import SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.food_collector import (
    FoodCollectorAgent,
    build_scene,
    make_environment,
    make_grid_environment,
    make_visual_environment,
)
from mlagents_examples.food_collector.agent import FROZEN_STEPS
from mlagents_sdk import ActionBuffers
from mlagents_sdk.physics import Freeze, Motion
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

FLOOR = 0.5
ON_THE_FLOOR = FLOOR + 0.5
FOOD, AGENT, WALL, BAD_FOOD, FROZEN = range(5)


def _act(env: BaseEnv, *actions: tuple[float, float, float, int]) -> None:
    """Let the first agents do this and the others nothing, for one decision."""
    for behavior in env.behavior_specs:
        waiting = env.get_steps(behavior)[0].agent_id
        continuous, discrete = np.zeros((len(waiting), 3), np.float32), np.zeros((len(waiting), 1), np.int32)
        for row, agent_id in enumerate(waiting):
            if agent_id < len(actions):
                continuous[row], discrete[row] = actions[agent_id][:3], actions[agent_id][3]
        env.set_actions(behavior, ActionTuple(continuous, discrete))
    env.step()


def _alone(env: BaseEnv, position: tuple[float, float] = (0.0, 0.0), yaw: float = 0.0) -> FoodCollectorAgent:
    """Put the first agent there, at rest, and everything else of its area far behind it."""
    agents = agents_of(env)
    first: FoodCollectorAgent = agents[0]
    for number, body in enumerate(first.area.agents):
        _put(body, (2.0 * number - 40.0, -45.0))
    for number, piece in enumerate(first.area.food):
        _put(piece, (2.0 * (number % 25) - 40.0, -48.0 if number < 25 else -40.0), FLOOR + 0.75)
    _put(first.body, position)
    first.body.rotation = yaw_rotation(yaw)
    return first


def _put(body: object, position: tuple[float, float], height: float = ON_THE_FLOOR) -> None:
    body.position = (position[0], height, position[1])
    body.rotation = IDENTITY
    body.stop()


def _do(agent: FoodCollectorAgent, ahead: float, aside: float, turn: float, shoot: int) -> None:
    """One physics step of one agent, outside the academy's rhythm."""
    agent.on_action_received(ActionBuffers([ahead, aside, turn], [shoot]))
    agent.body.world.step()


@pytest.mark.parametrize(
    ("factory", "name", "shapes", "agents"),
    [
        (make_grid_environment, "GridFoodCollector", [(5, 40, 40)], 20),
        (make_environment, "FoodCollector", [(49,), (4,)], 20),
        (make_visual_environment, "VisualFoodCollector", [(3, 84, 84), (1,)], 8),
    ],
)
def test_spec_and_number_of_agents(
    factory: Factory, name: str, shapes: list[tuple[int, ...]], agents: int
) -> None:
    env = make(factory)
    behavior = f"{name}?team=0"
    assert list(env.behavior_specs) == [behavior]
    spec = env.behavior_specs[behavior]
    assert [each.shape for each in spec.observation_specs] == shapes
    assert spec.action_spec.continuous_size == 3
    assert spec.action_spec.discrete_branches == (2,)
    assert len(env.get_steps(behavior)[0]) == agents


def test_geometry() -> None:
    scene = build_scene(5)
    found = boxes(scene)
    tag, size, center = found["floor"]
    assert (tag, size[0], size[2]) == ("ground", 100.0, 100.0)
    assert center[1] + 0.5 * size[1] == FLOOR
    for name, axis, side in (
        ("wall left", 0, -1),
        ("wall right", 0, 1),
        ("wall back", 2, -1),
        ("wall front", 2, 1),
    ):
        tag, size, center = found[name]
        assert tag == "wall"
        assert side * center[axis] - 0.5 * size[axis] == 50.0
        assert size[axis] == 1.0
        assert center[1] + 0.5 * size[1] == FLOOR + 2.5
    agent = scene.colliders["agent 4"]
    assert found["agent 4"][1] == [1.0, 1.0, 1.0]
    assert (agent.mass, agent.drag, agent.freeze, agent.tag) == (10.0, 0.5, Freeze.ROTATION, "agent")
    for tag in ("food", "badFood"):
        pieces = [each for each in scene.colliders.values() if each.tag == tag]
        assert len(pieces) == 25
        for piece in pieces:
            assert (piece.mass, piece.drag, piece.freeze) == (5.0, 0.0, Freeze.NONE)
            assert piece.shapes[0].half_size[0] == 0.75
    assert len(scene.names(Motion.DYNAMIC)) == 55


def test_everything_appears_anywhere() -> None:
    env = make(make_grid_environment, 40, seed=4)
    agents = agents_of(env)
    bodies = np.array([agent.body.position for agent in agents])
    food = np.array([piece.position for agent in agents[::5] for piece in agent.area.food])
    for places, height in ((bodies, 2.0), (food, 1.0)):
        assert (places[:, 1] == height).all()
        for axis in (0, 2):
            assert 44.0 < np.abs(places[:, axis]).max() <= 45.0
            assert abs(places[:, axis].mean()) < 5.0
    yaws = np.array(
        [math.degrees(math.atan2(agent.body.forward[0], agent.body.forward[2])) for agent in agents]
    )
    np.testing.assert_allclose(yaws, np.rint(yaws), atol=1e-9)
    assert len(set(np.rint(yaws).tolist())) > 100


def test_food_stays_when_an_episode_ends_and_is_scattered_by_a_reset() -> None:
    env = make(make_grid_environment, 2)
    agent = agents_of(env)[0]
    before = [piece.position for piece in agent.area.food]
    position = agent.body.position
    agent.end_episode()
    assert agent.body.position != position
    assert [piece.position for piece in agent.area.food] == before
    env.reset()
    assert not set(before) & {piece.position for piece in agent.area.food}


@pytest.mark.parametrize(
    ("action", "velocity", "heading"),
    [
        ((1.0, 0.0, 0.0, 0), (0.0, 2.0), 0.0),
        ((-0.5, 0.0, 0.0, 0), (0.0, -1.0), 0.0),
        ((0.0, 1.0, 0.0, 0), (2.0, 0.0), 0.0),
        ((3.0, -2.0, 0.0, 0), (-2.0, 2.0), 0.0),
        ((0.0, 0.0, 1.0, 0), (0.0, 0.0), -6.0),
        ((0.0, 0.0, -0.5, 0), (0.0, 0.0), 3.0),
        ((1.0, 0.5, 0.0, 1), (0.5, 1.0), 0.0),
    ],
)
def test_what_an_action_does_in_one_step(
    action: tuple[float, float, float, int], velocity: tuple[float, float], heading: float
) -> None:
    agent = _alone(make(make_grid_environment, 2))
    _put(agent.body, (0.0, 0.0), height=20.0)
    _do(agent, *action)
    keep = 1.0 - 0.5 * 0.02
    vx, _, vz = agent.body.velocity
    assert (vx, vz) == pytest.approx((keep * velocity[0], keep * velocity[1]))
    x, _, z = agent.body.forward
    assert math.degrees(math.atan2(x, z)) == pytest.approx(heading)


def test_shooting_and_high_speeds_brake() -> None:
    agent = _alone(make(make_grid_environment, 2))
    keep = 1.0 - 0.5 * 0.02
    for speed, shoot, push, expected in (
        (4.0, 0, 1.0, 6.0),
        (5.5, 0, 0.0, 0.95 * 5.5),
        (5.5, 0, 1.0, 0.95 * 5.5 + 2.0),  # the push comes after the brake
        (4.0, 1, 1.0, 0.75 * 4.0 + 1.0),
        (8.0, 1, 0.0, 0.75 * 0.95 * 8.0),
    ):
        _put(agent.body, (0.0, 0.0), height=20.0)
        agent.body.velocity = (0.0, 0.0, speed)
        _do(agent, push, 0.0, 0.0, shoot)
        assert agent.body.velocity[2] == pytest.approx(keep * expected)


def test_food_earns_a_point_and_appears_elsewhere() -> None:
    env = make(make_grid_environment, 2, seed=1)
    for kind, reward in (("food 0", 1.0), ("badFood 0", -1.0)):
        agent = _alone(env)
        piece = next(piece for piece in agent.area.food if piece.name == kind)
        _act(env)
        _put(agent.body, (0.0, 0.0))
        _put(piece, (0.0, 1.5), FLOOR + 0.75)
        _act(env, (1.0, 0.0, 0.0, 0))
        assert env.get_steps("GridFoodCollector?team=0")[0].reward[0] == reward
        x, y, z = piece.position
        assert max(abs(x), abs(z)) <= 46.0
        assert 2.0 < y <= 3.0
        assert math.hypot(x, z - 1.5) > 2.0
        assert piece.velocity[2] > 1.0  # it takes the push along
        assert 0.0 < agent.body.velocity[2] < 8.0


def test_the_laser_freezes_who_stands_in_its_way() -> None:
    env = make(make_grid_environment, 2)
    agent, other = _alone(env), agents_of(env)[1]
    for position, frozen in (
        ((0.0, 20.0), True),
        ((0.0, 26.0), True),  # the beam is 2 m thick, its centre travels 25 m
        ((0.0, 28.0), False),
        ((2.3, 20.0), True),
        ((2.6, 20.0), False),
        ((0.0, 2.0), False),  # inside of the beam where it starts
        ((0.0, -5.0), False),
    ):
        other.on_episode_begin()
        _put(other.body, position)
        _put(agent.body, (0.0, 0.0))
        agent.on_action_received(ActionBuffers([0.0, 0.0, 0.0], [1]))
        assert other.frozen is frozen, position
        assert other.body.tag == ("frozenAgent" if frozen else "agent")


def test_food_shields_from_the_laser() -> None:
    env = make(make_grid_environment, 2)
    agent, other = _alone(env), agents_of(env)[1]
    _put(other.body, (0.0, 20.0))
    _put(agent.area.food[0], (1.0, 10.0), FLOOR + 0.75)
    agent.on_action_received(ActionBuffers([0.0, 0.0, 0.0], [1]))
    assert not other.frozen
    _put(agent.area.food[0], (4.0, 10.0), FLOOR + 0.75)
    agent.on_action_received(ActionBuffers([0.0, 0.0, 0.0], [1]))
    assert other.frozen


def test_frozen_agents_cannot_act_for_four_seconds() -> None:
    env = make(make_grid_environment, 2)
    agent, other = _alone(env), agents_of(env)[1]
    _put(other.body, (0.0, 20.0))
    _act(env, (0.0, 0.0, 0.0, 1), (1.0, 1.0, 1.0, 1))
    # The one that shoots is first in each step, so the other never gets to act; nor can it strike back.
    assert other.frozen
    assert not other.shooting
    assert other.body.velocity == pytest.approx((0.0, 0.0, 0.0), abs=0.2)
    assert not agent.frozen
    decisions = 0
    while other.frozen:
        _put(other.body, (30.0, 20.0))
        _act(env, (0.0, 0.0, 0.0, 0), (0.0, 0.0, 1.0, 0))
        decisions += 1
    assert decisions == pytest.approx(FROZEN_STEPS / 5, abs=1)
    other.freeze()
    other.end_episode()
    assert not other.frozen
    assert other.body.tag == "agent"


def test_the_grid_shows_what_lies_in_its_cells() -> None:
    env = make(make_grid_environment, 2)
    _act(env)
    agent = _alone(env, yaw=90.0)
    _put(agent.area.food[3], (8.5, 4.5), FLOOR + 0.75)  # looking along x: 8.5 ahead, 4.5 to the left
    _put(agent.area.food[30], (-11.0, -7.0), FLOOR + 0.75)
    _put(agent.area.agents[2], (15.3, 0.2))
    agents_of(env)[3].freeze()
    _put(agent.area.agents[3], (0.0, -19.4))
    (sensor,) = agent.runtime._sensors
    sensor.update()
    grid = np.zeros((5, 40, 40), np.float32)
    sensor.write(grid)
    ahead = np.arange(40) - 19.5
    right = ahead[::-1, None]

    def ball(to_right: float, in_front: float) -> np.ndarray:
        """Cells that overlap a piece of food, whose centre is 0.25 m above the agent's."""
        beside = np.maximum(np.abs(right - to_right) - 0.5, 0.0)
        along = np.maximum(np.abs(ahead - in_front) - 0.5, 0.0)
        return beside**2 + along**2 + 0.24**2 < 0.75**2

    def box(to_right: float, in_front: float) -> np.ndarray:
        return (np.abs(right - to_right) < 1.0) & (np.abs(ahead - in_front) < 1.0)

    expected = np.zeros((5, 40, 40))
    expected[FOOD] = ball(-4.5, 8.5)
    expected[BAD_FOOD] = ball(7.0, -11.0)
    expected[AGENT] = box(-0.2, 15.3)
    expected[FROZEN] = box(19.4, 0.0)
    assert expected.sum() > 20
    np.testing.assert_array_equal(grid, expected)


def test_the_grid_sees_walls() -> None:
    env = make(make_grid_environment, 2)
    _act(env)
    agent = _alone(env, position=(40.0, 0.0))  # ten metres from the wall to its right
    sensor = agent.runtime._sensors[0]
    sensor.update()
    grid = np.zeros((5, 40, 40), np.float32)
    sensor.write(grid)
    right = (np.arange(40) - 19.5)[::-1]
    assert (grid[WALL] == ((right > 10.0) & (right < 11.0))[:, None]).all()


def test_rays_and_numbers_of_the_ray_version() -> None:
    env = make(make_environment, 2)
    _act(env)
    agent = _alone(env, position=(0.0, 20.0))
    _put(agent.area.food[0], (0.0, 30.0), FLOOR + 0.75)
    other = agents_of(env)[1]
    other.freeze()
    direction = math.radians(70.0 / 3.0)
    _put(other.body, (10.0 * math.sin(direction), 20.0 + 10.0 * math.cos(direction)))
    agent.body.velocity = (1.0, 0.0, -0.5)
    agent.shooting = True
    for sensor in agent.runtime._sensors:
        sensor.update()
    agent.runtime._collect()
    rays = np.zeros(49, np.float32)
    agent.runtime._sensors[0].write(rays)
    forward, right, left, *_ = rays.reshape(7, 7).tolist()
    assert forward[:6] == [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    # Two spheres touch, the centre of one 0.25 m above the other.
    assert forward[6] == pytest.approx((10.0 - math.sqrt(1.25**2 - 0.25**2)) / 50.0, abs=1e-4)
    assert right[:6] == [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert left[:6] == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert left[6] == pytest.approx((29.5 / math.cos(direction)) / 50.0, abs=1e-4)
    assert agent.get_observations() == pytest.approx([1.0, -0.5, 0.0, 1.0])


def test_pictures_show_food_and_the_number_tells_the_frost() -> None:
    env = make(make_visual_environment, 2)
    _act(env)
    agent = _alone(env, yaw=30.0)
    _put(
        agent.area.food[0],
        (4.0 * math.sin(math.radians(30.0)), 4.0 * math.cos(math.radians(30.0))),
        FLOOR + 0.75,
    )
    agent.freeze()
    _act(env)
    picture, frozen = (obs[0] for obs in env.get_steps("VisualFoodCollector?team=0")[0].obs)
    red, green, blue = picture[:, 38, 42]
    assert green > 1.5 * max(red, blue)
    sky, floor = picture[:, 2, 42], picture[:, 82, 42]
    assert sky == pytest.approx([119 / 255, 144 / 255, 155 / 255], abs=0.003)
    assert floor.max() < 0.25
    assert frozen.tolist() == [1.0]


def test_time_runs_out_after_5000_steps() -> None:
    env = make(make_grid_environment, 2)
    for agent in agents_of(env):
        agent.runtime.step_count = 4990
    for expected in (0, 0, 10):
        _act(env)
        terminals = env.get_steps("GridFoodCollector?team=0")[1]
        assert len(terminals) == expected
    assert terminals.interrupted.all()


def test_parameters_change_size_and_gravity() -> None:
    env = make(make_grid_environment, 2, agent_scale=3.0, gravity=2.0)
    agent = agents_of(env)[0]
    assert agent.body.size == pytest.approx((3.0, 3.0, 3.0))
    _put(agent.body, (0.0, 0.0), height=20.0)
    agent.body.world.step()
    assert agent.body.velocity[1] == pytest.approx(-2.0 * 0.02 * 0.99)


def test_a_person_drives_by_keys() -> None:
    env = make(make_grid_environment, 2)
    behavior = "GridFoodCollector?team=0"
    assert not env.heuristic_actions(behavior).continuous.any()
    env.academy.keyboard.press("w", "q", "right", "space")
    actions = env.heuristic_actions(behavior)
    assert actions.continuous[0].tolist() == [1.0, -1.0, -1.0]
    assert actions.discrete[0].tolist() == [1]


def test_the_expert_collects_food() -> None:
    env = make(make_grid_environment, seed=2)
    agents = agents_of(env)
    behavior = "GridFoodCollector?team=0"
    buffers = ActionBuffers([0.0, 0.0, 0.0], [0])
    total = 0.0
    for _ in range(100):
        chosen = []
        for agent in agents:
            agent.expert(buffers)
            chosen.append(list(buffers.continuous_actions))
        env.set_actions(behavior, ActionTuple(np.array(chosen, np.float32), np.zeros((20, 1), np.int32)))
        env.step()
        total += env.get_steps(behavior)[0].reward.sum()
    assert total / 20 > 2.5  # doing nothing earns nothing, and 100 decisions are a tenth of an episode


def test_saved_state_continues_bit_for_bit() -> None:
    env = make(make_grid_environment, 2, seed=9)
    assert isinstance(env, SavesState)
    agents = agents_of(env)
    for _ in range(5):
        _act(env, (1.0, 0.0, 0.5, 1), (1.0, 0.0, -0.5, 1))
    agents[3].freeze()
    for agent in agents[:2]:
        agent.runtime.step_count = 4900
    other = make_grid_environment(EnvironmentOptions(seed=1, num_areas=2))
    other.reset()
    other.set_state(env.get_state())
    assert agents_of(other)[3].frozen
    assert assert_same_future(env, other, 60) >= 2
