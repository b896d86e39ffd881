"""3DBallHard is 3DBall seen through two stacked sensors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.capabilities import PlaysExpert, SavesState
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_examples.balance_ball import make_environment as make_easy_environment
from mlagents_examples.balance_ball_hard import BalanceBallHardAgent, make_environment

BEHAVIOR = "3DBallHard?team=0"


def _make(num_areas: int | None = None, seed: int = 0, channels: tuple[SideChannel, ...] = ()) -> BaseEnv:
    env = make_environment(EnvironmentOptions(seed=seed, num_areas=num_areas, side_channels=channels))
    env.reset()
    return env


def _agents(env: BaseEnv) -> list[BalanceBallHardAgent]:
    academy = env.academy
    return [runtime.agent for runtime in academy.agents_of(academy.policies.remote[BEHAVIOR])]


def _act(env: BaseEnv, around_z: float, around_x: float) -> None:
    (behavior,) = env.behavior_specs
    decisions, _ = env.get_steps(behavior)
    actions = np.tile(np.array([[around_z, around_x]], dtype=np.float32), (len(decisions), 1))
    env.set_actions(behavior, ActionTuple(actions))
    env.step()


def test_two_sensors_named_and_ordered_as_in_the_original() -> None:
    env = _make()
    assert list(env.behavior_specs) == [BEHAVIOR]
    spec = env.behavior_specs[BEHAVIOR]
    assert [(observation.name, observation.shape) for observation in spec.observation_specs] == [
        ("StackingSensor_size9_ObservableAttribute:Ball3DHardAgent.PositionDelta", (27,)),
        ("StackingSensor_size9_ObservableAttribute:Ball3DHardAgent.Rotation", (18,)),
    ]
    assert spec.action_spec.continuous_size == 2
    assert spec.action_spec.discrete_size == 0
    assert len(env.get_steps(BEHAVIOR)[0]) == 12


def test_it_shows_the_last_nine_states_of_3dball_oldest_first() -> None:
    """The same seed and actions lead to the same states, rewards and ends in both environments."""
    options = EnvironmentOptions(seed=3, num_areas=20)
    easy, hard = make_easy_environment(options), make_environment(options)
    easy.reset()
    hard.reset()
    positions, rotations = np.zeros((20, 9, 3)), np.zeros((20, 9, 2))
    ended = 0
    for step in range(150):
        seen_easy, seen_hard = easy.get_steps("3DBall?team=0"), hard.get_steps(BEHAVIOR)
        for a, b in zip(reversed(seen_easy), reversed(seen_hard), strict=True):  # terminals first
            np.testing.assert_array_equal(a.agent_id, b.agent_id)
            np.testing.assert_array_equal(a.reward, b.reward)
            who = a.agent_id
            positions[who] = np.concatenate([positions[who, 1:], a.obs[0][:, None, 2:5]], axis=1)
            rotations[who] = np.concatenate([rotations[who, 1:], a.obs[0][:, None, :2]], axis=1)
            np.testing.assert_array_equal(b.obs[0], positions[who].reshape(-1, 27))
            np.testing.assert_array_equal(b.obs[1], rotations[who].reshape(-1, 18))
            if b is seen_hard[1]:
                positions[who] = rotations[who] = 0.0
                ended += len(who)
        for env in (easy, hard):
            _act(env, 0.3 * math.sin(step), 0.3 * math.cos(step))
    assert ended > 20


def test_an_episode_lasts_5000_steps_and_earns_100() -> None:
    env = _make(3, seed=5)
    assert isinstance(env, PlaysExpert)
    assert env.has_expert(BEHAVIOR)
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


def test_mass_and_scale_are_read_once_and_gravity_at_every_reset() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_float_parameter("mass", 3.0)
    channel.set_float_parameter("scale", 2.0)
    env = _make(2, channels=(channel,))
    balls = [agent.area.ball for agent in _agents(env)]
    assert [(ball.mass, ball.scale) for ball in balls] == [(3.0, 2.0)] * 2
    _act(env, 0.0, 0.0)
    assert balls[0].velocity[1] == pytest.approx(-9.81 * 0.1)
    channel.set_float_parameter("mass", 1.0)
    channel.set_float_parameter("scale", 1.0)
    channel.set_float_parameter("gravity", 4.0)
    _act(env, 0.0, 0.0)
    assert balls[0].velocity[1] == pytest.approx(-(9.81 + 4.0) * 0.1)
    env.reset()
    assert [(ball.mass, ball.scale) for ball in balls] == [(3.0, 2.0)] * 2
    channel.set_uniform_sampler_parameters("gravity", 4.0, 20.0, 8)
    env.reset()
    _act(env, 0.0, 0.0)
    assert balls[0].velocity[1] != balls[1].velocity[1]


def test_saved_state_continues_bit_for_bit_and_keeps_mass_and_scale() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_uniform_sampler_parameters("scale", 0.75, 3.0, 7)
    env = _make(5, seed=9, channels=(channel,))
    assert isinstance(env, SavesState)
    for step in range(40):
        _act(env, math.sin(step), math.cos(step))
    state = env.get_state()
    other = make_environment(EnvironmentOptions(seed=1, num_areas=5))
    other.reset()
    other.set_state(state)
    ended = 0
    for step in range(120):
        for a, b in zip(env.get_steps(BEHAVIOR), other.get_steps(BEHAVIOR), strict=True):
            for seen, seen_too in zip(a.obs, b.obs, strict=True):
                np.testing.assert_array_equal(seen, seen_too)
            np.testing.assert_array_equal(a.reward, b.reward)
        ended += len(env.get_steps(BEHAVIOR)[1])
        for each in (env, other):
            _act(each, math.sin(0.3 * step), math.cos(0.3 * step))
    assert ended > 0
    scales = [[agent.area.ball.scale for agent in _agents(each)] for each in (env, other)]
    assert scales[0] == scales[1]
    assert len(set(scales[0])) == 5
