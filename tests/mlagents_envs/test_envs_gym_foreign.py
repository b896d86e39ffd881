# ruff: noqa: ANN401  # spaces hold anything
from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from mlagents_envs.base_env import ActionTuple, BaseEnv
from mlagents_envs.envs.gymnasium_env import DEFAULT_COPIES, GymnasiumEnv, behavior_name
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.registry import EnvironmentOptions, make_environment
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel


class Corridor(gymnasium.Env[Any, Any]):
    """Counts its steps; ends by itself at ``length``, or is cut at ``limit``. Remembers what it was given."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(
        self,
        observation_space: spaces.Space[Any] | None = None,
        action_space: spaces.Space[Any] | None = None,
        length: int = 3,
        limit: int = 100,
        masked: bool = False,
    ) -> None:
        self.observation_space = observation_space or spaces.Box(-10, 10, (2,), np.float32)
        self.action_space = action_space or spaces.Discrete(3)
        self.length, self.limit, self.masked = length, limit, masked
        self.given: list[Any] = []

    def _observe(self) -> Any:
        return np.array([self.t, self.start], np.float32)

    def _info(self) -> dict[str, Any]:
        return {"action_mask": np.array([1, self.t % 2, 0], np.int8)} if self.masked else {}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.start = 0, float(self.np_random.uniform(-1, 1))
        return self._observe(), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.given.append(action)
        self.t += 1
        return self._observe(), float(self.t), self.t >= self.length, self.t >= self.limit, self._info()


class Sampling(Corridor):
    """Observes a sample of its space."""

    def _observe(self) -> Any:
        return self.observation_space.sample()


def copies(makers: list[Any], mode: AutoresetMode = AutoresetMode.SAME_STEP) -> GymnasiumEnv:
    vector = SyncVectorEnv(makers, autoreset_mode=mode)
    return GymnasiumEnv(vector, "Corridor", seed=5)


NAME = "Corridor?team=0"


def advance(env: BaseEnv, name: str = NAME, choice: int = 0) -> None:
    decisions, _ = env.get_steps(name)
    spec = env.behavior_specs[name].action_spec
    action = spec.empty_action(len(decisions))
    action.discrete[:] = choice
    env.set_actions(name, action)
    env.step()


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
def test_episodes_are_those_of_the_environment(mode: AutoresetMode) -> None:
    env = copies(
        [lambda: Corridor(length=2), lambda: Corridor(length=3), lambda: Corridor(length=9, limit=3)], mode
    )
    env.reset()
    at_once = mode == AutoresetMode.SAME_STEP
    lengths: dict[int, list[int]] = {0: [], 1: [], 2: []}
    starts = {agent: float(env.get_steps(NAME)[0][agent].obs[0][1]) for agent in range(3)}
    running = dict.fromkeys(range(3), 0)
    for _ in range(12):
        advance(env)
        decisions, terminals = env.get_steps(NAME)
        assert set(decisions.agent_id) | set(terminals.agent_id) == {0, 1, 2}
        assert (
            set(decisions.agent_id) & set(terminals.agent_id) == set(terminals.agent_id)
        ) is at_once or not len(terminals)
        for agent in terminals:
            step = terminals[agent]
            running[agent] += 1
            lengths[agent].append(running[agent])
            assert step.obs[0].tolist() == [running[agent], np.float32(starts[agent])]
            assert step.reward == running[agent]
            assert step.interrupted is (agent == 2)
            running[agent] = -1
        for agent in decisions:
            step = decisions[agent]
            running[agent] += 1
            assert step.obs[0][0] == running[agent]
            assert step.reward == running[agent]  # 0 where a new episode begins
            if running[agent] == 0:
                assert step.obs[0][1] != np.float32(starts[agent])
                starts[agent] = float(step.obs[0][1])
            assert step.obs[0][1] == np.float32(starts[agent])
    expected = {0: [2] * 6, 1: [3] * 4, 2: [3] * 4} if at_once else {0: [2] * 4, 1: [3] * 3, 2: [3] * 3}
    assert lengths == expected


def test_a_vector_version_of_its_own_gives_the_same_as_single_environments() -> None:
    env = make_environment("gym:CartPole-v1", EnvironmentOptions(seed=3, num_areas=4))
    assert list(env.behavior_specs) == ["CartPole-v1?team=0"]
    name = "CartPole-v1?team=0"
    env.reset()
    single = gymnasium.make("CartPole-v1").unwrapped
    single.reset()
    rng = np.random.default_rng(0)
    ends = 0
    for _ in range(60):
        before, _ = env.get_steps(name)
        action = ActionTuple(discrete=rng.integers(0, 2, (len(before), 1)))
        env.set_actions(name, action)
        env.step()
        after, terminals = env.get_steps(name)
        for row, agent in enumerate(before):
            single.state = before[agent].obs[0].astype(np.float64)
            single.steps_beyond_terminated = None
            observation, reward, terminated, *_ = single.step(int(action.discrete[row, 0]))
            got = terminals[agent] if terminated else after[agent]
            np.testing.assert_allclose(got.obs[0], observation, rtol=1e-5, atol=1e-6)
            assert got.reward == reward
            ends += terminated
        assert set(after) == {0, 1, 2, 3} - set(terminals)
    assert ends > 4
    env.close()


def test_seeds_decide_and_later_resets_go_on() -> None:
    def firsts(seed: int) -> list[Any]:
        env = make_environment("gym:Pendulum-v1", EnvironmentOptions(seed=seed, num_areas=2))
        found = []
        for _ in range(2):
            env.reset()
            found.append(env.get_steps("Pendulum-v1?team=0")[0].obs[0].tolist())
        env.close()
        return found

    assert firsts(1) == firsts(1)
    assert firsts(1) != firsts(2)
    assert firsts(1)[0] != firsts(1)[1]


def test_the_number_of_copies() -> None:
    for asked, copies_made in ((None, DEFAULT_COPIES), (1, 1), (3, 3)):
        env = make_environment("gym:CartPole-v1", EnvironmentOptions(num_areas=asked))
        env.reset()
        assert len(env.get_steps("CartPole-v1?team=0")[0]) == copies_made


def test_actions_of_every_kind_reach_the_environment() -> None:
    space = spaces.Dict(
        {
            "move": spaces.Tuple(
                (
                    spaces.Box(np.array([0, -4], np.float32), np.array([10, 4], np.float32)),
                    spaces.Discrete(3, start=5),
                )
            ),
            "switches": spaces.MultiBinary(2),
            "wheels": spaces.MultiDiscrete([2, 4], start=[0, 1]),
            "force": spaces.Box(-np.inf, np.inf, (1, 1), np.float64),
            "gear": spaces.Box(0, 4, (1,), np.int32),
        }
    )
    made: list[Corridor] = []

    def make() -> Corridor:
        made.append(Corridor(action_space=space, length=50))
        return made[-1]

    env = copies([make, make])
    spec = env.behavior_specs[NAME].action_spec
    assert spec.continuous_size == 4  # force, gear, move
    assert spec.discrete_branches == (3, 2, 2, 2, 4)  # move, switches, wheels
    env.reset()
    continuous = np.array([[0.5, 0.9, -1.0, 1.0], [-3.0, -1.0, 0.0, 0.5]], np.float32)
    discrete = np.array([[2, 1, 0, 1, 3], [0, 0, 1, 0, 0]])
    env.set_actions(NAME, ActionTuple(continuous, discrete))
    env.step()
    first, second = made[0].given[-1], made[1].given[-1]
    assert first["force"].tolist() == [[0.5]]
    assert first["gear"].tolist() == [4]  # 0.9 of [-1, 1] is 3.8 of [0, 4]
    assert first["move"][0].tolist() == [0.0, 4.0]
    assert first["move"][1] == 7
    assert first["switches"].tolist() == [1, 0]
    assert first["wheels"].tolist() == [1, 4]
    assert second["force"].tolist() == [[-1.0]]  # clipped
    assert second["gear"].tolist() == [0]
    assert second["move"][0].tolist() == [5.0, 2.0]
    assert (second["move"][1], second["switches"].tolist()) == (5, [0, 1])
    env.set_action_for_agent(NAME, 1, ActionTuple(continuous[:1], discrete[:1]))
    env.step()
    assert made[1].given[-1]["move"][1] == 7
    assert made[0].given[-1]["move"][1] == 5  # nothing was set: zeros
    env.step()
    assert made[1].given[-1]["move"][1] == 5


def test_observations_of_every_kind_become_columns() -> None:
    space = spaces.Dict(
        {
            "camera": spaces.Box(0, 255, (20, 24, 3), np.uint8),
            "depth": spaces.Box(-2.0, 2.0, (1, 20, 24), np.float32),
            "grey": spaces.Box(0, 255, (20, 24), np.uint8),
            "kind": spaces.Discrete(4, start=-1),
            "nested": spaces.Tuple((spaces.MultiBinary((2, 2)), spaces.MultiDiscrete([2, 3], start=[0, 2]))),
            "table": spaces.Box(-5, 5, (2, 3), np.float64),
            "x": spaces.Box(-1, 1, (), np.float32),
        }
    )
    env = copies([lambda: Sampling(space), lambda: Sampling(space)])
    env.reset()
    specs = env.behavior_specs[NAME].observation_specs
    assert [(spec.name, spec.shape) for spec in specs] == [
        ("camera", (3, 20, 24)),
        ("depth", (1, 20, 24)),
        ("grey", (1, 20, 24)),
        ("kind", (4,)),
        ("nested/0", (4,)),
        ("nested/1", (5,)),
        ("table", (6,)),
        ("x", (1,)),
    ]
    raw = env._vector.envs  # type: ignore[attr-defined]
    last: dict[str, Any] = {}
    for index, sub in enumerate(raw):
        original = sub._observe

        def observe(index: int = index, original: Any = original) -> Any:
            last[index] = original()
            return last[index]

        sub._observe = observe
    for _ in range(2):
        advance(env)
    decisions, _ = env.get_steps(NAME)
    for spec, column in zip(specs, decisions.obs, strict=True):
        assert column.dtype == np.float32
        assert column.shape == (2, *spec.shape)
    for agent in range(2):
        seen, got = last[agent], dict(zip([s.name for s in specs], decisions[agent].obs, strict=True))
        np.testing.assert_allclose(got["camera"], seen["camera"].transpose(2, 0, 1) / 255.0, rtol=1e-6)
        np.testing.assert_allclose(got["depth"], (seen["depth"] + 2.0) / 4.0, rtol=1e-5)
        np.testing.assert_allclose(got["grey"][0], seen["grey"] / 255.0, rtol=1e-6)
        assert got["kind"].tolist() == np.eye(4)[seen["kind"] + 1].tolist()
        assert got["nested/0"].tolist() == seen["nested"][0].ravel().tolist()
        first, second = seen["nested"][1] - [0, 2]
        assert got["nested/1"].tolist() == [*np.eye(2)[first], *np.eye(3)[second]]
        np.testing.assert_allclose(got["table"], seen["table"].ravel(), rtol=1e-6)
        assert got["x"][0] == seen["x"]
    advance(env)  # the third: everybody ends, final observations are nested too
    _, terminals = env.get_steps(NAME)
    assert [column.shape[0] for column in terminals.obs] == [2] * 8
    assert terminals.obs[3].sum() == 2.0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((84, 84, 3), (3, 84, 84)),
        ((3, 84, 84), (3, 84, 84)),
        ((4, 84, 84), (4, 84, 84)),
        ((20, 20, 111), (111, 20, 20)),
        ((8, 8, 111), (8 * 8 * 111,)),  # a board
        ((6, 30), (180,)),
        ((30, 40), (1, 30, 40)),
        ((210, 160, 3), (3, 210, 160)),
        ((3, 210, 160), (3, 210, 160)),
        ((20, 20, 20), (20, 20, 20)),
    ],
)
def test_channels_are_found(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    env = copies([lambda: Sampling(spaces.Box(0, 255, shape, np.uint8))])
    assert env.behavior_specs[NAME].observation_specs[0].shape == expected


def test_action_masks_are_passed_on() -> None:
    env = copies([lambda: Corridor(masked=True), lambda: Corridor(masked=True, length=2)])
    env.reset()
    for expected in ([1, 0, 0], [1, 1, 0], [1, 0, 0]):
        decisions, _ = env.get_steps(NAME)
        assert decisions.action_mask is not None
        assert decisions.action_mask[0][0].tolist() == [not allowed for allowed in expected]
        assert decisions.action_mask[0].dtype == np.bool_
        advance(env)
    unmasked = copies([Corridor])
    unmasked.reset()
    assert not unmasked.get_steps(NAME)[0].action_mask[0].any()  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "space", "message"),
    [
        ("observation", spaces.Text(5), r"the observation is a Text space"),
        (
            "observation",
            spaces.Dict({"a": spaces.Graph(spaces.Discrete(2), None)}),
            "observation a is a Graph",
        ),
        ("observation", spaces.Box(0, 1, (2, 2, 2, 2)), "three axes at most"),
        ("observation", spaces.Discrete(10**6), "1000000 discrete values"),
        ("action", spaces.Tuple((spaces.Discrete(2), spaces.Text(5))), "action 1 is a Text space"),
    ],
)
def test_spaces_that_cannot_be_mapped_are_named(kind: str, space: spaces.Space[Any], message: str) -> None:
    class Odd(Sampling):
        pass

    arguments = {f"{kind}_space": space}
    with pytest.raises(UnityEnvironmentException, match=f"Corridor.*{message}"):
        copies([lambda: Odd(**arguments)])


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("gym:CartPol-v1", (), "no environment 'CartPol-v1'.*CartPole-v1"),
        ("gym:cartpole-v9", (), "CartPole-v1"),
        ("gym:no_such_package:Thing-v0", (), "'no_such_package'.*cannot be imported"),
        ("gym:CartPole-v1", ("gravity",), "key=value.*'gravity'"),
        ("gym:CartPole-v1", ("gravity=3",), "cannot be made.*gravity"),
        ("gym:Pendulum-v1", ("vectorization_mode=fast",), "fast"),
        ("gym:Pendulum-v1", ("g=[",), "'g=\\['"),
    ],
)
def test_mistakes_are_named(name: str, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UnityEnvironmentException, match=message):
        make_environment(name, EnvironmentOptions(environment_args=arguments))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: Any) -> None:
        raise gymnasium.error.DependencyNotInstalled('run `pip install "gymnasium[box2d]"`')

    gymnasium.register("NeedsMore-v0", missing)
    try:
        with pytest.raises(UnityEnvironmentException, match=r"gymnasium\[box2d\]"):
            make_environment("gym:NeedsMore-v0", EnvironmentOptions())
    finally:
        del gymnasium.registry["NeedsMore-v0"]


def test_the_extra_of_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium.envs.toy_text.taxi", None)
    spec = dataclasses.replace(gymnasium.spec("Taxi-v4"), entry_point="gymnasium.envs.toy_text.taxi:TaxiEnv")
    monkeypatch.setitem(gymnasium.registry, "Taxi-v4", spec)
    with pytest.raises(UnityEnvironmentException, match=r"taxi.*gymnasium\[toy-text\]"):
        make_environment("gym:Taxi-v4", EnvironmentOptions())


def test_arguments_reach_the_environment() -> None:
    def make(*arguments: str) -> Any:
        return make_environment(
            "gym:Pendulum-v1", EnvironmentOptions(num_areas=1, environment_args=arguments)
        )

    env = make("g=2.5", "--max_episode_steps=3", "vectorization_mode=sync")
    assert env._vector.envs[0].unwrapped.g == 2.5
    env.reset()
    for step in range(3):
        assert not len(env.get_steps("Pendulum-v1?team=0")[1]), step
        env.step()
    assert env.get_steps("Pendulum-v1?team=0")[1].interrupted.tolist() == [True]


def test_the_latest_version_is_taken_and_modules_are_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "registers_one.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('mine/Cart-v2', 'gymnasium.envs.classic_control.cartpole:CartPoleEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    env = make_environment("gym:registers_one:mine/Cart", EnvironmentOptions())
    assert list(env.behavior_specs) == ["Cart-v2?team=0"]
    assert behavior_name("ALE/Pong-v5") == "Pong-v5"
    assert behavior_name("a:b-v0") == "a_b-v0"


def test_wrong_use_is_refused() -> None:
    env = copies([Corridor, Corridor])
    env.reset()
    with pytest.raises(UnityActionException, match="no behavior Other"):
        env.get_steps("Other")
    with pytest.raises(UnityActionException, match=r"\(2, 0\)"):
        env.set_actions(NAME, ActionTuple(discrete=np.zeros((1, 1))))
    with pytest.raises(IndexError, match="Agent 2"):
        env.set_action_for_agent(NAME, 2, ActionTuple(discrete=np.zeros((1, 1))))
    env.close()
    env.close()
    with pytest.raises(UnityEnvironmentException, match="closed"):
        env.step()
    with pytest.raises(UnityEnvironmentException, match="reset its sub-environments"):
        copies([Corridor], AutoresetMode.DISABLED)


def test_parameters_that_cannot_be_received_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    channel = EnvironmentParametersChannel()
    make_environment("gym:CartPole-v1", EnvironmentOptions(side_channels=(channel,)))
    assert "no environment parameters" not in capsys.readouterr().out
    channel.set_float_parameter("gravity", 3.0)
    make_environment("gym:CartPole-v1", EnvironmentOptions(side_channels=(channel,)))
    assert "no environment parameters" in capsys.readouterr().out
