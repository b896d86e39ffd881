from __future__ import annotations

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from envs_toy_game import BRANCHED, CONTINUOUS, DISCRETE, HYBRID, ToyGame
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

import mlagents_envs.envs
from mlagents_envs.base_env import ActionSpec, ActionTuple, DecisionSteps, TerminalSteps
from mlagents_envs.envs import unity_gym_env
from mlagents_envs.envs.first_agent_env import FirstAgentEnv
from mlagents_envs.envs.step_info import comparable
from mlagents_envs.envs.unity_gym_env import ActionFlattener, UnityGymException, UnityToGymWrapper
from mlagents_envs.exception import UnityActionException
from mlagents_envs.registry import EnvironmentOptions, make_environment


def checked(env: gymnasium.Env) -> list[str]:
    """Run Gymnasium's checker and return what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env)
    env.close()
    return [str(warning.message) for warning in caught if "infinity" not in str(warning.message)]


def test_3dball_passes_the_checker_with_its_spec() -> None:
    env = gymnasium.make("mlagents/3DBall-v0")
    assert env.spec is not None
    assert not env.spec.nondeterministic  # so that the checker compares what seeds give
    assert env.observation_space == spaces.Box(-np.inf, np.inf, (8,), np.float32)
    assert env.action_space == spaces.Box(-1.0, 1.0, (2,), np.float32)
    assert checked(env.unwrapped) == []


@pytest.mark.parametrize(
    ("actions", "flatten"), [(CONTINUOUS, False), (DISCRETE, False), (BRANCHED, False), (BRANCHED, True)]
)
def test_all_kinds_of_actions_pass_the_checker(actions: ActionSpec, flatten: bool) -> None:
    env = UnityToGymWrapper(lambda seed: ToyGame(actions, agents=1, seed=seed), flatten_branched=flatten)
    messages = checked(env)
    assert [m for m in messages if "due to the environment not having a spec" not in m] == []


def test_an_episode_is_what_the_environment_gives() -> None:
    game = ToyGame(DISCRETE, agents=1, length=3)
    env = UnityToGymWrapper(game)
    observation, info = env.reset()
    np.testing.assert_array_equal(observation, game.columns("Toy?team=0")[0][0])
    assert isinstance(info["step"], DecisionSteps)
    for t in (1, 2):
        observation, reward, terminated, truncated, info = env.step(2)
        np.testing.assert_array_equal(observation, game.columns("Toy?team=0")[0][0])
        assert (reward, terminated, truncated) == (1.0 + t + 2.0, False, False)
        assert info["step"].reward[0] == reward
    noise = game.noise["Toy?team=0"][0]
    observation, reward, terminated, truncated, info = env.step(3)
    np.testing.assert_allclose(observation, noise + 0.03, rtol=1e-6)  # the last one, not the next first
    assert (reward, terminated, truncated) == (7.0, True, False)
    assert isinstance(info["step"], TerminalSteps)
    assert env.game_over
    with pytest.raises(UnityGymException, match="reset"):
        env.step(0)
    env.reset()
    assert not env.game_over
    env.step(0)


def test_an_interrupted_episode_is_truncated_and_late_ends_are_found() -> None:
    class Interrupted(ToyGame):
        def _terminals(self, *arguments: object) -> TerminalSteps:
            steps = super()._terminals(*arguments)
            steps.interrupted = ~steps.interrupted
            return steps

    env = UnityToGymWrapper(Interrupted(CONTINUOUS, agents=1, length=2, late=True))
    for _ in range(2):
        env.reset()
        assert env.step(np.zeros(2))[2:4] == (False, False)
        assert env.step(np.zeros(2))[2:4] == (False, True)


def test_masks_are_what_the_action_space_samples_with() -> None:
    for actions, flatten in ((DISCRETE, False), (BRANCHED, False), (BRANCHED, True)):
        env = UnityToGymWrapper(ToyGame(actions, agents=1, length=9, strict=True), flatten_branched=flatten)
        _, info = env.reset()
        for _ in range(8):
            _, _, _, _, info = env.step(env.action_space.sample(info["action_mask"]))


def test_actions_reach_the_environment() -> None:
    game = ToyGame(BRANCHED, agents=1, masks=False)
    env = UnityToGymWrapper(game, flatten_branched=True)
    assert env.action_space == spaces.Discrete(6)
    env.reset()
    game.received.clear()
    for action in range(4):
        env.step(action)
    assert [given.discrete[0].tolist() for given in game.received] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    with pytest.raises(gymnasium.error.InvalidAction, match="out of range"):
        env.step(6)
    branched = UnityToGymWrapper(ToyGame(BRANCHED, agents=1))
    assert branched.action_space == spaces.MultiDiscrete([3, 2])
    with pytest.raises(gymnasium.error.InvalidAction, match="shape"):
        branched.step([1])
    with pytest.raises(gymnasium.error.InvalidAction, match="whole numbers"):
        branched.step([0.5, 1.0])


def test_the_flattener_counts_the_last_branch_fastest() -> None:
    flattener = ActionFlattener([2, 3])
    assert flattener.action_space == spaces.Discrete(6)
    assert flattener.action_lookup == {0: [0, 0], 1: [0, 1], 2: [0, 2], 3: [1, 0], 4: [1, 1], 5: [1, 2]}
    assert flattener.lookup_action(4) == [1, 1]


def test_the_choice_of_observations(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(unity_gym_env.logger, "warning", lambda text, *rest: warned.append(text))
    shapes = ((2,), (3, 8, 9), (4, 2), (5,))
    env = UnityToGymWrapper(ToyGame(CONTINUOUS, agents=1, observations=shapes))
    assert env.observation_space == spaces.Box(0.0, 1.0, (3, 8, 9), np.float32)
    assert len(warned) == 1
    several = UnityToGymWrapper(
        ToyGame(CONTINUOUS, agents=1, observations=shapes), uint8_visual=True, allow_multiple_obs=True
    )
    assert [(part.shape, part.dtype) for part in several.observation_space] == [
        ((3, 8, 9), np.uint8),
        ((4, 2), np.float32),
        ((7,), np.float32),
    ]
    observation, _ = several.reset()
    assert several.observation_space.contains(observation)
    assert observation[0].max() == int(255 * observation[2][0])
    assert several.render().shape == (8, 9, 3)
    assert several.render().max() == observation[0].max()
    assert len(warned) == 1
    UnityToGymWrapper(ToyGame(CONTINUOUS, agents=1), uint8_visual=True, flatten_branched=True)
    assert len(warned) == 3
    table = UnityToGymWrapper(ToyGame(CONTINUOUS, agents=1, observations=((4, 2),)))
    assert table.observation_space.shape == (4, 2)
    assert table.render() is None


@pytest.mark.parametrize(
    ("game", "message"),
    [
        (ToyGame(CONTINUOUS, agents=2), "2 agents"),
        (ToyGame(CONTINUOUS, agents=1, behaviors=("A?team=0", "B?team=0")), "A.*B"),
        (ToyGame(CONTINUOUS, agents=1, observations=((),)), "no observation"),
        (ToyGame(HYBRID, agents=1), "Continuous: 2"),
        (ToyGame(ActionSpec(0, ()), agents=1), "Continuous: 0"),
    ],
)
def test_what_does_not_fit_is_refused(game: ToyGame, message: str) -> None:
    with pytest.raises(UnityGymException, match=message):
        UnityToGymWrapper(game)


def test_seeds_reach_an_environment_that_can_be_built_anew() -> None:
    built: list[ToyGame] = []

    def make(seed: int) -> ToyGame:
        built.append(ToyGame(CONTINUOUS, agents=1, seed=seed))
        return built[-1]

    env = UnityToGymWrapper(make)
    first = env.reset(seed=5)[0].tolist()
    second = env.reset()[0].tolist()
    assert first != second
    assert env.reset(seed=6)[0].tolist() != first
    assert env.reset(seed=5)[0].tolist() == first
    assert env.reset()[0].tolist() == second
    assert [game.seed for game in built[1:]] == [5, 6, 5]
    assert [game.closed for game in built] == [True, True, True, False]
    env.close()
    assert built[-1].closed


def test_a_seed_that_cannot_reach_the_environment_is_reported_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    env = UnityToGymWrapper(ToyGame(CONTINUOUS, agents=1), action_space_seed=3)
    sample = env.action_space.sample().tolist()
    env.reset(seed=1)
    env.reset(seed=1)
    assert capsys.readouterr().out.count("does not reach ToyGame") == 1
    again = UnityToGymWrapper(ToyGame(CONTINUOUS, agents=1), action_space_seed=3)
    assert again.action_space.sample().tolist() == sample


def test_make_shows_one_agent_of_many() -> None:
    env = gymnasium.make("mlagents/3DBall-v0", num_areas=3, uint8_visual=False)
    first, _ = env.reset(seed=4)
    whole = make_environment("3DBall", EnvironmentOptions(seed=4, num_areas=3))
    whole.reset()
    decisions, _ = whole.get_steps("3DBall?team=0")
    np.testing.assert_array_equal(first, decisions.obs[0][0])
    lengths = []
    for _ in range(60):
        _, _, terminated, truncated, _ = env.step(np.ones(2, np.float32))
        lengths.append(terminated or truncated)
        if terminated or truncated:
            env.reset()
    assert 1 < sum(lengths) < 30


def test_the_first_agent_is_shown_and_the_others_idle() -> None:
    class Moving(ToyGame):
        """Agents have other ids after every reset."""

        def reset(self) -> None:
            super().reset()
            self.ids = {name: ids + 10 * self.resets for name, ids in self.ids.items()}
            self._steps = {
                name: (self._decisions(name, np.zeros(self.n)), steps[1])
                for name, steps in self._steps.items()
            }

    name = "Toy?team=0"
    game = Moving(HYBRID, strict=True, length=2)
    env = FirstAgentEnv(game)
    for reset in (1, 2):
        env.reset()
        decisions, terminals = env.get_steps(name)
        assert decisions.agent_id.tolist() == [10 * reset]
        assert [mask.shape for mask in decisions.action_mask or ()] == [(1, 3), (1, 2)]
        assert not len(terminals)
        env.set_actions(name, ActionTuple(np.array([[0.5, -1.0]]), np.array([[2, 1]])))
        env.step()
        given = game.received[-1]
        assert given.continuous.tolist() == [[0.5, -1.0], [0.0, 0.0], [0.0, 0.0]]
        assert given.discrete.tolist() == [[2, 1], [1, 1], [1, 1]]  # choice 0 is forbidden
        env.step()
        decisions, terminals = env.get_steps(name)
        assert terminals.agent_id.tolist() == decisions.agent_id.tolist() == [10 * reset]
    with pytest.raises(UnityActionException, match=r"\(1, 2\)"):
        env.set_actions(name, ActionTuple(np.zeros((3, 2)), np.zeros((3, 2))))
    with pytest.raises(IndexError, match="Agent 21"):
        env.set_action_for_agent(name, 21, HYBRID.empty_action(1))


def test_steps_in_the_info_can_be_compared() -> None:
    for steps in ToyGame(BRANCHED).get_steps("Toy?team=0"):
        assert comparable(steps) == comparable(steps)
    game = ToyGame(BRANCHED)
    game.reset()
    first, same, other = (comparable(game.get_steps("Toy?team=0")[0]) for _ in range(3))
    assert first == same
    other.obs = [other.obs[0] + 1]
    assert first != other
    same.action_mask = None  # type: ignore[union-attr]
    assert first != same
    assert first != comparable(game.get_steps("Toy?team=0")[1])


def test_importing_the_package_registers_and_loads_little() -> None:
    program = (
        "import sys, gymnasium, mlagents_envs.envs as e; "
        "assert 'mlagents/3DBall-v0' in gymnasium.registry; "
        "assert 'ThreeDBall' in dir(e); "
        "heavy = ('mlagents_examples', 'mlagents_sdk', 'torch', 'grpc', 'pettingzoo', 'filelock'); "
        "assert not [m for m in sys.modules if m.startswith(heavy)], sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_registering_again_changes_nothing() -> None:
    assert mlagents_envs.envs.registration.register_environments() == []
    assert mlagents_envs.envs.registration.register_environments({"no good name": None}) == []  # type: ignore[dict-item]
