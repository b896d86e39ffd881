# ruff: noqa: ANN401  # spaces hold anything
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from envs_toy_game import BRANCHED, CONTINUOUS, DISCRETE, HYBRID, ToyGame
from gymnasium import spaces
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

import mlagents_envs.envs
from mlagents_envs.base_env import ActionSpec, BaseEnv
from mlagents_envs.envs import pettingzoo_env_factory
from mlagents_envs.envs.pettingzoo_env_factory import PettingZooEnvFactory
from mlagents_envs.envs.unity_aec_env import UnityAECEnv
from mlagents_envs.envs.unity_parallel_env import UnityParallelEnv
from mlagents_envs.exception import UnityWorkerInUseException
from mlagents_envs.registry import BaseRegistryEntry, EnvironmentOptions, UnityEnvRegistry, make_environment
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

TOY = "Toy?team=0"
EXPECTED_WARNINGS = (
    "infinity",  # observations have no limits
    "named in the format",  # names are those that scripts know
    "probably should be gymnasium.spaces.box or",  # masks and several branches
    "Observation is not a NumPy array",
    "Action mask is not a NumPy array",
    "Observations are different shapes",
    "all zeros",
    "Observation is a single number",
)


def ball(seed: int) -> BaseEnv:
    return make_environment("3DBall", EnvironmentOptions(seed=seed, num_areas=3))


def toy(actions: ActionSpec, **kwargs: Any) -> Callable[[int], BaseEnv]:
    return lambda seed: ToyGame(actions, seed=seed, **kwargs)


def only_expected(test: Callable[..., None], *arguments: object, **kwargs: object) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        test(*arguments, **kwargs)
    messages = {str(warning.message) for warning in caught}
    assert {m for m in messages if not any(known in m for known in EXPECTED_WARNINGS)} == set()


def test_3dball_passes_the_checkers() -> None:
    only_expected(api_test, UnityAECEnv(ball), num_cycles=40)
    only_expected(parallel_api_test, UnityParallelEnv(ball), num_cycles=40)
    seed_test(lambda: UnityAECEnv(ball), num_cycles=20)
    parallel_seed_test(lambda: UnityParallelEnv(ball), num_cycles=20)


@pytest.mark.parametrize(
    ("actions", "options"),
    [
        (CONTINUOUS, {}),
        (DISCRETE, {}),
        (BRANCHED, {"late": True}),
        (HYBRID, {}),
        (DISCRETE, {"masks": False, "behaviors": ("A?team=0", "B?team=1")}),
    ],
)
def test_all_kinds_of_actions_pass_the_checkers(actions: ActionSpec, options: dict[str, Any]) -> None:
    only_expected(api_test, UnityAECEnv(toy(actions, strict=True, **options)), num_cycles=40)
    strict = actions != HYBRID  # this checker looks for masks in observations only, the next not at all
    only_expected(parallel_api_test, UnityParallelEnv(toy(actions, strict=strict, **options)), num_cycles=40)
    parallel_seed_test(lambda: UnityParallelEnv(toy(actions, **options)), num_cycles=20)
    seed_test(lambda: UnityAECEnv(toy(actions, strict=True, **options)), num_cycles=20)


def test_turns_pass_the_checkers_too() -> None:
    only_expected(api_test, UnityAECEnv(toy(DISCRETE, turns=True, strict=True)), num_cycles=40)
    only_expected(parallel_api_test, UnityParallelEnv(toy(CONTINUOUS, turns=True)), num_cycles=40)


@pytest.mark.parametrize("late", [False, True])
def test_parallel_steps_are_those_of_the_environment(late: bool) -> None:
    env = UnityParallelEnv(ToyGame(CONTINUOUS, length=2, late=late))
    twin = ToyGame(CONTINUOUS, length=2)
    twin.reset()
    twin.reset()
    names = [f"{TOY}?agent_id={i}" for i in range(3)]
    observations, infos = env.reset()
    assert env.agents == env.possible_agents == names
    assert infos[names[1]] == {
        "behavior_name": TOY,
        "group_id": 1,
        "group_reward": 0.5,
        "decision_requested": True,
    }
    steps = 0
    while env.agents:
        steps += 1
        alive = list(env.agents)
        actions = {
            agent: np.array([0.1 * i, 1.0], np.float32) for i, agent in enumerate(names) if agent in alive
        }
        noise, t = twin.noise[TOY].copy(), twin.t[TOY].copy()
        observations, rewards, terminations, truncations, infos = env.step(actions)
        twin.step()
        assert set(observations) == set(rewards) == set(terminations) == set(infos) == set(alive)
        for agent in alive:
            i = names.index(agent)
            over = t[i] + 1 == 2 + i
            assert rewards[agent] == pytest.approx(1.0 + t[i] + 1 + 0.1 * i)
            assert terminations[agent] == (over and i != 1)
            assert truncations[agent] == (over and i == 1)
            np.testing.assert_allclose(observations[agent], noise[i] + i + (t[i] + 1) / 100.0, rtol=1e-6)
            assert infos[agent].get("interrupted") == ((i == 1) if over else None)
            assert infos[agent]["group_reward"] == (0.25 if over else 0.5)
        assert env.agents == [a for a in alive if not (terminations[a] or truncations[a])]
    assert steps == 4
    with pytest.raises(gymnasium.error.Error, match="reset"):
        env.step({names[0]: np.zeros(2)})


def test_whole_actions_reach_the_environment_and_the_dead_rest() -> None:
    game = ToyGame(HYBRID, length=2, masks=False)
    env = UnityParallelEnv(game)
    names = env.agents.copy()
    for _ in range(2):
        env.step({a: (np.array([0.25, -0.5]), np.array([2, 1])) for a in env.agents})
    assert env.agents == names[1:]
    game.received.clear()
    env.step(
        {names[0]: (np.ones(2), np.array([2, 1])), names[2]: None, names[1]: (np.ones(2), np.array([1, 0]))}
    )
    (given,) = game.received
    assert given.continuous.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert given.discrete.tolist() == [[0, 0], [1, 0], [0, 0]]


def test_aec_agents_act_in_turn_and_rewards_add_up() -> None:
    game = ToyGame(DISCRETE, length=2, strict=True)
    env = UnityAECEnv(game)
    env.reset()
    game.received.clear()
    order: list[str] = []
    total: dict[str, float] = {}
    flags: dict[str, tuple[bool, bool]] = {}
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, info = env.last()
        order.append(agent[-1])
        total[agent] = total.get(agent, 0.0) + reward
        if terminated or truncated:
            flags[agent[-1]] = terminated, truncated
            assert info["interrupted"] is truncated
            env.step(None)
            assert agent not in env.agents
            continue
        assert observation["action_mask"].tolist().count(0) == 1
        env.step(int(np.argmax(observation["action_mask"])))
    assert order == list("012012") + list("012") + list("12") + list("2")
    assert flags == {"0": (True, False), "1": (False, True), "2": (True, False)}
    assert len(game.received) == 4
    # rewards are 1 + t + action; choice 0 is forbidden at t = 0, then it is the first that is allowed
    assert list(total.values()) == [3.0 + 3.0, 3.0 + 3.0 + 4.0, 3.0 + 3.0 + 4.0 + 5.0]
    with pytest.raises(gymnasium.error.Error, match="reset"):
        env.step(0)


def test_acting_for_the_dead_removes_them_once() -> None:
    env = UnityAECEnv(ToyGame(DISCRETE, length=1, masks=False))
    env.reset()
    for _ in range(3):
        env.step(0)
    assert env.terminations[env.agent_selection]
    dead = env.agent_selection
    env.step(2)  # not used
    assert dead not in env.agents
    assert len(env.agents) == 2
    assert env.dones == dict.fromkeys(env.agents, False)
    env.step(None)  # zeros for somebody alive
    assert env.agent_selection == env.agents[1]


def test_turns_are_taken() -> None:
    game = ToyGame(DISCRETE, turns=True, length=3)
    env = UnityAECEnv(game)
    env.reset()
    assert [agent[-1] for agent in env.agents] == ["0"]
    seen = []
    for agent in env.agent_iter(max_iter=7):
        seen.append(agent[-1])
        env.step(0)
    assert seen == list("0120120")
    parallel = UnityParallelEnv(ToyGame(DISCRETE, turns=True, length=3))
    parallel.reset()
    observations, rewards, _, _, infos = parallel.step({parallel.agents[0]: 1})
    zero, one = parallel.agents
    assert [infos[agent]["decision_requested"] for agent in (zero, one)] == [False, True]
    assert rewards[zero] == 0.0
    assert set(observations) == {zero, one}


def test_masks_and_spaces() -> None:
    discrete = UnityParallelEnv(ToyGame(DISCRETE))
    agent = discrete.agents[0]
    assert discrete.action_space(agent) == spaces.Discrete(4)
    assert discrete.action_space(agent) is discrete.action_spaces[agent]
    observations, _ = discrete.reset()
    assert discrete.observation_space(agent) is discrete.observation_spaces[agent]
    assert discrete.observation_space(agent).contains(observations[agent])
    assert observations[agent]["action_mask"].tolist() == [0, 1, 1, 1]
    hybrid = UnityParallelEnv(ToyGame(HYBRID))
    observations, infos = hybrid.reset()
    agent = hybrid.agents[0]
    assert hybrid.observation_space(agent).contains(observations[agent])
    mask = infos[agent]["action_mask"]
    assert mask[0] is None
    assert [branch.tolist() for branch in mask[1]] == [[0, 1, 1], [0, 1]]
    assert hybrid.action_space(agent).contains(hybrid.action_space(agent).sample(mask))
    several = UnityParallelEnv(ToyGame(CONTINUOUS, observations=((2,), (3, 4, 4))))
    observations, _ = several.reset()
    agent = several.agents[0]
    assert [part.shape for part in several.observation_space(agent)] == [(2,), (3, 4, 4)]
    assert several.observation_space(agent).contains(observations[agent])
    assert several.action_space(agent) == spaces.Box(-1.0, 1.0, (2,), np.float32)


def test_newcomers_join_and_agents_are_sorted_by_number() -> None:
    game = ToyGame(DISCRETE, agents=11, length=2, new_ids=True, masks=False)
    env = UnityParallelEnv(game)
    assert [int(agent.rsplit("=", 1)[1]) for agent in env.possible_agents] == list(range(11))
    for _ in range(2):
        _, rewards, *_ = env.step(dict.fromkeys(env.agents, 0))
    assert f"{TOY}?agent_id=0" not in env.agents
    assert env.agents[-1] == f"{TOY}?agent_id=100"
    assert rewards[env.agents[-1]] == 0.0
    assert len(env.possible_agents) == 12
    aec = UnityAECEnv(ToyGame(DISCRETE, length=1, new_ids=True, masks=False))
    only_expected(api_test, aec, num_cycles=10)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ({}, "no actions"),
        ({"Other?team=0?agent_id=1": 0}, "no agent 'Other"),
        ({f"{TOY}?agent_id=0": 4}, "agent_id=0: .*out of range"),
        ({f"{TOY}?agent_id=1": "up"}, "agent_id=1"),
    ],
)
def test_wrong_actions_are_refused(actions: dict[str, object], message: str) -> None:
    env = UnityParallelEnv(ToyGame(DISCRETE))
    env.reset()
    with pytest.raises(gymnasium.error.Error, match=message):
        env.step(actions)
    aec = UnityAECEnv(ToyGame(DISCRETE))
    with pytest.raises(gymnasium.error.InvalidAction, match="agent_id=0"):
        aec.step(7)


def test_a_closed_environment_is_refused() -> None:
    for view in (UnityParallelEnv, UnityAECEnv):
        game = ToyGame(DISCRETE)
        env = view(game)
        env.close()
        env.close()
        assert game.closed
        for use in (
            env.reset,
            lambda env=env: env.step({env.agents[0]: 0}),
            lambda env=env: env.side_channel,
        ):
            with pytest.raises(gymnasium.error.Error, match="closed"):
                use()


def test_seeds_of_the_action_spaces() -> None:
    def samples(env: UnityParallelEnv) -> list[int]:
        return [int(env.action_space(env.agents[0]).sample()) for _ in range(8)]

    assert samples(UnityParallelEnv(ToyGame(DISCRETE), seed=2)) == samples(
        UnityParallelEnv(ToyGame(DISCRETE), seed=2)
    )
    env = UnityParallelEnv(ToyGame(DISCRETE), seed=2)
    first = samples(env)
    env.seed(2)
    assert samples(env) == first
    env.seed(3)
    assert samples(env) != first


def test_factories_look_for_a_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(BaseRegistryEntry):
        def make(self, base_port: int, seed: int, **kwargs: Any) -> BaseEnv:
            tried.append(base_port)
            if base_port < 6002:
                raise UnityWorkerInUseException(0)
            made.update(kwargs, seed=seed)
            return ToyGame(DISCRETE, seed=seed)

    tried: list[int] = []
    made: dict[str, Any] = {}
    registry = UnityEnvRegistry()
    registry.register(Busy("3Busy", None, None))
    registry.register(Busy("not-a-name", None, None))
    monkeypatch.setattr(mlagents_envs.envs, "default_registry", registry)
    monkeypatch.setattr(pettingzoo_env_factory, "default_registry", registry)
    factory = mlagents_envs.envs.ThreeBusy
    assert isinstance(factory, PettingZooEnvFactory)
    env = factory.env(seed=7, no_graphics=True)
    assert tried == [6000, 6001, 6002]
    assert isinstance(env, UnityAECEnv)
    assert (made["seed"], made["no_graphics"]) == (7, True)
    assert sorted(type(channel).__name__ for channel in made["side_channels"]) == [
        "EngineConfigurationChannel",
        "EnvironmentParametersChannel",
        "StatsSideChannel",
    ]
    tried.clear()
    with pytest.raises(UnityWorkerInUseException):
        factory.parallel_env(base_port=6001)
    assert tried == [6001]
    assert "ThreeBusy" in dir(mlagents_envs.envs)
    assert "not-a-name" not in dir(mlagents_envs.envs)
    with pytest.raises(AttributeError, match="NoSuchEnvironment"):
        _ = mlagents_envs.envs.NoSuchEnvironment


def test_the_factory_of_3dball_makes_both_views_with_side_channels() -> None:
    env = mlagents_envs.envs.ThreeDBall.parallel_env(seed=1)
    assert isinstance(env, UnityParallelEnv)
    assert len(env.agents) == 12
    assert isinstance(env.side_channel["StatsSideChannel"], StatsSideChannel)
    assert set(env.side_channel) == {
        "EngineConfigurationChannel",
        "EnvironmentParametersChannel",
        "StatsSideChannel",
    }
    env.close()
