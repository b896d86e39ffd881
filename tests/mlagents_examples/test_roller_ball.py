"""Rules of RollerBall."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.capabilities import PlaysExpert, SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.roller_ball import RollerBallAgent, RollerBallArea, build_scene, make_environment
from mlagents_sdk.physics import PhysicsWorld, Vector

BEHAVIOR = "RollerBall?team=0"


def _make(num_areas: int | None = None, seed: int = 0) -> BaseEnv:
    env = make_environment(EnvironmentOptions(seed=seed, num_areas=num_areas))
    env.reset()
    return env


def _agents(env: BaseEnv) -> list[RollerBallAgent]:
    academy = env.academy
    return [runtime.agent for runtime in academy.agents_of(academy.policies.remote[BEHAVIOR])]


def _act(env: BaseEnv, x: float, z: float) -> None:
    decisions, _ = env.get_steps(BEHAVIOR)
    env.set_actions(BEHAVIOR, ActionTuple(np.tile(np.array([[x, z]], dtype=np.float32), (len(decisions), 1))))
    env.step()


def _area() -> RollerBallArea:
    return RollerBallArea(PhysicsWorld(build_scene()).areas[0])


def _quiet(env: BaseEnv) -> list[RollerBallArea]:
    """The areas, each with its cube out of reach."""
    areas = [agent.area for agent in _agents(env)]
    for area in areas:
        area.target.position = (4.0, 0.5, 4.0)
    return areas


def test_spec_and_first_observation() -> None:
    env = _make()
    assert list(env.behavior_specs) == [BEHAVIOR]
    spec = env.behavior_specs[BEHAVIOR]
    assert [observation.shape for observation in spec.observation_specs] == [(8,)]
    assert spec.action_spec.continuous_size == 2
    assert spec.action_spec.discrete_size == 0
    assert len(env.get_steps(BEHAVIOR)[0]) == 1
    obs = _make(300, seed=2).get_steps(BEHAVIOR)[0].obs[0]
    for sideways in (obs[:, 0], obs[:, 2]):
        assert -4.0 <= sideways.min() < -3.8
        assert 3.8 < sideways.max() <= 4.0
    assert (obs[:, 1] == 0.5).all()
    np.testing.assert_array_equal(obs[:, 3:], np.tile(np.float32([0.0, 0.5, 0.0, 0.0, 0.0]), (300, 1)))


def test_observation_tells_cube_then_ball_then_velocity() -> None:
    area = _area()
    area.target.position = (1.0, 0.5, -2.0)
    area.ball.position = (-3.0, 0.75, 2.5)
    area.ball.velocity = (0.25, 7.0, -1.5)
    assert area.observation() == (1.0, 0.5, -2.0, -3.0, 0.75, 2.5, 0.25, -1.5)


@pytest.mark.parametrize("push", [0.25, 0.5, 1.25])
def test_a_push_rolls_the_ball(push: float) -> None:
    """A force F at the centre of a rolling solid sphere accelerates it by F / (1.4 m), clipped nowhere."""
    env = _make()
    (area,) = _quiet(env)
    steps_before = env.academy.step_count
    area.ball.max_angular_speed = 100.0
    _act(env, push, -push)
    assert env.academy.step_count - steps_before == 10
    speed = 10.0 * push * 0.2 / 1.4
    vx, vy, vz = area.ball.velocity
    assert (vx, vy, vz) == pytest.approx((speed, 0.0, -speed), rel=0.01, abs=1e-6)
    assert area.ball.angular_velocity == pytest.approx((vz / 0.5, 0.0, -vx / 0.5), rel=0.01, abs=1e-6)
    assert area.ball.position[1] == pytest.approx(0.5, abs=1e-6)
    assert env.get_steps(BEHAVIOR)[0].reward[0] == 0.0


def test_a_ball_left_alone_stays_and_no_episode_is_cut_short() -> None:
    env = _make()
    (area,) = _quiet(env)
    for _ in range(600):
        _act(env, 0.0, 0.0)
        decisions, terminals = env.get_steps(BEHAVIOR)
        assert len(terminals) == 0
        assert decisions.reward[0] == 0.0
    assert area.ball.position == pytest.approx((0.0, 0.5, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    ("ball", "reached"),
    [((1.41, 0.5, 0.0), True), ((1.43, 0.5, 0.0), False), ((1.0, 1.5, 0.0), True), ((1.0, 0.5, 1.01), False)],
)
def test_when_the_cube_is_reached(ball: Vector, reached: bool) -> None:
    area = _area()
    area.target.position = (0.0, 0.5, 0.0)
    area.ball.position = ball
    assert area.target_is_reached() is reached


def test_arriving_earns_one_and_leaves_the_ball_where_it_is() -> None:
    env = _make(2)
    hit, other = _quiet(env)
    hit.ball.position = (3.0, 0.5, 3.5)
    hit.ball.velocity = (-1.0, 0.0, 0.0)
    _act(env, 0.0, 0.0)
    decisions, terminals = env.get_steps(BEHAVIOR)
    assert terminals.agent_id.tolist() == [0]
    assert terminals.reward == pytest.approx([1.0])
    assert not terminals.interrupted[0]
    np.testing.assert_array_equal(terminals.obs[0][0], np.float32([4.0, 0.5, 4.0, 3.0, 0.5, 3.5, -1.0, 0.0]))
    # The tick after an episode's end carries the terminal record alone.
    assert len(decisions) == 0
    assert hit.target.position != (4.0, 0.5, 4.0)
    slowed = 1.0 - 0.6 * 9.81 * 0.02  # the ball did not roll yet, so its first step is against full friction
    assert hit.ball.velocity == pytest.approx((-slowed, 0.0, 0.0), abs=1e-9)
    assert hit.ball.position == pytest.approx((3.0 - 0.02 * slowed, 0.5, 3.5), abs=1e-9)
    assert other.target.position == (4.0, 0.5, 4.0)


def test_falling_earns_nothing_and_brings_the_ball_back() -> None:
    env = _make(seed=3)
    (area,) = _quiet(env)
    farthest = 0.0
    while len(env.get_steps(BEHAVIOR)[1]) == 0:
        farthest = area.ball.position[0]
        _act(env, 1.0, -0.1)
    assert farthest > 4.0  # it stayed on the floor until the edge
    _, terminals = env.get_steps(BEHAVIOR)
    assert terminals.reward.tolist() == [0.0]
    assert not terminals.interrupted[0]
    assert terminals.obs[0][0, 3] > 5.0
    assert -0.2 < terminals.obs[0][0, 4] < 0.0
    # One physics step with the last push has passed since the ball was put back.
    assert math.dist(area.ball.position, (0.0, 0.5, 0.0)) < 5e-3
    assert math.hypot(*area.ball.velocity) < 0.25
    assert math.hypot(*area.ball.angular_velocity) < 0.5


def test_a_reset_of_a_fallen_ball_stops_it() -> None:
    env = _make()
    (agent,) = _agents(env)
    area = agent.area
    area.ball.position = (6.0, -0.01, 0.0)
    area.ball.velocity = (1.0, -2.0, 3.0)
    area.ball.angular_velocity = (4.0, 5.0, 6.0)
    agent.on_episode_begin()
    assert area.ball.position == (0.0, 0.5, 0.0)
    assert area.ball.velocity == (0.0, 0.0, 0.0)
    assert area.ball.angular_velocity == pytest.approx((0.0, 0.0, 0.0))


def test_the_expert_reaches_the_cube() -> None:
    env = _make(10, seed=4)
    assert isinstance(env, PlaysExpert)
    assert env.has_expert(BEHAVIOR)
    rewards: list[float] = []
    while len(rewards) < 200:
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
        rewards += env.get_steps(BEHAVIOR)[1].reward.tolist()
    assert np.mean(rewards) >= 0.99
    assert env.academy.step_count < 20_000  # 100 steps of 0.02 s per episode


def test_a_diverged_area_interrupts_its_agent_alone() -> None:
    env = _make(3)
    areas = _quiet(env)
    areas[1].ball.velocity = (math.nan, 0.0, 0.0)
    _act(env, 0.0, 0.0)
    _, terminals = env.get_steps(BEHAVIOR)
    assert terminals.agent_id.tolist() == [1]
    assert terminals.interrupted.tolist() == [True]
    assert np.isfinite(terminals.obs[0]).all()


def test_saved_state_continues_bit_for_bit() -> None:
    env = _make(4, seed=9)
    assert isinstance(env, SavesState)
    for step in range(20):
        _act(env, math.sin(0.3 * step), math.cos(0.2 * step))
    other = make_environment(EnvironmentOptions(seed=1, num_areas=4))
    other.reset()
    other.set_state(env.get_state())
    ended = 0
    for step in range(150):
        for a, b in zip(env.get_steps(BEHAVIOR), other.get_steps(BEHAVIOR), strict=True):
            np.testing.assert_array_equal(a.obs[0], b.obs[0])
            np.testing.assert_array_equal(a.reward, b.reward)
            np.testing.assert_array_equal(a.agent_id, b.agent_id)
        ended += len(env.get_steps(BEHAVIOR)[1])
        for each in (env, other):
            _act(each, math.sin(0.1 * step), math.cos(0.07 * step))
    assert ended > 4
