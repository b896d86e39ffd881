from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from envs_toy_game import DISCRETE, ToyGame
from gymnasium import spaces

pytest.importorskip("stable_baselines3")

from mlagents_envs.envs.stable_baselines_env import StableBaselinesVecEnv
from mlagents_envs.envs.vector_env import UnityVectorEnv


def test_episodes_end_as_that_library_expects() -> None:
    vector = UnityVectorEnv(ToyGame(DISCRETE, length=2))
    twin = UnityVectorEnv(ToyGame(DISCRETE, length=2))
    env = StableBaselinesVecEnv(vector)
    assert (env.num_envs, env.observation_space, env.action_space) == (
        3,
        vector.single_observation_space,
        spaces.Discrete(4),
    )
    np.testing.assert_array_equal(env.reset(), twin.reset()[0])
    ends = 0
    for _ in range(8):
        actions = np.array([0, 1, 2])
        observations, rewards, done, infos = env.step(actions)
        expected, expected_rewards, terminations, truncations, twin_infos = twin.step(actions)
        np.testing.assert_array_equal(observations, expected)
        np.testing.assert_array_equal(rewards, expected_rewards)
        assert rewards.dtype == np.float32
        np.testing.assert_array_equal(done, terminations | truncations)
        for agent in range(3):
            if not done[agent]:
                assert infos[agent] == {}
                continue
            ends += 1
            assert infos[agent]["TimeLimit.truncated"] is bool(truncations[agent])
            np.testing.assert_array_equal(
                infos[agent]["terminal_observation"], twin_infos["final_obs"][agent]
            )
    assert ends == 8


def test_several_observations_become_a_dictionary_and_seeds_are_passed_on() -> None:
    built: list[int] = []

    def make(seed: int) -> ToyGame:
        built.append(seed)
        return ToyGame(DISCRETE, observations=((2,), (3, 4, 4)), seed=seed)

    env = StableBaselinesVecEnv(UnityVectorEnv(make))
    env.seed(9)
    observations = env.reset()
    assert built[-1] == 9
    assert env.observation_space.contains({key: column[0] for key, column in observations.items()})
    env.reset()
    assert len(built) == 2
    assert env.get_attr("name", indices=[0, 1]) == ["Toy?team=0"] * 2
    assert env.env_is_wrapped(gymnasium.Wrapper) == [False] * 3
    env.close()


def test_other_ways_to_reset_are_refused() -> None:
    with pytest.raises(gymnasium.error.Error, match="same step"):
        StableBaselinesVecEnv(gymnasium.make_vec("CartPole-v1", num_envs=2))
