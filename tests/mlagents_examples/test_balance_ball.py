"""Rules of 3DBall."""

from __future__ import annotations

import math
from importlib.metadata import entry_points

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.capabilities import PlaysExpert, SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_examples.balance_ball import make_environment
from mlagents_examples.balance_ball.agent import BalanceBallAgent
from mlagents_examples.balance_ball.area import BalanceBallArea, build_scene
from mlagents_sdk.physics import PhysicsWorld, Vector
from mlagents_sdk.physics.rotations import IDENTITY, turned_about_x, turned_about_z

BEHAVIOR = "3DBall?team=0"


def _make(num_areas: int | None = None, seed: int = 0, channels: tuple[SideChannel, ...] = ()) -> BaseEnv:
    env = make_environment(EnvironmentOptions(seed=seed, num_areas=num_areas, side_channels=channels))
    env.reset()
    return env


def _agents(env: BaseEnv) -> list[BalanceBallAgent]:
    academy = env.academy
    return [runtime.agent for runtime in academy.agents_of(academy.policies.remote[BEHAVIOR])]


def _act(env: BaseEnv, around_z: float, around_x: float) -> None:
    decisions, _ = env.get_steps(BEHAVIOR)
    actions = np.tile(np.array([[around_z, around_x]], dtype=np.float32), (len(decisions), 1))
    env.set_actions(BEHAVIOR, ActionTuple(actions))
    env.step()


def _area() -> BalanceBallArea:
    return BalanceBallArea(PhysicsWorld(build_scene()).areas[0])


def test_it_is_found_by_name_and_announces_its_spec() -> None:
    (entry,) = entry_points(group="mlagents.environments", name="3DBall")
    env = entry.load()(EnvironmentOptions(num_areas=1))
    env.reset()
    assert list(env.behavior_specs) == [BEHAVIOR]
    spec = env.behavior_specs[BEHAVIOR]
    assert [observation.shape for observation in spec.observation_specs] == [(8,)]
    assert spec.action_spec.continuous_size == 2
    assert spec.action_spec.discrete_size == 0
    assert len(env.get_steps(BEHAVIOR)[0]) == 12
    assert len(_make(7).get_steps(BEHAVIOR)[0]) == 7


def test_first_observations_follow_the_rules_of_a_reset() -> None:
    obs = _make(400, seed=1).get_steps(BEHAVIOR)[0].obs[0].astype(np.float64)
    limit = math.sin(math.radians(5.0))
    for tilt in (obs[:, 0], obs[:, 1]):
        assert 0.95 * limit < np.abs(tilt).max() <= limit
    for sideways in (obs[:, 2], obs[:, 4]):
        assert 1.4 < np.abs(sideways).max() <= 1.5
    assert (obs[:, 3] == 4.0).all()
    assert (obs[:, 5:] == 0.0).all()


def test_an_action_turns_about_z_then_about_x() -> None:
    area = _area()
    area.tilt(0.5, -3.0)  # clipped to -1
    expected = turned_about_x(turned_about_z(IDENTITY, 1.0), -2.0)
    assert area.platform.rotation == pytest.approx(expected, abs=1e-12)


def test_no_turn_beyond_the_limit() -> None:
    area = _area()
    for _ in range(40):
        area.tilt(1.0, -1.0)
    x, _, z, _ = area.platform.rotation
    assert 0.25 <= z < 0.25 + math.sin(math.radians(1.0))
    assert -0.25 >= x > -0.25 - math.sin(math.radians(1.0))
    area.tilt(-1.0, 1.0)
    assert area.platform.rotation[2] < z
    assert area.platform.rotation[0] > x


@pytest.mark.parametrize(
    ("position", "lost"),
    [
        ((0.0, -1.99, 0.0), False),
        ((0.0, -2.01, 0.0), True),
        ((2.99, 3.0, -2.99), False),
        ((-3.01, 3.0, 0.0), True),
        ((0.0, 3.0, 3.01), True),
    ],
)
def test_when_the_ball_is_lost(position: Vector, lost: bool) -> None:
    area = _area()
    area.ball.position = position
    assert area.ball_is_lost() is lost


def test_a_decision_earns_a_tenth_and_losing_the_ball_costs_one() -> None:
    env = _make(2)
    _act(env, 0.0, 0.0)
    assert env.get_steps(BEHAVIOR)[0].reward == pytest.approx([0.1, 0.1])
    _agents(env)[1].area.ball.position = (3.5, 3.0, 0.0)
    _act(env, 0.0, 0.0)
    decisions, terminals = env.get_steps(BEHAVIOR)
    assert terminals.agent_id.tolist() == [1]
    assert terminals.reward == pytest.approx([-1.0])
    assert not terminals.interrupted[0]
    assert terminals.obs[0][0, 2] == pytest.approx(3.5)
    assert len(decisions) == 0  # the tick after the loss carries the terminal record alone
    assert _agents(env)[1].area.ball.position[1] > 3.9


def test_an_episode_lasts_5000_steps_and_earns_100() -> None:
    env = _make(3, seed=5)
    returns = np.zeros(3)
    decisions_made = 0
    while True:
        decisions, terminals = env.get_steps(BEHAVIOR)
        returns[decisions.agent_id] += decisions.reward
        returns[terminals.agent_id] += terminals.reward
        if len(terminals):
            break
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
        decisions_made += 1
    assert decisions_made == 1000
    assert terminals.interrupted.tolist() == [True] * 3
    assert returns == pytest.approx([100.0] * 3, abs=1e-3)


def test_the_expert_balances() -> None:
    env = _make(20, seed=11)
    assert isinstance(env, PlaysExpert)
    assert env.has_expert(BEHAVIOR)
    lost = 0
    for _ in range(200):
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
        lost += len(env.get_steps(BEHAVIOR)[1])
    assert lost == 0
    sideways = env.get_steps(BEHAVIOR)[0].obs[0][:, [2, 4]]
    assert np.abs(sideways).max() < 1.0


def test_parameters_are_read_at_a_reset_and_gravity_acts_at_once() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_float_parameter("mass", 3.0)
    channel.set_float_parameter("scale", 2.0)
    env = _make(2, channels=(channel,))
    areas = [agent.area for agent in _agents(env)]
    assert [(area.ball.mass, area.ball.scale) for area in areas] == [(3.0, 2.0)] * 2
    _act(env, 0.0, 0.0)
    assert areas[0].ball.velocity[1] == pytest.approx(-9.81 * 0.1)
    channel.set_float_parameter("gravity", 4.0)
    channel.set_float_parameter("scale", 1.0)
    _act(env, 0.0, 0.0)
    assert areas[0].ball.velocity[1] == pytest.approx(-(9.81 + 4.0) * 0.1)
    assert areas[0].ball.scale == 2.0
    env.reset()
    assert areas[0].ball.scale == 1.0
    before = areas[1].ball.velocity[1]
    _act(env, 0.0, 0.0)
    assert areas[1].ball.velocity[1] - before == pytest.approx(-4.0 * 0.1)


def test_sampled_parameters_differ_between_areas() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_uniform_sampler_parameters("scale", 0.75, 3.0, 7)
    channel.set_uniform_sampler_parameters("gravity", 4.0, 20.0, 8)
    env = _make(6, channels=(channel,))
    areas = [agent.area for agent in _agents(env)]
    scales = {area.ball.scale for area in areas}
    assert len(scales) == 6
    assert 0.75 <= min(scales) <= max(scales) <= 3.0
    _act(env, 0.0, 0.0)
    assert len({area.ball.velocity[1] for area in areas}) == 6


def test_a_large_ball_rests_on_its_own_radius() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_float_parameter("scale", 1.4)
    env = _make(1, channels=(channel,))
    area = _agents(env)[0].area
    area.platform.rotation = IDENTITY
    area.ball.position = (0.0, 3.3, 0.0)
    for _ in range(20):
        _act(env, 0.0, 0.0)
    assert area.ball.position[1] == pytest.approx(2.5 + 0.7, abs=1e-4)


def test_seeds_decide_everything() -> None:
    def trace(seed: int) -> list[np.ndarray]:
        env = _make(4, seed=seed)
        observed = []
        for step in range(60):
            _act(env, math.sin(step), math.cos(0.7 * step))
            observed.append(env.get_steps(BEHAVIOR)[0].obs[0])
        return observed

    first, again, other = trace(1), trace(1), trace(2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_diverged_area_interrupts_its_agent_alone() -> None:
    calm, hurt = _make(3, seed=4), _make(3, seed=4)
    for env in (calm, hurt):
        for _ in range(5):
            _act(env, 0.1, -0.1)
    _agents(hurt)[1].area.ball.velocity = (math.nan, 0.0, 0.0)
    _act(calm, 0.0, 0.0)
    _act(hurt, 0.0, 0.0)
    _, terminals = hurt.get_steps(BEHAVIOR)
    assert terminals.agent_id.tolist() == [1]
    assert terminals.interrupted.tolist() == [True]
    assert np.isfinite(terminals.obs[0]).all()
    while len(hurt.get_steps(BEHAVIOR)[0]) == 0:
        _act(hurt, 0.0, 0.0)
    a, b = calm.get_steps(BEHAVIOR)[0].obs[0], hurt.get_steps(BEHAVIOR)[0].obs[0]
    np.testing.assert_array_equal(a[[0, 2]], b[[0, 2]])


def test_saved_state_continues_bit_for_bit() -> None:
    env = _make(5, seed=9)
    assert isinstance(env, SavesState)
    for step in range(40):
        _act(env, math.sin(step), math.cos(step))
    state = env.get_state()
    other = make_environment(EnvironmentOptions(seed=1, num_areas=5))
    other.reset()
    other.set_state(state)
    ended = 0
    for step in range(150):
        for a, b in zip(env.get_steps(BEHAVIOR), other.get_steps(BEHAVIOR), strict=True):
            np.testing.assert_array_equal(a.obs[0], b.obs[0])
            np.testing.assert_array_equal(a.reward, b.reward)
            np.testing.assert_array_equal(a.agent_id, b.agent_id)
        ended += len(env.get_steps(BEHAVIOR)[1])
        for each in (env, other):
            _act(each, math.sin(0.3 * step), math.cos(0.3 * step))
    assert ended > 0  # so that random resets were compared as well
