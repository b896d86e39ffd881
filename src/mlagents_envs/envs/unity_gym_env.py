"""An environment with one agent as a Gymnasium environment.

Typical use::

    env = UnityToGymWrapper(UnityEnvironment("Game.x86_64"))
    observation, info = env.reset()
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.capabilities import ShowsScene
from mlagents_envs.envs.behavior_spaces import ActionFlattener, ActionLayout, Observation, ObservationLayout
from mlagents_envs.envs.environment_source import (
    MAX_SILENT_STEPS,
    EnvironmentMaker,
    EnvironmentSource,
    side_channels_of,
)
from mlagents_envs.envs.step_info import comparable
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.side_channel import SideChannel

__all__ = ["ActionFlattener", "UnityGymException", "UnityToGymWrapper"]

logger = get_logger(__name__)

GymStepResult = tuple[Observation, float, bool, bool, dict[str, Any]]


class UnityGymException(gymnasium.error.Error):
    """The environment does not fit into a single-agent Gymnasium environment, or was used wrongly."""


class UnityToGymWrapper(gymnasium.Env[Any, Any]):
    """Gymnasium view of an environment that has one behavior and one agent.

    An episode that a time limit cut is ``truncated``, one that came to its end ``terminated``. After
    either, ``reset`` resets the whole environment. ``info`` holds the raw columns under ``"step"`` and,
    for discrete actions, under ``"action_mask"`` what ``action_space.sample`` takes as its mask.

    Args:
        unity_env: an environment, or a function that builds one from a seed; only with a function does
            ``reset(seed=...)`` reach the environment, which is then built anew.
        uint8_visual: images as bytes 0 to 255 instead of floats 0 to 1.
        flatten_branched: one ``Discrete`` action for all combinations of several branches.
        allow_multiple_obs: observations are a tuple of all images, then tables of entities, then the
            vectors in one; otherwise the first image, or the vectors if there is none.
        action_space_seed: seed for sampling from the action space.
        render_mode: ``"rgb_array"`` for environments with images or a view of the scene, or None.

    Attributes:
        name: behavior of the agent.
        group_spec: its observations and actions.
        action_size: number of continuous actions, or of discrete branches.
        visual_obs: last first image ``(channels, height, width)``, None without images.
        game_over: whether the episode has ended.

    Raises:
        UnityGymException: not exactly one behavior, more than one agent, no usable observation, or no
            actions or both kinds of them.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}  # type: ignore[misc]

    def __init__(
        self,
        unity_env: BaseEnv | EnvironmentMaker,
        uint8_visual: bool = False,
        flatten_branched: bool = False,
        allow_multiple_obs: bool = False,
        action_space_seed: int | None = None,
        *,
        render_mode: str | None = None,
    ) -> None:
        self._source = EnvironmentSource(unity_env)
        self._env = self._source.env
        if not self._env.behavior_specs:
            self._source.reset()
        self.name, self.group_spec = _only_behavior(self._env)
        self._observations = _observation_layout(self.name, self.group_spec, uint8_visual, allow_multiple_obs)
        self._actions = _action_layout(self.name, self.group_spec, flatten_branched)
        spec = self.group_spec.action_spec
        self.action_size = spec.continuous_size or spec.discrete_size
        self.observation_space = self._observations.space
        self.action_space = self._actions.space
        if action_space_seed is not None:
            self.action_space.seed(action_space_seed)
        self.visual_obs: NDArray[Any] | None = None
        self.game_over = False
        self.render_mode = render_mode
        if self._observations.num_images or _shows_scene(self._env):
            self.metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # type: ignore[misc]
        self._source.reset()
        self._await_decision()

    @property
    def side_channel(self) -> dict[str, SideChannel]:
        """Side channels of the environment by the name of their class."""
        return side_channels_of(self._env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new episode.

        Args:
            seed: seed of the environment, see the class; None continues its random numbers.
            options: not used.

        Returns:
            The first observation, and the info.

        Raises:
            UnityGymException: the environment has more than one agent, or none asks for a decision.
        """
        super().reset(seed=seed)
        self._env = self._source.reset(seed)
        steps = self._await_decision()
        self.game_over = False
        return self._observe(steps), self._info(steps)

    def step(self, action: Any) -> GymStepResult:  # noqa: ANN401  # an element of the action space
        """Act, and run the environment until the agent asks again or its episode ends.

        Args:
            action: an element of :attr:`action_space`.

        Returns:
            Observation, reward since the last step, terminated, truncated, info.

        Raises:
            UnityGymException: the episode has ended already, or there is more than one agent.
            gymnasium.error.InvalidAction: the action has a wrong shape or range.
        """
        if self.game_over:
            raise UnityGymException("The episode has ended: call reset() before the next step().")
        self._env.set_actions(self.name, self._actions.single(action))
        self._env.step()
        steps = self._await_step()
        self.game_over = isinstance(steps, TerminalSteps)
        interrupted = isinstance(steps, TerminalSteps) and bool(steps.interrupted[0])
        return (
            self._observe(steps),
            float(steps.reward[0]),
            self.game_over and not interrupted,
            interrupted,
            self._info(steps),
        )

    def render(self, mode: str = "rgb_array") -> NDArray[np.uint8] | None:
        """The scene, or else the first image that the agent last saw; None where there is neither.

        Args:
            mode: only ``"rgb_array"`` is known; the argument is what older scripts pass.

        Returns:
            uint8 ``(height, width, 3)``.
        """
        if isinstance(self._env, ShowsScene) and self._env.can_render:
            return self._env.render()
        if self.visual_obs is None:
            return None
        image = self.visual_obs if self.visual_obs.dtype == np.uint8 else np.clip(self.visual_obs, 0, 1) * 255
        channels = [min(channel, len(image) - 1) for channel in range(3)]
        return np.moveaxis(image[channels], 0, -1).astype(np.uint8)

    def close(self) -> None:
        """Close the environment."""
        self._source.env.close()

    @property
    def reward_range(self) -> tuple[float, float]:
        """Least and greatest reward that can be: no limits are known."""
        return -float("inf"), float("inf")

    def _await_decision(self) -> DecisionSteps:
        """The first decision of an episode; ends of earlier episodes are passed over."""
        for _ in range(MAX_SILENT_STEPS):
            steps = self._await_step()
            if isinstance(steps, DecisionSteps):
                return steps
            decisions, _ = self._env.get_steps(self.name)
            if len(decisions):
                return decisions
            self._env.step()
        raise self._silent()

    def _await_step(self) -> DecisionSteps | TerminalSteps:
        """What the agent reports next, the end of an episode before the beginning of another."""
        for _ in range(MAX_SILENT_STEPS):
            _only_behavior(self._env)
            decisions, terminals = self._env.get_steps(self.name)
            agents = max(len(decisions), len(terminals))
            if agents > 1:
                raise UnityGymException(
                    f"There are {agents} agents of the behavior {self.name}, but a Gymnasium environment has "
                    "one. Use a scene with one agent (num_areas=1), UnityVectorEnv, or PettingZoo."
                )
            if len(terminals):
                return terminals
            if len(decisions):
                return decisions
            self._env.step()
        raise self._silent()

    def _silent(self) -> UnityGymException:
        return UnityGymException(
            f"The agent of the behavior {self.name} did not ask for a decision in {MAX_SILENT_STEPS} steps "
            "of the environment."
        )

    def _observe(self, steps: DecisionSteps | TerminalSteps) -> Observation:
        observation = self._observations.row(steps.obs, 0)
        if self._observations.num_images:
            self.visual_obs = observation[0] if isinstance(observation, tuple) else observation
        return observation

    def _info(self, steps: DecisionSteps | TerminalSteps) -> dict[str, Any]:
        info: dict[str, Any] = {"step": comparable(steps)}
        masks = steps.action_mask if isinstance(steps, DecisionSteps) else None
        if masks is not None:
            info["action_mask"] = self._actions.allowed([mask[0] for mask in masks])
        return info


def _shows_scene(env: BaseEnv) -> bool:
    return isinstance(env, ShowsScene) and env.can_render


def _only_behavior(env: BaseEnv) -> tuple[str, BehaviorSpec]:
    """The one behavior of an environment.

    Raises:
        UnityGymException: there are none, or several.
    """
    specs = env.behavior_specs
    if len(specs) != 1:
        raise UnityGymException(
            f"A Gymnasium environment needs exactly one behavior, but there are {len(specs)}"
            f"{': ' + ', '.join(specs) if specs else ''}. Use PettingZoo for several."
        )
    return next(iter(specs.items()))


def _observation_layout(
    name: str, spec: BehaviorSpec, uint8_visual: bool, multiple: bool
) -> ObservationLayout:
    try:
        layout = ObservationLayout(spec, uint8_visual=uint8_visual, multiple=multiple)
    except ValueError as error:
        raise UnityGymException(f"The behavior {name} cannot be used: {error}.") from None
    if uint8_visual and not layout.num_images:
        logger.warning("uint8_visual has no effect: the behavior %s has no images.", name)
    if layout.num_parts > 1 and not multiple:
        logger.warning(
            "The behavior %s has %d kinds of observations, of which only the first is given. "
            "Use allow_multiple_obs=True for all.",
            name,
            layout.num_parts,
        )
    return layout


def _action_layout(name: str, spec: BehaviorSpec, flatten_branched: bool) -> ActionLayout:
    actions = spec.action_spec
    if not actions.is_continuous() and not actions.is_discrete():
        raise UnityGymException(
            f"The behavior {name} has the actions ({actions}); they must be all continuous or all discrete. "
            "UnityVectorEnv and the PettingZoo views accept both kinds together."
        )
    if flatten_branched and actions.is_continuous():
        logger.warning("flatten_branched has no effect: the behavior %s has continuous actions.", name)
    return ActionLayout(actions, flatten_branched=flatten_branched)
