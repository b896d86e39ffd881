"""Rules of PushBlock, and a policy that was trained in the original."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from single_agent_helpers import act, agents_of, assert_same_future, boxes, make, play

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.capabilities import SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.movement import (
    BACK,
    FORWARD,
    STAY,
    STEP_LEFT,
    STEP_RIGHT,
    TURN_LEFT,
    TURN_RIGHT,
    walk,
)
from mlagents_examples.push_block import PushBlockArea, build_scene, make_environment
from mlagents_examples.push_block.agent import DEGREES_PER_STEP, SIDEWAYS_SPEED, SPEED
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.physics import Freeze, PhysicsWorld
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

BEHAVIOR = "PushBlock?team=0"
BLOCK, GOAL, WALL, MISS, DISTANCE = range(5)


def _place(env: BaseEnv, position: tuple[float, float], heading: float, block: tuple[float, float]) -> None:
    """Put agent and block of the first area on the floor, at rest."""
    area = agents_of(env)[0].area
    for body in (area.agent, area.block):
        body.stop()
    area.agent.position = (position[0], 0.5, position[1])
    area.agent.rotation = yaw_rotation(heading)
    area.block.position = (block[0], 0.375, block[1])


def _newest(env: BaseEnv) -> np.ndarray:
    """What both sensors of the first agent see now ``[2, 7, 5]``; the raised one first."""
    obs = env.get_steps(BEHAVIOR)[0].obs
    return np.stack([each[0].reshape(3, 7, 5)[2] for each in obs]).astype(np.float64)


def test_spec_and_number_of_areas() -> None:
    env = make(make_environment)
    assert list(env.behavior_specs) == [BEHAVIOR]
    spec = env.behavior_specs[BEHAVIOR]
    assert [(each.name, each.shape) for each in spec.observation_specs] == [
        ("StackingSensor_size3_OffsetRayPerceptionSensor", (105,)),
        ("StackingSensor_size3_RayPerceptionSensor", (105,)),
    ]
    assert spec.action_spec.discrete_branches == (7,)
    assert spec.action_spec.continuous_size == 0
    assert len(env.get_steps(BEHAVIOR)[0]) == 32
    assert len(make(make_environment, 7).get_steps(BEHAVIOR)[0]) == 7


def test_geometry() -> None:
    scene = build_scene()
    expected = {
        "ground": ("", [25.0, 1.0, 25.0], [0.0, -0.5, 0.0]),
        "wall left": ("wall", [0.5, 2.0, 26.0], [-12.75, 0.5, 0.0]),
        "wall right": ("wall", [0.5, 2.0, 26.0], [12.75, 0.5, 0.0]),
        "wall back": ("wall", [25.0, 2.0, 0.5], [0.0, 0.5, -12.75]),
        "wall front": ("wall", [25.0, 2.0, 0.5], [0.0, 0.5, 12.75]),
        "goal": ("goal", [25.0, 3.0, 4.3], [0.0, -0.005, -10.5]),
    }
    found = boxes(scene)
    assert {name: box[0] for name, box in found.items() if name in expected} == {
        name: tag for name, (tag, _, _) in expected.items()
    }
    for name, (_, size, center) in expected.items():
        assert found[name][1] == pytest.approx(size, abs=2e-5)
        assert found[name][2] == pytest.approx(center)
    agent, block = scene.colliders["agent"], scene.colliders["block"]
    assert (found["agent"][1], found["block"][1]) == ([1.0, 1.0, 1.0], [2.0, 0.75, 2.0])
    assert (agent.mass, agent.drag, agent.angular_drag, agent.freeze) == (10.0, 4.0, 0.05, Freeze.ROTATION)
    assert (block.mass, block.drag, block.freeze, block.tag) == (10.0, 0.5, Freeze.ROTATION, "block")
    assert scene.gravity == pytest.approx((0.0, -24.525, 0.0))
    assert scene.timestep == 0.02


def test_places_at_a_reset() -> None:
    env = make(make_environment, 400, seed=3)
    agents = agents_of(env)
    agent, block = (
        np.array([getattr(each.area, what).position for each in agents]) for what in ("agent", "block")
    )
    for places in (agent, block):
        assert (places[:, 1] == 1.0).all()
        assert 6.0 < np.abs(places[:, 0]).max() <= 6.25
        assert 6.0 < places[:, 2].max() <= 6.25
        assert -5.85 <= places[:, 2].min() < -5.6  # the goal's face is at -8.35, 2.5 m stay free
    assert np.abs(agent - block)[:, [0, 2]].max(axis=1).min() >= 3.5
    assert all(each.area.agent.velocity == (0.0, 0.0, 0.0) for each in agents)


def test_a_reset_stops_both_and_leaves_the_heading() -> None:
    env = make(make_environment, 2)
    _place(env, (0.0, 0.0), 130.0, (6.0, 6.0))
    area = agents_of(env)[0].area
    area.agent.velocity = area.block.velocity = (1.0, 2.0, 3.0)
    agents_of(env)[0].end_episode()
    assert area.agent.velocity == area.block.velocity == (0.0, 0.0, 0.0)
    x, _, z = area.agent.forward
    assert math.degrees(math.atan2(x, z)) == pytest.approx(130.0)


@pytest.mark.parametrize(
    ("action", "velocity", "heading"),
    [
        (STAY, (0.0, 0.0), 0.0),
        (FORWARD, (0.0, 3.0), 0.0),
        (BACK, (0.0, -3.0), 0.0),
        (TURN_RIGHT, (0.0, 0.0), 4.0),
        (TURN_LEFT, (0.0, 0.0), -4.0),
        (STEP_LEFT, (-2.25, 0.0), 0.0),
        (STEP_RIGHT, (2.25, 0.0), 0.0),
    ],
)
def test_what_an_action_does_in_one_step(action: int, velocity: tuple[float, float], heading: float) -> None:
    world = PhysicsWorld(build_scene())
    body = PushBlockArea(world.areas[0]).agent
    body.position = (0.0, 3.0, 0.0)
    body.rotation = IDENTITY
    walk(body, action, SPEED, DEGREES_PER_STEP, SIDEWAYS_SPEED)
    world.step()
    drag = 1.0 - 4.0 * 0.02
    vx, _, vz = body.velocity
    assert (vx, vz) == pytest.approx((drag * velocity[0], drag * velocity[1]))
    x, _, z = body.forward
    assert math.degrees(math.atan2(x, z)) == pytest.approx(heading)


@pytest.mark.parametrize(("ground", "combined"), [(0.0, 0.3), (1.0, 0.8)])
def test_the_floor_slows_a_box_by_twice_coulomb_friction(ground: float, combined: float) -> None:
    env = make(make_environment, 2, static_friction=ground, dynamic_friction=ground)
    _place(env, (0.0, 0.0), 0.0, (6.0, 6.0))
    body = agents_of(env)[0].area.agent
    body.velocity = (0.0, 0.0, 10.0)
    act(env, STAY)
    speed, keep = 10.0, 1.0 - 4.0 * 0.02
    for _ in range(5):
        speed = keep * speed - 2.0 * combined * 24.525 * 0.02 * keep
    assert body.velocity[2] == pytest.approx(speed, abs=1e-3)


def test_rays_tell_kind_and_distance_in_their_order() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    # It looks at the goal; the block lies to its right (at smaller x), a wall to its left.
    _place(env, (6.0, -2.0), 180.0, (2.0, -2.0))
    act(env, STAY)
    raised, level = _newest(env)
    forward, right_30, left_30, right_60, left_60, right_90, left_90 = level
    to_goal = 8.35 - 2.0 - 0.5
    assert forward[:4].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert forward[DISTANCE] == pytest.approx(to_goal / 12.0, abs=1e-5)
    for ray in (right_30, left_30):
        assert ray[GOAL] == 1.0
        assert ray[DISTANCE] == pytest.approx(to_goal / math.cos(math.radians(30.0)) / 12.0, abs=1e-5)
    assert right_90[:4].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert right_90[DISTANCE] == pytest.approx((4.0 - 1.0 - 0.5) / 12.0, abs=1e-5)
    assert left_90[:4].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert left_90[DISTANCE] == pytest.approx((12.5 - 6.0 - 0.5) / 12.0, abs=1e-5)
    assert left_60[WALL] == 1.0
    assert left_60[DISTANCE] == pytest.approx(6.0 / math.sin(math.radians(60.0)) / 12.0, abs=1e-5)
    assert right_60[GOAL] == 1.0
    # The raised sensor looks over block and goal and just grazes the walls' upper edges.
    for ray, distance in ((0, 12.5 - 2.0), (4, 6.5 / math.sin(math.radians(60.0))), (6, 6.5)):
        assert raised[ray, :4].tolist() == [0.0, 0.0, 1.0, 0.0]
        assert raised[ray, DISTANCE] == pytest.approx(distance / 12.0, abs=3e-4)
    assert raised[[1, 2, 3, 5], MISS].tolist() == [1.0] * 4


def test_observations_are_stacked_oldest_first_and_forgotten_at_the_end() -> None:
    env = make(make_environment, 2)
    frames = [_newest(env)]
    first = env.get_steps(BEHAVIOR)[0].obs[1][0].reshape(3, 35)
    assert not first[:2].any()
    for _ in range(2):
        act(env, FORWARD)
        frames.append(_newest(env))
    stacked = env.get_steps(BEHAVIOR)[0].obs[1][0].reshape(3, 7, 5)
    np.testing.assert_allclose(stacked, [frame[1] for frame in frames], rtol=0.0, atol=1e-7)
    agents_of(env)[0].end_episode()
    act(env, STAY)
    while len(env.get_steps(BEHAVIOR)[0]) == 0:
        env.step()
    stacked = env.get_steps(BEHAVIOR)[0].obs[1].reshape(2, 3, 35)
    assert not stacked[0, :2].any()
    assert stacked[0, 2].any()
    assert stacked[1].any(axis=1).all()


def test_pushing_the_block_into_the_goal_earns_five_and_ends_the_episode() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    assert env.get_steps(BEHAVIOR)[0].reward == pytest.approx([-0.001, -0.001])
    _place(env, (0.0, -5.2), 180.0, (0.0, -6.8))
    terminals = env.get_steps(BEHAVIOR)[1]
    steps = 0
    while len(terminals) == 0:
        act(env, FORWARD)
        terminals = env.get_steps(BEHAVIOR)[1]
        steps += 1
        assert steps < 10
    assert terminals.agent_id.tolist() == [0]
    assert not terminals.interrupted[0]
    assert 4.998 < terminals.reward[0] < 5.0
    assert agents_of(env)[0].area.block.position[1] == 1.0


def test_a_block_at_a_wall_does_not_score() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    _place(env, (0.0, 0.0), 0.0, (11.5, 0.0))
    for _ in range(3):
        agents_of(env)[0].area.block.velocity = (3.0, 0.0, 0.0)
        act(env, STAY)
        assert len(env.get_steps(BEHAVIOR)[1]) == 0


def test_the_agent_itself_does_not_score() -> None:
    env = make(make_environment, 2)
    act(env, STAY)
    _place(env, (0.0, -7.0), 180.0, (6.0, 6.0))
    for _ in range(10):
        act(env, FORWARD)
        assert len(env.get_steps(BEHAVIOR)[1]) == 0
    assert agents_of(env)[0].area.agent.position[2] == pytest.approx(-7.85, abs=0.01)


def test_time_runs_out_after_5000_steps() -> None:
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


def test_parameters_change_block_and_gravity() -> None:
    env = make(make_environment, 2, block_scale=3.0, block_drag=7.0, gravity=5.0)
    area = agents_of(env)[0].area
    assert area.block.size == pytest.approx((3.0, 0.75, 3.0))
    assert area.block.drag == 7.0
    area.agent.position = (0.0, 5.0, 0.0)
    area.agent.stop()
    act(env, STAY)
    speed = 0.0
    for _ in range(5):
        speed = (speed + 5.0 * 0.02) * (1.0 - 4.0 * 0.02)
    assert area.agent.velocity[1] == pytest.approx(-speed)


def test_a_block_that_leaves_no_room_is_an_error() -> None:
    with pytest.raises(AgentsError, match="block_scale"):
        make(make_environment, 2, block_scale=24.0)


def test_the_expert_scores_everywhere() -> None:
    score = play(make(make_environment, seed=5), "PushBlock", 100)
    assert score.min_return > 4.95
    crowded = play(make(make_environment, seed=6, block_scale=4.0, gravity=9.81), "PushBlock", 50)
    assert crowded.mean_return > 4.8


def test_saved_state_continues_bit_for_bit() -> None:
    env = make(make_environment, 6, seed=9)
    assert isinstance(env, SavesState)
    for _ in range(30):
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
    for agent in agents_of(env)[:3]:  # so that resets are compared as well
        agent.runtime.step_count = 4700
    other = make_environment(EnvironmentOptions(seed=1, num_areas=6))
    other.reset()
    other.set_state(env.get_state())
    assert assert_same_future(env, other, 100) >= 3


def test_a_policy_trained_in_the_original_keeps_its_score(shared_data: Path) -> None:
    model = shared_data / "models" / "PushBlock.onnx"
    assert play(make(make_environment, seed=1), "PushBlock", 100, model).mean_return >= 4.3
    sampled = play(make(make_environment, seed=2), "PushBlock", 100, model, deterministic=False)
    assert sampled.mean_return >= 4.5
