"""Rules of Hallway, and a policy with memory that was trained in the original."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from single_agent_helpers import act, agents_of, assert_same_future, boxes, make, play

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.capabilities import SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.hallway import build_scene, make_environment
from mlagents_examples.movement import BACK, FORWARD, STAY, TURN_LEFT, TURN_RIGHT
from mlagents_sdk.physics import Freeze
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

BEHAVIOR = "Hallway?team=0"
GRAVITY = 2.0 * 9.81


def _approach_goal(env: BaseEnv, right: bool) -> tuple[float, bool, bool]:
    """Walk the first agent into a goal; reward of the last record, whether interrupted, and for how long."""
    agent = agents_of(env)[0]
    body = agent.area.agent
    body.position = (agent.area.goal_x * (1.0 if right else -1.0), 1.0, 19.0)
    body.rotation = IDENTITY
    body.velocity = (0.0, 0.0, 0.0)
    for _ in range(10):
        act(env, FORWARD)
        terminals = env.get_steps(BEHAVIOR)[1]
        if 0 in terminals.agent_id:
            return float(terminals[0].reward), bool(terminals[0].interrupted), True
    return 0.0, False, False


def test_spec_and_number_of_areas() -> None:
    env = make(make_environment)
    assert list(env.behavior_specs) == [BEHAVIOR]
    spec = env.behavior_specs[BEHAVIOR]
    assert [(each.name, each.shape) for each in spec.observation_specs] == [
        ("StackingSensor_size3_RayPerceptionSensor", (105,)),
        ("StackingSensor_size3_VectorSensor_size1", (3,)),
    ]
    assert spec.action_spec.discrete_branches == (5,)
    assert len(env.get_steps(BEHAVIOR)[0]) == 16


def test_geometry() -> None:
    scene = build_scene()
    found = boxes(scene)
    for name, size, center in (
        ("ground", [20.0, 1.0, 50.0], [0.0, 0.0, 0.0]),
        ("wall left", [0.5, 4.0, 50.0], [-9.75, 1.5, 0.0]),
        ("wall right", [0.5, 4.0, 50.0], [9.75, 1.5, 0.0]),
        ("wall back", [20.0, 4.0, 0.5], [0.0, 1.5, -25.0]),
        ("wall front", [20.0, 4.0, 0.5], [0.0, 1.5, 25.0]),
    ):
        assert found[name][1:] == (size, center)
        assert found[name][0] == ("ground" if name == "ground" else "wall")
    for symbol in "OX":
        tag, size, _ = found[symbol]
        assert (tag, size) == (f"symbol_{symbol}", [4.0, 4.0, 1.0])
        plate, board = found[f"{symbol} goal 0"], found[f"{symbol} goal 1"]
        assert plate[:2] == (f"symbol_{symbol}_Goal", [4.0, 0.1, 4.0])
        assert board[:2] == (f"symbol_{symbol}_Goal", [4.08, 4.01, 1.14])
        offset = np.subtract(board[2], plate[2])
        assert offset.tolist() == pytest.approx([0.0, 2.0, 2.5])
    agent = scene.colliders["agent"]
    assert found["agent"][1] == [1.0, 1.0, 1.0]
    assert (agent.mass, agent.drag, agent.freeze) == (25.0, 2.0, Freeze.ROTATION_X | Freeze.ROTATION_Z)
    assert scene.gravity == pytest.approx((0.0, -GRAVITY, 0.0))


def test_what_a_reset_draws() -> None:
    areas = [agent.area for agent in agents_of(make(make_environment, 600, seed=2))]
    symbols = [area.symbol for area in areas]
    assert symbols.count("O") / 600 == pytest.approx(0.5, abs=0.06)
    agent = np.array([area.agent.position for area in areas])
    assert 2.9 < np.abs(agent[:, 0] - 0.015).max() <= 3.0
    assert (agent[:, 1] == 1.5).all()
    assert 4.9 < np.abs(agent[:, 2] + 15.0).max() <= 5.0
    headings = np.array([math.atan2(area.agent.forward[0], area.agent.forward[2]) for area in areas])
    assert np.histogram(headings, 4)[0].min() > 100
    for area in areas:
        shown, hidden = (area._symbols[name] for name in (area.symbol, "OX".replace(area.symbol, "")))
        assert hidden.position[1] == -1000.0
        x, y, z = shown.position
        assert y == 2.5
        assert abs(z) <= 5.0
        assert abs(x - 0.015) <= 3.0 if area.symbol == "O" else x == 0.015
        positions = {name: goal.position for name, goal in area._goals.items()}
        assert sorted(positions.values()) == [(-7.0, 0.5, 22.29), (7.0, 0.5, 22.29)]
        assert area.goal_x == positions[area.symbol][0]
    assert np.std([area._symbols["O"].position[0] for area in areas if area.symbol == "O"]) > 1.5
    sides = np.array([area._goals["O"].position[0] > 0.0 for area in areas])
    for symbol in "OX":
        assert sides[np.array(symbols) == symbol].mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("action", "ahead", "heading"),
    [
        (STAY, 0.0, 0.0),
        (FORWARD, 1.5, 0.0),
        (BACK, -1.5, 0.0),
        (TURN_RIGHT, 0.0, 18.0),
        (TURN_LEFT, 0.0, -18.0),
    ],
)
def test_what_an_action_does_in_one_decision(action: int, ahead: float, heading: float) -> None:
    env = make(make_environment, 2)
    body = agents_of(env)[0].area.agent
    body.position = (7.0, 9.0, 0.0)
    body.rotation = IDENTITY
    act(env, action)
    speed = 0.0
    for _ in range(6):
        speed = (speed + ahead) * (1.0 - 2.0 * 0.02)
    vx, _, vz = body.velocity
    assert (vx, vz) == pytest.approx((0.0, speed), abs=1e-9)
    x, _, z = body.forward
    assert math.degrees(math.atan2(x, z)) == pytest.approx(heading)


def test_rays_tell_kind_and_distance_in_their_order() -> None:
    env = make(make_environment, 2)
    area = agents_of(env)[0].area
    for _ in range(8):
        act(env, STAY)
    area._symbols[area.symbol].position = (0.015, 2.5, 4.0)
    area.agent.position = (0.015, 1.0, -4.0)
    area.agent.rotation = yaw_rotation(0.0)
    area.agent.velocity = (0.0, 0.0, 0.0)
    act(env, STAY)
    rays = env.get_steps(BEHAVIOR)[0].obs[0][0].reshape(3, 5, 7)[2]
    channel = {"O": 2, "X": 3}[area.symbol]
    symbol = [0.0] * 5
    symbol[channel] = 1.0
    assert rays[0] == pytest.approx([*symbol, 0.0, (8.0 - 0.5 - 0.5) / 12.0], abs=1e-4)
    for ray, x in ((3, 9.5 - 0.015), (4, 9.5 + 0.015)):  # 70 degrees to the right, then to the left
        distance = (x - 0.5) / math.sin(math.radians(70.0))
        assert rays[ray] == pytest.approx([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, distance / 12.0], abs=1e-4)
    area.agent.position = (area.goal_x, 1.0, 15.0)
    act(env, STAY)
    rays = env.get_steps(BEHAVIOR)[0].obs[0][0].reshape(3, 5, 7)[2]
    # The plate rises 5 cm above the floor: the thick ray meets its edge 0.218 m early.
    goal = [0.0] * 5
    goal[{"O": 0, "X": 1}[area.symbol]] = 1.0
    early = math.sqrt(0.5**2 - 0.45**2)
    assert rays[0] == pytest.approx([*goal, 0.0, (22.29 - 2.0 - 15.0 - early) / 12.0], abs=1e-3)


def test_time_is_observed_and_stacked() -> None:
    env = make(make_environment, 2)
    for _ in range(3):
        act(env, STAY)
    assert env.get_steps(BEHAVIOR)[0].obs[1][0] == pytest.approx([7 / 3000, 13 / 3000, 19 / 3000])


@pytest.mark.parametrize(("right", "expected"), [(True, 1.0), (False, -0.1)])
def test_touching_a_goal_sets_the_reward_and_ends_the_episode(right: bool, expected: float) -> None:
    for seed in range(4):
        env = make(make_environment, 2, seed=seed)
        reward, interrupted, touched = _approach_goal(env, right)
        assert touched
        assert reward == pytest.approx(expected)
        assert not interrupted


def test_time_runs_out_after_3000_steps() -> None:
    env = make(make_environment, 2)
    total = 0.0
    for _ in range(500):
        act(env, STAY)
        for steps in env.get_steps(BEHAVIOR):
            total += float(steps.reward[steps.agent_id == 0].sum())
    assert env.get_steps(BEHAVIOR)[1].interrupted.tolist() == [True, True]
    assert total == pytest.approx(-1.0, abs=1e-4)


def test_the_expert_finds_the_right_goal() -> None:
    score = play(make(make_environment, seed=3), "Hallway", 100)
    assert score.min_return > 0.9


def test_saved_state_continues_bit_for_bit() -> None:
    env = make(make_environment, 6, seed=9)
    assert isinstance(env, SavesState)
    for _ in range(15):
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
    other = make_environment(EnvironmentOptions(seed=1, num_areas=6))
    other.reset()
    other.set_state(env.get_state())
    assert [agent.area.symbol for agent in agents_of(other)] == [
        agent.area.symbol for agent in agents_of(env)
    ]
    for _ in range(40):
        for each in (env, other):
            each.set_actions(BEHAVIOR, each.expert_actions(BEHAVIOR))
            each.step()
    assert_same_future(env, other, 60)
    assert agents_of(env)[0].completed_episodes > 0


def test_a_policy_with_memory_trained_in_the_original_keeps_its_score(shared_data: Path) -> None:
    model = shared_data / "models" / "Hallway.onnx"
    score = play(make(make_environment, seed=1), "Hallway", 200, model, deterministic=False)
    assert score.mean_return >= 0.85
