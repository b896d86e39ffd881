"""Rules of Basic, and the recording of the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.capabilities import PlaysExpert, SavesState
from mlagents_envs.demonstrations import action_alignment, read_demonstration
from mlagents_envs.registry.options import EnvironmentOptions
from mlagents_examples.basic import BasicAgent, make_environment

BEHAVIOR = "Basic?team=0"
STAY, LEFT, RIGHT = 0, 1, 2


def _make(num_areas: int | None = None) -> BaseEnv:
    env = make_environment(EnvironmentOptions(num_areas=num_areas))
    env.reset()
    return env


def _agents(env: BaseEnv) -> list[BasicAgent]:
    academy = env.academy
    return [runtime.agent for runtime in academy.agents_of(academy.policies.remote[BEHAVIOR])]


def _act(env: BaseEnv, *actions: int) -> None:
    env.set_actions(BEHAVIOR, ActionTuple(discrete=np.array(actions, dtype=np.int32).reshape(-1, 1)))
    env.step()


def _one_hot(place: int) -> np.ndarray:
    return np.eye(20, dtype=np.float32)[place]


def test_spec_and_start() -> None:
    env = _make()
    assert list(env.behavior_specs) == [BEHAVIOR]
    spec = env.behavior_specs[BEHAVIOR]
    assert [observation.shape for observation in spec.observation_specs] == [(20,)]
    assert spec.action_spec.discrete_branches == (3,)
    assert spec.action_spec.continuous_size == 0
    decisions, terminals = env.get_steps(BEHAVIOR)
    np.testing.assert_array_equal(decisions.obs[0], [_one_hot(10)])
    assert len(terminals) == 0
    assert len(_make(4).get_steps(BEHAVIOR)[0]) == 4


def test_each_action_leads_where_it_should_and_costs_a_hundredth() -> None:
    env = _make(3)
    _act(env, STAY, LEFT, RIGHT)
    decisions, _ = env.get_steps(BEHAVIOR)
    np.testing.assert_array_equal(decisions.obs[0], [_one_hot(10), _one_hot(9), _one_hot(11)])
    assert decisions.reward == pytest.approx([-0.01] * 3)


@pytest.mark.parametrize(("direction", "goal", "steps", "total"), [(RIGHT, 17, 7, 0.93), (LEFT, 7, 3, 0.07)])
def test_a_goal_ends_the_episode(direction: int, goal: int, steps: int, total: float) -> None:
    env = _make()
    earned = 0.0
    for _ in range(steps):
        decisions, terminals = env.get_steps(BEHAVIOR)
        assert len(terminals) == 0
        earned += decisions.reward[0]
        _act(env, direction)
    decisions, terminals = env.get_steps(BEHAVIOR)
    assert earned + terminals.reward[0] == pytest.approx(total)
    assert not terminals.interrupted[0]
    np.testing.assert_array_equal(terminals.obs[0], [_one_hot(goal)])
    np.testing.assert_array_equal(decisions.obs[0], [_one_hot(10)])  # the next episode is asked for at once


@pytest.mark.parametrize(("place", "direction", "expected"), [(0, LEFT, 0), (20, RIGHT, 20), (19, RIGHT, 20)])
def test_the_line_has_ends(place: int, direction: int, expected: int) -> None:
    env = _make()
    (agent,) = _agents(env)
    agent.place = place
    _act(env, direction)
    assert agent.place == expected
    shown = env.get_steps(BEHAVIOR)[0].obs[0][0]
    np.testing.assert_array_equal(shown, np.zeros(20) if expected == 20 else _one_hot(expected))


def test_no_episode_is_cut_short() -> None:
    env = _make()
    for _ in range(2000):
        _act(env, STAY)
        assert len(env.get_steps(BEHAVIOR)[1]) == 0


def test_the_expert_earns_the_best_return() -> None:
    env = _make()
    assert isinstance(env, PlaysExpert)
    assert env.has_expert(BEHAVIOR)
    returns = [0.0]
    while len(returns) <= 5:
        env.set_actions(BEHAVIOR, env.expert_actions(BEHAVIOR))
        env.step()
        decisions, terminals = env.get_steps(BEHAVIOR)
        if len(terminals):
            returns[-1] += terminals.reward[0]
            returns.append(0.0)
        returns[-1] += decisions.reward[0]
    assert returns[:5] == pytest.approx([0.93] * 5)


def test_saved_state_continues() -> None:
    rng = np.random.default_rng(0)
    env, other = _make(6), _make(6)
    assert isinstance(env, SavesState)
    for _ in range(5):
        _act(env, *rng.integers(3, size=6))
    other.set_state(env.get_state())
    ended = 0
    for _ in range(60):
        for a, b in zip(env.get_steps(BEHAVIOR), other.get_steps(BEHAVIOR), strict=True):
            np.testing.assert_array_equal(a.obs[0], b.obs[0])
            np.testing.assert_array_equal(a.reward, b.reward)
            np.testing.assert_array_equal(a.agent_id, b.agent_id)
        ended += len(env.get_steps(BEHAVIOR)[1])
        actions = rng.integers(3, size=6)
        for each in (env, other):
            _act(each, *actions)
    assert ended > 0


def test_the_recording_of_the_original_is_reproduced_exactly(shared_data: Path) -> None:
    """Where a recorded episode ended, its last record already shows the next episode's start.

    Recorders of that time looked after the reset; our last observation is the goal itself.
    """
    demo = read_demonstration(shared_data / "demos" / "ExpertBasic.demo")
    assert action_alignment(demo) == "aligned"
    env = _make()
    for row in range(len(demo)):
        decisions, terminals = env.get_steps(BEHAVIOR)
        np.testing.assert_array_equal(decisions.obs[0], demo.obs[0][row : row + 1])
        assert len(terminals) == demo.done[row]
        reward = terminals.reward if demo.done[row] else decisions.reward
        np.testing.assert_array_equal(reward, demo.reward[row : row + 1])
        _act(env, *demo.discrete_actions[row])
    assert demo.done.sum() == 10
