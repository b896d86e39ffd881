from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from envs_toy_game import BRANCHED, CONTINUOUS, DISCRETE, HYBRID, ToyGame
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

import mlagents_envs.envs  # noqa: F401  # registers the environments
from mlagents_envs.base_env import ActionSpec
from mlagents_envs.envs.vector_env import UnityVectorEnv
from mlagents_envs.registry import EnvironmentOptions, make_environment

TOY = "Toy?team=0"


@pytest.mark.parametrize("late", [False, True])
def test_episodes_reset_themselves_in_the_same_step(late: bool) -> None:
    env = UnityVectorEnv(ToyGame(DISCRETE, length=2, late=late))
    assert env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert env.num_envs == 3
    twin = ToyGame(DISCRETE, length=2)  # the same seed, hence the same noise
    twin.reset()
    twin.reset()  # the view looks at its agents first
    observations, infos = env.reset()
    np.testing.assert_array_equal(observations, twin.columns(TOY)[0])
    assert "final_obs" not in infos
    for _ in range(12):
        actions = np.arange(3) + 1
        old_noise, old_t = twin.noise[TOY].copy(), twin.t[TOY].copy()
        observations, rewards, terminations, truncations, infos = env.step(actions)
        twin.step()
        done = old_t + 1 == twin.length + np.arange(3)
        np.testing.assert_array_equal(observations, twin.columns(TOY)[0])
        np.testing.assert_array_equal(rewards, 1.0 + old_t + 1 + actions)
        np.testing.assert_array_equal(terminations, done & (np.arange(3) != 1))
        np.testing.assert_array_equal(truncations, done & (np.arange(3) == 1))
        np.testing.assert_array_equal(infos["group_reward"], np.where(done, 0.25, 0.5))
        assert infos["decision_requested"].all()
        if not done.any():
            assert "final_obs" not in infos
            continue
        np.testing.assert_array_equal(infos["_final_obs"], done)
        for agent in range(3):
            final = infos["final_obs"][agent]
            if not done[agent]:
                assert final is None
                continue
            expected = old_noise[agent] + agent + (old_t[agent] + 1) / 100.0
            np.testing.assert_allclose(final, np.full(3, expected), rtol=1e-6)


@pytest.mark.parametrize("actions", [CONTINUOUS, DISCRETE, BRANCHED, HYBRID])
def test_spaces_fit_what_is_given_and_taken(actions: ActionSpec) -> None:
    game = ToyGame(actions, observations=((3,), (3, 4, 4)))
    env = UnityVectorEnv(game)
    assert env.observation_space.contains(env.reset()[0])
    assert isinstance(env.single_observation_space, spaces.Tuple)
    game.received.clear()
    for _ in range(9):
        chosen = env.action_space.sample()
        observations, rewards, terminations, *_ = env.step(chosen)
        assert env.observation_space.contains(observations)
        assert rewards.shape == terminations.shape == (3,)
        given = game.received[-1]
        parts = [given.continuous, given.discrete]
        expected = [part for part in parts if part.size]
        for part, sampled in zip(expected, chosen if len(expected) == 2 else (chosen,), strict=True):
            np.testing.assert_array_equal(part, sampled.reshape(part.shape))


def test_observations_belong_to_the_caller() -> None:
    game = ToyGame(DISCRETE)
    env = UnityVectorEnv(game)
    first, _ = env.reset()
    kept = first.copy()
    second = env.step(np.zeros(3, np.int64))[0]
    np.testing.assert_array_equal(first, kept)
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(second, game.get_steps(TOY)[0].obs[0])


def test_masks_keep_random_play_legal() -> None:
    env = UnityVectorEnv(ToyGame(DISCRETE, length=9, strict=True))
    _, infos = env.reset()
    for _ in range(20):
        mask = infos["action_mask"]
        assert mask.shape == (3, 4)
        assert mask.dtype == np.int8
        assert (mask.sum(axis=1) == 3).all()
        infos = env.step(mask.argmax(axis=1))[-1]
    branched = UnityVectorEnv(ToyGame(BRANCHED))
    assert [mask.shape for mask in branched.reset()[1]["action_mask"]] == [(3, 3), (3, 2)]
    flat = UnityVectorEnv(ToyGame(BRANCHED), flatten_branched=True)
    assert flat.reset()[1]["action_mask"].tolist() == [[0, 0, 0, 1, 0, 1]] * 3


def test_agents_that_do_not_ask_keep_what_they_had() -> None:
    class Halting(ToyGame):
        """After the first decisions of all, agents ask one after the other."""

        def step(self) -> None:
            self.turns = True
            super().step()

    game = Halting(CONTINUOUS, length=50)
    env = UnityVectorEnv(game)
    game.turns = False
    before, _ = env.reset()
    for tick in range(1, 6):
        chosen = np.full((3, 2), tick / 10.0, np.float32)
        observations, rewards, _, _, infos = env.step(chosen)
        asks = tick % 3
        assert infos["decision_requested"].tolist() == [agent == asks for agent in range(3)]
        others = [agent for agent in range(3) if agent != asks]
        np.testing.assert_array_equal(observations[others], before[others])
        np.testing.assert_array_equal(rewards[others], [0.0, 0.0])
        if tick > 1:
            assert game.received[-1].continuous.tolist() == [chosen[0].tolist()]  # of one agent
        before = observations


def test_newcomers_take_the_places_of_those_who_left() -> None:
    game = ToyGame(DISCRETE, length=1, new_ids=True)
    env = UnityVectorEnv(game)
    env.reset()
    lengths: list[list[int]] = [[0], [0], [0]]
    for _ in range(6):
        _, _, terminations, truncations, _ = env.step(np.zeros(3, np.int64))
        for agent in range(3):
            lengths[agent][-1] += 1
            if terminations[agent] or truncations[agent]:
                lengths[agent].append(0)
    assert lengths == [[1, 1, 1, 1, 1, 1, 0], [2, 2, 2, 0], [3, 3, 0]]
    game.n = 4
    game.ids[TOY] = np.append(game.ids[TOY], 77).astype(np.int32)
    game.t[TOY], game.noise[TOY] = np.zeros(4, np.int64), np.ones(4)
    with pytest.raises(gymnasium.error.Error, match=r"77.*came when all 3 places"):
        env.step(np.zeros(3, np.int64))


def test_a_changed_number_of_agents_after_reset_is_refused() -> None:
    game = ToyGame(DISCRETE)
    env = UnityVectorEnv(game)
    game.n = 2
    with pytest.raises(gymnasium.error.Error, match="had 3 agents, and has 2"):
        env.reset()


def test_behaviors_are_chosen_by_name() -> None:
    def game() -> ToyGame:
        return ToyGame(DISCRETE, behaviors=("A?team=0", "B?team=0", "B?team=1"))

    assert UnityVectorEnv(game(), "A").name == "A?team=0"
    assert UnityVectorEnv(game(), "B?team=1").name == "B?team=1"
    for name, message in ((None, "no behavior_name"), ("B", "is 'B'"), ("C", "A.team=0, B.team=0")):
        with pytest.raises(gymnasium.error.Error, match=message):
            UnityVectorEnv(game(), name)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((2, 2), np.float32), r"shape \(2, 2\)"),
        (np.zeros(3, np.float32), "needed"),
    ],
)
def test_wrong_actions_are_refused(actions: np.ndarray, message: str) -> None:
    env = UnityVectorEnv(ToyGame(CONTINUOUS))
    env.reset()
    with pytest.raises(gymnasium.error.InvalidAction, match=message):
        env.step(actions)


def test_single_agents_cannot_be_reset() -> None:
    env = UnityVectorEnv(ToyGame(CONTINUOUS))
    with pytest.raises(gymnasium.error.Error, match="reset_mask"):
        env.reset(options={"reset_mask": np.ones(3, np.bool_)})


def test_nobody_asking_is_an_error() -> None:
    class Silent(ToyGame):
        def _decisions(self, name: str, rewards: np.ndarray) -> object:
            steps = super()._decisions(name, rewards)
            return steps if self.resets == 0 or self.steps == 0 else type(steps).empty(self.spec)

    env = UnityVectorEnv(Silent(CONTINUOUS))
    env.reset()
    with pytest.raises(gymnasium.error.Error, match="1000 steps"):
        env.step(np.zeros((3, 2)))


def test_make_vec_gives_3dball_with_that_many_agents_and_honours_seeds() -> None:
    env = gymnasium.make_vec("mlagents/3DBall-v0", num_envs=4)
    assert env.num_envs == 4
    assert env.observation_space.shape == (4, 8)
    runs = []
    for _ in range(2):
        first, _ = env.reset(seed=11)
        env.action_space.seed(3)
        ends = 0
        for _ in range(60):
            last, rewards, terminations, _, infos = env.step(env.action_space.sample())
            ends += int(terminations.sum())
            np.testing.assert_array_equal(terminations, infos.get("_final_obs", np.zeros(4, bool)))
        runs.append((first.tolist(), last.tolist(), rewards.tolist(), ends))
    assert runs[0] == runs[1]
    assert runs[0][3] > 3
    assert env.reset(seed=12)[0].tolist() != runs[0][0]
    env.close()
    game = make_environment("3DBall", EnvironmentOptions(seed=11, num_areas=4))
    game.reset()
    np.testing.assert_array_equal(game.get_steps("3DBall?team=0")[0].obs[0], runs[0][0])


def test_make_vec_counts_agents_not_areas(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlagents_envs.envs import registration
    from mlagents_envs.registry import BaseRegistryEntry

    class Pairs(BaseRegistryEntry):
        def make(self, num_areas: int = 1, **kwargs: int) -> ToyGame:
            return ToyGame(DISCRETE, agents=2 * num_areas, seed=kwargs["seed"])

    monkeypatch.setattr(registration, "default_registry", {"Pairs": Pairs("Pairs", None, None)})
    assert registration.make_vector("Pairs", num_envs=6).num_envs == 6
    assert registration.make_vector("Pairs", num_envs=1).num_envs == 1
    assert registration.make_vector("Pairs", num_envs=6, num_areas=2).num_envs == 4
    with pytest.raises(gymnasium.error.Error, match="5 agents cannot be had"):
        registration.make_vector("Pairs", num_envs=5)
    with pytest.raises(gymnasium.error.Error, match="rendered"):
        registration.make_vector("Pairs", num_envs=2, render_mode="rgb_array")
