"""Rules of WallJump, and a policy that was trained in the original."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from single_agent_helpers import act, act_randomly, agents_of, assert_same_future, boxes, make, play

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.capabilities import SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.wall_jump import WallJumpAgent, WallJumpArea, build_scene, make_environment
from mlagents_examples.wall_jump.jump import Jump
from mlagents_sdk.physics import Freeze, PhysicsWorld
from mlagents_sdk.physics.rotations import IDENTITY, yaw_rotation

SMALL, BIG = "SmallWallJump?team=0", "BigWallJump?team=0"
STAY = (0, 0, 0, 0)
GRAVITY = 2.75 * 9.81


def _area() -> tuple[PhysicsWorld, WallJumpArea]:
    world = PhysicsWorld(build_scene())
    return world, WallJumpArea(world.areas[0])


def _behavior_of(env: BaseEnv, agent: WallJumpAgent) -> str:
    return agent.behavior_parameters.fully_qualified_name


def _reward(env: BaseEnv, agent_id: int) -> tuple[float, bool, str]:
    """Reward of one agent's newest record, whether it ended the episode, and the behavior."""
    for behavior in env.behavior_specs:
        for steps, ended in zip(env.get_steps(behavior), (False, True), strict=True):
            if agent_id in steps.agent_id:
                return float(steps[agent_id].reward), ended, behavior
    raise AssertionError(f"no record of agent {agent_id}")


def test_spec_and_number_of_areas() -> None:
    env = make(make_environment)
    assert set(env.behavior_specs) == {SMALL, BIG}
    for spec in env.behavior_specs.values():
        assert [(each.name, each.shape) for each in spec.observation_specs] == [
            ("StackingSensor_size6_OffsetRayPerceptionSensor", (210,)),
            ("StackingSensor_size6_RayPerceptionSensor", (210,)),
            ("StackingSensor_size6_VectorSensor_size4", (24,)),
        ]
        assert spec.action_spec.discrete_branches == (3, 3, 3, 2)
    assert sum(len(env.get_steps(behavior)[0]) for behavior in env.behavior_specs) == 24


def test_geometry() -> None:
    scene = build_scene()
    found = boxes(scene)
    assert found["ground"] == ("walkableSurface", [21.0, 1.0, 21.0], [0.0, -0.05, -4.0])
    assert found["wall"][0] == "wall"
    assert found["wall"][2] == [0.0, 0.0, -1.98]
    assert found["goal"] == ("goal", [4.0, 5.0, 4.0], [6.37, 2.99, 2.93])
    assert scene.colliders["goal"].shapes[0].trigger
    agent, block = scene.colliders["agent"], scene.colliders["block"]
    assert (found["agent"][1], found["block"][1]) == ([1.0, 1.0, 1.0], [3.0, 2.0, 3.0])
    assert (agent.mass, agent.drag, agent.freeze) == (25.0, 2.0, Freeze.ROTATION_X | Freeze.ROTATION_Z)
    assert (block.mass, block.drag, block.tag) == (10.0, 1.0, "block")
    assert block.freeze == Freeze.ROTATION | Freeze.POSITION_Y
    assert scene.gravity == pytest.approx((0.0, -GRAVITY, 0.0))


def test_places_at_a_reset() -> None:
    agents = agents_of(make(make_environment, 500, seed=2))
    agent = np.array([each.area.agent.position for each in agents])
    block = np.array([each.area.block.position for each in agents])
    assert 8.8 < np.abs(agent[:, 0]).max() <= 9.0
    assert (agent[:, 1:] == (1.0, -12.0)).all()
    assert 7.9 < np.abs(block[:, 0]).max() <= 8.1
    assert (block[:, 1] == 1.5).all()
    assert 3.4 < np.abs(block[:, 2] + 6.27).max() <= 3.5


def test_walls_and_behaviors_by_configuration() -> None:
    agents = agents_of(make(make_environment, 600, seed=4))
    tops = {behavior: [] for behavior in ("SmallWallJump", "BigWallJump")}
    for agent in agents:
        tops[agent.behavior_parameters.behavior_name].append(agent.area.wall_top)
    assert set(tops["SmallWallJump"]) == {0.0, 2.0}
    assert set(tops["BigWallJump"]) == {4.0}
    assert tops["SmallWallJump"].count(0.0) / 600 == pytest.approx(0.2, abs=0.05)
    assert len(tops["BigWallJump"]) / 600 == pytest.approx(0.6, abs=0.06)


def test_wall_heights_are_parameters() -> None:
    heights = {"no_wall_height": 1.0, "small_wall_height": 1.5, "big_wall_height": 6.0}
    tops = {agent.area.wall_top for agent in agents_of(make(make_environment, 60, **heights))}
    assert tops == {0.5, 0.75, 3.0}


def test_an_agent_keeps_its_id_under_both_behaviors() -> None:
    env = make(make_environment, 8, seed=1)
    agents = agents_of(env)
    changes = 0
    for _ in range(12):
        before = [_behavior_of(env, agent) for agent in agents]
        for agent in agents:
            agent.area.agent.position = (50.0, 1.0, 0.0)
        act(env, *STAY)
        for agent, behavior in zip(agents, before, strict=True):
            reward, ended, recorded = _reward(env, agent.agent_id)
            assert (reward, ended, recorded) == (-1.0, True, behavior)
        env.step()
        while not any(len(env.get_steps(behavior)[0]) for behavior in env.behavior_specs):
            env.step()
        for agent, behavior in zip(agents, before, strict=True):
            _, ended, recorded = _reward(env, agent.agent_id)
            assert not ended
            assert recorded == _behavior_of(env, agent)
            changes += recorded != behavior
    assert changes > 10


def test_no_records_of_running_episodes_at_an_environment_reset() -> None:
    env = make(make_environment, 40, seed=1)
    for _ in range(3):
        act(env, *STAY)
        env.reset()
        assert all(len(env.get_steps(behavior)[1]) == 0 for behavior in env.behavior_specs)
        assert sum(len(env.get_steps(behavior)[0]) for behavior in env.behavior_specs) == 40


def test_observed_position_and_ground_contact() -> None:
    env = make(make_environment, 2)
    agent = agents_of(env)[0]
    for height, grounded in ((3.0, 0.0), (0.95, 1.0)):
        agent.area.agent.position = (2.0, height, -8.0)
        agent.end_episode()  # the final observation shows the scene as it is
        act(env, *STAY)
        stacked = [
            env.get_steps(behavior)[1][0].obs[2].reshape(6, 4)
            for behavior in env.behavior_specs
            if 0 in env.get_steps(behavior)[1].agent_id
        ]
        assert len(stacked) == 1
        assert stacked[0][5] == pytest.approx([0.1, height / 20.0, -0.2, grounded], abs=1e-6)
        assert not stacked[0][0].any()
        act(env, *STAY)


@pytest.mark.parametrize(("height", "feels", "touches"), [(0.95, True, True), (1.04, True, False)])
def test_two_ways_of_standing(height: float, feels: bool, touches: bool) -> None:
    _, area = _area()
    area.agent.position = (0.0, height, -12.0)
    assert area.feels_ground() is feels
    assert area.touches_ground() is touches


def test_ground_contact_ends_where_the_feelers_end() -> None:
    _, area = _area()
    surface = 0.45
    for height, feels in ((surface + 1.04, True), (surface + 1.06, False)):
        area.agent.position = (0.0, height, -12.0)
        assert area.feels_ground() is feels
    # Beside the block's edge the middle of the agent is over nothing, but a corner is over the block.
    area.block.position = (0.0, 1.5, -8.0)
    area.agent.position = (1.9, 3.0, -8.0)
    assert not area.feels_ground()
    assert area.touches_ground()
    area.agent.position = (1.99, 3.0, -8.0)  # 0.475 of half a metre count
    assert not area.touches_ground()


def test_walking_turning_and_stepping_aside() -> None:
    env = make(make_environment, 2)
    agent = agents_of(env)[0]
    body = agent.area.agent
    keep = 1.0 - 2.0 * 0.02
    for action, direction, heading in (
        ((1, 0, 0, 0), (0.0, 1.0), 0.0),
        ((2, 0, 0, 0), (0.0, -1.0), 0.0),
        ((0, 0, 1, 0), (-0.6, 0.0), 0.0),
        ((0, 0, 2, 0), (0.6, 0.0), 0.0),
        ((1, 0, 2, 0), (0.6, 0.0), 0.0),  # stepping aside goes first
        ((0, 1, 0, 0), (0.0, 0.0), -30.0),
        ((0, 2, 0, 0), (0.0, 0.0), 30.0),
    ):
        body.position = (0.0, 15.0, -4.0)  # in the air: half as fast, and no friction
        body.rotation = IDENTITY
        body.velocity = (0.0, 0.0, 0.0)
        act(env, *action)
        speed = 0.0
        for _ in range(5):
            speed = (speed + 1.5) * keep
        vx, _, vz = body.velocity
        assert (vx, vz) == pytest.approx((speed * direction[0], speed * direction[1]), abs=1e-6)
        x, _, z = body.forward
        assert math.degrees(math.atan2(x, z)) == pytest.approx(heading)


def test_on_the_ground_it_is_twice_as_fast_and_goes_where_it_looks() -> None:
    world = PhysicsWorld(build_scene())
    area = WallJumpArea(world.areas[0])
    for _ in range(40):
        world.step()
    env = make(make_environment, 2)
    agent = agents_of(env)[0]
    agent.area.agent.position = (0.0, 0.95, -12.0)
    agent.area.agent.rotation = yaw_rotation(90.0)
    agent.area.agent.velocity = (0.0, 0.0, 0.0)
    act(env, 1, 0, 0, 0)
    speed, keep = 0.0, 1.0 - 2.0 * 0.02
    for _ in range(5):
        speed = (speed + 3.0) * keep - 2.0 * 0.6 * GRAVITY * 0.02 * keep
    assert agent.area.agent.velocity[0] == pytest.approx(speed, rel=0.01)
    assert area.agent.position[1] == pytest.approx(0.95, abs=1e-3)


def test_a_jump_pulls_for_a_fifth_of_a_second_and_then_pushes_down() -> None:
    world, area = _area()
    body = area.agent
    body.position = (0.0, 0.95, -12.0)
    jump = Jump(body, 0.02)
    assert jump.is_over
    jump.start()
    # 15.54 times the distance to the target, approached by 10 m/s per step at most.
    jump.advance((0.0, 0.0, 0.0), touches_ground=True)
    assert body.velocity[1] == pytest.approx(10.0)
    world.step()
    assert not jump.is_over
    pulls = 1
    while not jump.is_over:
        expected = 0.02 * 777.0 * (0.95 + 2.75 - body.position[1])
        before = body.velocity[1]
        jump.advance((0.0, 0.0, 1.0), touches_ground=False)
        step = math.dist((0.0, before, 0.0), (0.0, expected, 15.54))
        if step <= 10.0:
            assert body.velocity == pytest.approx((0.0, expected, 15.54))
        body.velocity = (0.0, body.velocity[1], 0.0)
        world.step()
        pulls += 1
    assert pulls == 11  # ten times 0.02 s leave a rest of 0.2 s, in single precision as well
    assert body.position[1] == pytest.approx(0.95 + 2.75, abs=0.25)
    before = body.velocity[1]
    jump.advance((0.0, 0.0, 0.0), touches_ground=False)
    world.step()
    assert body.velocity[1] == pytest.approx((before - (111.0 + GRAVITY) * 0.02) * (1.0 - 2.0 * 0.02))
    before = body.velocity[1]
    jump.advance((0.0, 0.0, 0.0), touches_ground=True)
    world.step()
    assert body.velocity[1] == pytest.approx((before - GRAVITY * 0.02) * (1.0 - 2.0 * 0.02))


def test_jumps_begin_on_the_ground_only() -> None:
    env = make(make_environment, 2)
    body = agents_of(env)[0].area.agent
    body.velocity = (0.0, 0.0, 0.0)
    body.position = (0.0, 6.0, -12.0)
    act(env, 0, 0, 0, 1)
    assert body.velocity[1] < -10.0
    for _ in range(10):
        act(env, *STAY)
    assert body.position[1] == pytest.approx(0.95, abs=1e-3)
    heights = []
    for _ in range(3):
        act(env, 0, 0, 0, 1)
        heights.append(body.position[1])
    assert max(heights) > 3.3


def test_the_goal_counts_on_the_ground_only() -> None:
    env = make(make_environment, 2)
    agent = agents_of(env)[0]
    agent.area.agent.velocity = (0.0, 0.0, 0.0)
    agent.area.agent.position = (6.37, 5.0, 2.93)
    agent.runtime.step_count = 0
    act(env, *STAY)
    assert agent.area.agent.position[1] > 2.0
    assert _reward(env, 0)[1] is False
    for _ in range(2):
        act(env, *STAY)
        reward, ended, _ = _reward(env, 0)
        if ended:
            break
    assert (reward, ended) == (1.0, True)
    assert agent.area.agent.position[2] == -12.0


@pytest.mark.parametrize("who", ["agent", "block"])
def test_a_fall_costs_one(who: str) -> None:
    env = make(make_environment, 2)
    area = agents_of(env)[0].area
    body = getattr(area, who)
    body.position = (10.4, body.position[1], -10.0)
    act(env, *STAY)
    assert _reward(env, 0) == (pytest.approx(-0.0025), False, _behavior_of(env, agents_of(env)[0]))
    body.position = (10.6, body.position[1], -10.0)
    act(env, *STAY)
    assert _reward(env, 0)[:2] == (-1.0, True)


def test_a_hard_landing_is_not_a_fall() -> None:
    env = make(make_environment, 2)
    body = agents_of(env)[0].area.agent
    for gap in np.linspace(0.0, 0.6, 13):
        body.position = (3.0, 0.95 + gap, -8.0)
        body.velocity = (0.0, -30.0, 0.0)
        act(env, *STAY)
        assert _reward(env, 0)[1] is False


def test_time_runs_out_after_2000_steps() -> None:
    env = make(make_environment, 2)
    for _ in range(400):
        act(env, *STAY)
    for behavior in env.behavior_specs:
        terminals = env.get_steps(behavior)[1]
        assert terminals.interrupted.all()
    assert sum(len(env.get_steps(behavior)[1]) for behavior in env.behavior_specs) == 2


@pytest.mark.parametrize(("top", "raised_sees_it"), [(3.4, False), (3.7, True)])
def test_rays_tell_kind_and_distance(top: float, raised_sees_it: bool) -> None:
    heights = dict.fromkeys(("no_wall_height", "small_wall_height", "big_wall_height"), 2.0 * top)
    env = make(make_environment, 2, **heights)
    agent = agents_of(env)[0]
    agent.area.agent.position = (0.0, 0.95, -8.0)
    agent.area.agent.rotation = IDENTITY
    agent.area.agent.velocity = (0.0, 0.0, 0.0)
    agent.area.block.position = (6.0, 1.5, -8.0)
    act(env, *STAY)
    raised, level, _ = env.get_steps(_behavior_of(env, agent))[0][0].obs
    ahead, right = level.reshape(6, 7, 5)[5, [0, 5]]
    assert ahead == pytest.approx([1.0, 0.0, 0.0, 0.0, (8.0 - 1.98 - 0.75 - 0.5) / 20.0], abs=1e-3)
    assert right == pytest.approx([0.0, 0.0, 1.0, 0.0, (6.0 - 1.5 - 0.5) / 20.0], abs=1e-3)
    # The raised rays climb from 3.45 to 5.95 m over 20 m. At the wall, 4.8 m ahead, a sphere of radius 0.504
    # has its lower end at 3.55 m; the goal to the right reaches up to 5.49 m.
    kinds = raised.reshape(6, 7, 5)[5, :, :4].argmax(axis=1)
    assert kinds[0] == (0 if raised_sees_it else 3)
    assert kinds[5:].tolist() == [3, 3]
    if not raised_sees_it:
        assert kinds[1:5].tolist() == [1, 3, 3, 3]


def test_seeds_decide_everything() -> None:
    rng = np.random.default_rng(0)
    env, same, other = (make(make_environment, 6, seed=seed) for seed in (3, 3, 4))
    assert assert_same_future(env, same, 60) >= 0
    act_randomly(other, rng)
    assert agents_of(env)[0].area.block.position != agents_of(other)[0].area.block.position


def test_saved_state_continues_bit_for_bit_in_the_middle_of_jumps() -> None:
    env = make(make_environment, 12, seed=9)
    assert isinstance(env, SavesState)
    for _ in range(21):
        for behavior in list(env.behavior_specs):
            env.set_actions(behavior, env.expert_actions(behavior))
        env.step()
    assert not all(agent.jump.is_over for agent in agents_of(env))
    other = make_environment(EnvironmentOptions(seed=1, num_areas=12))
    other.reset()
    other.set_state(env.get_state())
    assert assert_same_future(env, other, 150) > 5


def test_the_expert_gets_over_all_walls() -> None:
    assert play(make(make_environment, seed=5), "SmallWallJump", 60).mean_return > 0.85
    assert play(make(make_environment, seed=6), "BigWallJump", 60).mean_return > 0.8


def test_a_policy_trained_in_the_original_keeps_its_score(shared_data: Path) -> None:
    model = shared_data / "models" / "SmallWallJump.onnx"
    score = play(make(make_environment, seed=1), "SmallWallJump", 200, model)
    assert score.mean_return >= 0.9
