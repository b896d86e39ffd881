"""A Gymnasium vector environment as Stable-Baselines3 takes it.

That library has a class of its own for vector environments. Typical use::

    from stable_baselines3 import PPO

    env = StableBaselinesVecEnv(gymnasium.make_vec("mlagents/3DBall-v0", num_envs=12))
    PPO("MlpPolicy", env).learn(100_000)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvObs, VecEnvStepReturn


class StableBaselinesVecEnv(VecEnv):
    """Stable-Baselines3 view of a vector environment whose sub-environments reset themselves at once.

    ``infos`` holds ``terminal_observation`` and ``TimeLimit.truncated`` where an episode ended, as that
    library expects. A tuple of observations becomes a dictionary with the keys ``"0"``, ``"1"`` and so on.

    Args:
        vector: the environment, such as a :class:`~mlagents_envs.envs.vector_env.UnityVectorEnv`.

    Raises:
        gymnasium.error.Error: its sub-environments do not reset themselves in the same step.
    """

    def __init__(self, vector: gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
        if vector.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise gymnasium.error.Error(
                "Stable-Baselines3 needs sub-environments that reset themselves in the same step "
                "(AutoresetMode.SAME_STEP)."
            )
        self.vector = vector
        self._actions: Any = None
        space = vector.single_observation_space
        if isinstance(space, spaces.Tuple):
            space = spaces.Dict({str(index): part for index, part in enumerate(space)})
        super().__init__(vector.num_envs, space, vector.single_action_space)

    def reset(self) -> VecEnvObs:
        """Start new episodes everywhere, with the seed set before if there is one."""
        observations, _ = self.vector.reset(seed=self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        return _observation(observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Remember the actions ``(num_envs, ...)`` for :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Act with the actions remembered.

        Returns:
            Observations, rewards float32 ``(num_envs,)``, ends bool ``(num_envs,)``, one info each.
        """
        observations, rewards, terminations, truncations, infos = self.vector.step(self._actions)
        done = np.asarray(terminations | truncations)
        single: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for index in np.flatnonzero(done).tolist():
            single[index] = {
                "terminal_observation": _observation(infos["final_obs"][index]),
                "TimeLimit.truncated": bool(truncations[index] and not terminations[index]),
            }
        return _observation(observations), np.asarray(rewards, dtype=np.float32), done, single

    def close(self) -> None:
        """Close the environment."""
        self.vector.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the vector environment, once for each sub-environment asked for."""
        return [getattr(self.vector, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:  # noqa: ANN401
        """Set an attribute of the vector environment, which all sub-environments share."""
        setattr(self.vector, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,  # noqa: ANN401
        indices: VecEnvIndices = None,
        **method_kwargs: Any,  # noqa: ANN401
    ) -> list[Any]:
        """Call a method of the vector environment once; its result for each one asked for."""
        result = getattr(self.vector, method_name)(*method_args, **method_kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Always False: sub-environments have no wrappers."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[NDArray[Any] | None]:
        """No pictures: the agents share one simulation."""
        return [None] * self.num_envs


def _observation(observation: Any) -> VecEnvObs:  # noqa: ANN401  # as the vector environment has it
    if isinstance(observation, tuple):
        return {str(index): part for index, part in enumerate(observation)}
    return observation  # type: ignore[no-any-return]
