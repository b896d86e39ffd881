from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pettingzoo_toys
import pytest
from gymnasium import spaces
from pettingzoo.test.example_envs import generated_agents_parallel_v0

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.envs.pettingzoo_env import DEFAULT_COPIES, PettingZooEnv
from mlagents_envs.envs.pettingzoo_games import ParallelGame
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.registry import EnvironmentOptions, make_environment

RUNNER, CHASER = "runner?team=0", "chaser?team=0"


def tag(*arguments: str, copies: int | None = 2, seed: int = 3) -> PettingZooEnv:
    options = EnvironmentOptions(seed=seed, num_areas=copies, environment_args=arguments)
    env = make_environment("pettingzoo:pettingzoo_toys", options)
    assert isinstance(env, PettingZooEnv)
    return env


def nim(*arguments: str, copies: int = 2) -> BaseEnv:
    options = EnvironmentOptions(num_areas=copies, environment_args=arguments)
    return make_environment("pettingzoo:pettingzoo_toys.Nim", options)


def games(env: PettingZooEnv) -> list[Any]:
    return [game.env for game in env._games]


def test_behaviors_are_the_types_of_the_agents() -> None:
    env = tag()
    assert set(env.behavior_specs) == {RUNNER, CHASER}  # before any reset
    runner, chaser = env.behavior_specs[RUNNER], env.behavior_specs[CHASER]
    assert [(spec.name, spec.shape) for spec in runner.observation_specs] == [("observation", (3,))]
    assert [(spec.name, spec.shape) for spec in chaser.observation_specs] == [("far", (3,)), ("near", (3,))]
    assert (runner.action_spec.continuous_size, runner.action_spec.discrete_branches) == (1, ())
    assert (chaser.action_spec.continuous_size, chaser.action_spec.discrete_branches) == (2, (3,))
    assert len(games(tag(copies=None))) == DEFAULT_COPIES


def test_episodes_are_those_of_the_game() -> None:
    env = tag()
    env.reset()
    starts = [game.start for game in games(env)]
    decisions, terminals = env.get_steps(RUNNER)
    assert len(decisions) == 4
    assert not len(terminals)
    ids = decisions.agent_id.tolist()
    assert len({*ids, *env.get_steps(CHASER)[0].agent_id.tolist()}) == 6
    np.testing.assert_allclose(
        decisions.obs[0], [[0, starts[c], r] for c in (0, 1) for r in (0, 1)], rtol=1e-6
    )
    for t in (1, 2, 3, 4):
        env.step()
        decisions, terminals = env.get_steps(RUNNER)
        chasers, chasers_end = env.get_steps(CHASER)
        first_runners = [ids[0], ids[2]]
        if t == 2:
            assert terminals.agent_id.tolist() == [ids[1], ids[3]]
            assert terminals.interrupted.tolist() == [False, False]
            assert terminals.reward.tolist() == [22.0, 22.0]
            np.testing.assert_allclose(terminals.obs[0], [[2, s, 1] for s in starts], rtol=1e-6)
        if t == 4:
            assert terminals.agent_id.tolist() == first_runners
            assert terminals.interrupted.tolist() == [True, True]
            assert terminals.reward.tolist() == [4.0, 4.0]
            np.testing.assert_allclose(chasers_end.obs[0], [[4, s, 0] for s in starts], rtol=1e-6)
            assert chasers_end.obs[1].tolist() == [[0.0, 1.0, 0.0]] * 2  # 4 % 3
            assert decisions.agent_id.tolist() == ids  # the next episode has begun, with the same ids
            assert decisions.reward.tolist() == [0.0] * 4
            assert decisions.obs[0][:, 0].tolist() == [0.0] * 4
        else:
            assert decisions.agent_id.tolist() == (ids if t == 1 else first_runners)
            assert decisions.reward[0] == t
            assert chasers.reward.tolist() == [t + 10.0] * 2
            assert not len(chasers_end)


def test_actions_reach_the_agents_they_are_for() -> None:
    env = tag()
    env.reset()
    env.set_actions(RUNNER, ActionTuple(continuous=np.array([[-1.0], [0.0], [1.0], [0.5]])))
    env.set_actions(CHASER, ActionTuple(np.array([[0.5, -1], [1, 0]]), np.array([[2], [1]])))
    env.step()
    first, second = (game.received[-1] for game in games(env))
    assert (first["runner_0"].tolist(), first["runner_1"].tolist()) == ([0.0], [2.0])
    assert (second["runner_0"].tolist(), second["runner_1"].tolist()) == ([4.0], [3.0])
    assert (first["chaser_0"][0].tolist(), first["chaser_0"][1]) == ([0.5, -1.0], 2)
    assert (second["chaser_0"][0].tolist(), second["chaser_0"][1]) == ([1.0, 0.0], 1)
    agent = int(env.get_steps(RUNNER)[0].agent_id[3])
    env.set_action_for_agent(RUNNER, agent, ActionTuple(continuous=np.array([[1.0]])))
    env.step()
    first, second = (game.received[-1] for game in games(env))
    assert [first["runner_0"][0], first["runner_1"][0], second["runner_0"][0]] == [2.0] * 3  # zeros
    assert second["runner_1"].tolist() == [4.0]


def test_wrong_use_is_refused() -> None:
    env = tag()
    env.reset()
    with pytest.raises(UnityActionException, match=r"no behavior Other.*runner"):
        env.get_steps("Other")
    with pytest.raises(UnityActionException, match=r"\(4, 1\)"):
        env.set_actions(RUNNER, ActionTuple(continuous=np.zeros((3, 1))))
    with pytest.raises(IndexError, match="Agent 99"):
        env.set_action_for_agent(RUNNER, 99, ActionTuple(continuous=np.zeros((1, 1))))
    env.close()
    env.close()
    assert all(game.closed for game in games(env))
    with pytest.raises(UnityEnvironmentException, match="closed"):
        env.reset()


def test_every_reset_has_a_seed_of_its_own_and_all_follow_from_one() -> None:
    def seeds(seed: int) -> list[list[int]]:
        env = tag(seed=seed)
        env.reset()
        for _ in range(9):
            env.step()
        return [game.seeds for game in games(env)]

    assert seeds(3) == seeds(3)
    assert seeds(3) != seeds(4)
    drawn = [seed for game in seeds(3) for seed in game]
    assert len(set(drawn)) == len(drawn) == 6


def test_teams_and_groups() -> None:
    env = tag("teams=index", "groups=all")
    assert set(env.behavior_specs) == {"runner?team=0", "chaser?team=1", "runner?team=2"}
    env.reset()
    groups = [env.get_steps(name)[0].group_id.tolist() for name in env.behavior_specs]
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups[0])) == 2  # one per copy
    assert min(groups[0]) > 0
    env = tag("teams={runner_0: 0, runner_1: 0, chaser_0: 5}", "groups=team")
    env.reset()
    runners, chasers = (env.get_steps(name)[0].group_id.tolist() for name in (RUNNER, "chaser?team=5"))
    assert runners[0] == runners[1] != runners[2] == runners[3]
    assert len({*runners, *chasers}) == 4
    plain = tag()
    plain.reset()
    assert plain.get_steps(RUNNER)[0].group_id.tolist() == [0] * 4


def test_agents_that_differ_have_behaviors_of_their_own() -> None:
    class Uneven(pettingzoo_toys.Tag):
        def action_space(self, agent: str) -> spaces.Space[Any]:
            return spaces.Discrete(2) if agent == "runner_1" else super().action_space(agent)

    env = PettingZooEnv([ParallelGame(Uneven(), np.random.default_rng(0))])
    assert set(env.behavior_specs) == {"runner_0?team=0", "runner_1?team=0", CHASER}
    env.reset()
    env.step()
    assert len(env.get_steps("runner_1?team=0")[0]) == 1


@pytest.mark.parametrize("arguments", [(), ("mask_in_info=true",)])
def test_turns_alternate_and_masks_are_passed_on(arguments: tuple[str, ...]) -> None:
    env = nim("matches=4", "teams=index", *arguments, copies=1)
    zero, one = "player?team=0", "player?team=1"
    assert env.behavior_specs[zero].observation_specs[0].shape == (1,)
    env.reset()
    history: list[Any] = []
    for choice in (1, 0, 0, 2, 0):
        asking = [name for name in (zero, one) if len(env.get_steps(name)[0])]
        assert len(asking) == 1
        decisions, _ = env.get_steps(asking[0])
        assert decisions.action_mask is not None
        left = int(decisions.obs[0][0, 0])
        assert decisions.action_mask[0][0].tolist() == [False, left < 2, left < 3]
        history.append((asking[0][-1], left))
        env.set_actions(asking[0], ActionTuple(discrete=np.array([[choice]])))
        env.step()
        ends = {name[-1]: env.get_steps(name)[1] for name in (zero, one)}
        history += [(agent, end.reward.tolist()) for agent, end in ends.items() if len(end)]
    # 4 - 2 - 1 - 1: player 0 takes the last one; the next game is 4 - 3 - 1
    assert history == [
        ("0", 4),
        ("1", 2),
        ("0", 1),
        ("0", [1.0]),
        ("1", [-1.0]),
        ("0", 4),
        ("1", 1),
        ("0", [-1.0]),
        ("1", [1.0]),
    ]


def test_games_of_turns_run_side_by_side() -> None:
    env = nim(copies=3)
    name = "player?team=0"
    env.reset()
    rng = np.random.default_rng(0)
    total, ends = 0.0, 0
    for _ in range(40):
        decisions, terminals = env.get_steps(name)
        assert len(decisions) == 3
        total += float(terminals.reward.sum())
        ends += len(terminals)
        legal = [rng.choice(np.flatnonzero(~mask)) for mask in decisions.action_mask[0]]  # type: ignore[index]
        env.set_actions(name, ActionTuple(discrete=np.array(legal)[:, None]))
        env.step()
    assert total == 0.0
    assert ends > 20


def test_agents_may_come_while_the_game_runs() -> None:
    class Stable(generated_agents_parallel_v0.parallel_env):
        """Spaces stay as they are over resets, as those of real games do."""

        def add_type(self) -> str:
            name = f"type{len(self.types)}"
            self.types.append(name)
            self._obs_spaces[name] = spaces.Box(0, 1, (4,), np.float32)
            self._act_spaces[name] = spaces.Discrete(3)
            self._agent_counters[name] = 0
            return name

    env = PettingZooEnv([ParallelGame(Stable(max_cycles=60), np.random.default_rng(1))])
    assert not env.behavior_specs
    env.reset()
    seen = {name: set(env.get_steps(name)[0]) for name in env.behavior_specs}
    before = sum(map(len, seen.values()))
    for _ in range(50):
        env.step()
        for name in env.behavior_specs:
            seen.setdefault(name, set()).update(env.get_steps(name)[0])
    assert sum(map(len, seen.values())) > before


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("butterfly.pistonbal_v6", (), r"butterfly\.pistonball_v6"),
        ("no_such_module_at_all", (), "no PettingZoo environment 'no_such_module_at_all'"),
        ("pettingzoo_toys.not_an_environment", (), "made a int"),
        ("pettingzoo_toys.Missing", (), "no PettingZoo environment"),
        ("json", (), "module json has neither"),
        ("pettingzoo_toys", ("limits=3",), "cannot be made.*limits"),
        ("pettingzoo_toys", ("teams=both",), "teams is 'both'"),
        ("pettingzoo_toys", ("teams={walker_0: 1}",), "walker_0.*runner_0"),
        ("pettingzoo_toys", ("groups=3",), "groups is 3"),
        ("pettingzoo_toys", ("caught",), "key=value"),
    ],
)
def test_mistakes_are_named(name: str, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UnityEnvironmentException, match=message):
        make_environment(f"pettingzoo:{name}", EnvironmentOptions(environment_args=arguments))


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_more_v0.py").write_text("import no_such_package_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UnityEnvironmentException, match=r"needs what is not installed: .*no_such_package_here"
    ):
        make_environment("pettingzoo:needs_more_v0", EnvironmentOptions())
    monkeypatch.setattr("pettingzoo.butterfly.__path__", [str(tmp_path)])
    with pytest.raises(UnityEnvironmentException, match=r"pettingzoo\[butterfly\]"):
        make_environment("pettingzoo:butterfly.needs_more_v0", EnvironmentOptions())
