"""Base class of agents: callbacks to override, and calls to make from them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents_envs.exception import EnvironmentWarning
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.discrete_action_mask import DiscreteActionMask
from mlagents_sdk.agent_runtime import AgentRuntime, EndReason
from mlagents_sdk.behavior import BehaviorParameters, BehaviorType, InferenceDevice
from mlagents_sdk.components import Component, Node
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.vector_sensor import VectorSensor

if TYPE_CHECKING:
    from mlagents_sdk.academy import Academy


class Agent:
    """Someone who observes, decides and acts; subclass it and override the callbacks.

    Once the agent's components are added, :meth:`enable` lets it take part in the academy's steps.
    Agents are visited in the order in which they were enabled.

    Args:
        academy: academy in whose steps the agent takes part.
        behavior: what the agent observes and does, and who decides.
        max_step: steps after which an episode is interrupted, 0 for never.

    Attributes:
        academy: the academy.
        runtime: the machinery behind the agent, for the SDK's own parts.
        on_agent_disabled: called with the agent after it was disabled.
    """

    def __init__(self, academy: Academy, behavior: BehaviorParameters, max_step: int = 0) -> None:
        self.academy = academy
        self.runtime = AgentRuntime(self, behavior, max_step)
        self.on_agent_disabled: list[Callable[[Agent], None]] = []
        self._destroyed = False

    # Callbacks

    def initialize(self) -> None:
        """Prepare, once per :meth:`enable`; sensors may still be configured here."""

    def on_episode_begin(self) -> None:
        """Set the scene: at an environment reset, at each episode's end, and after a late creation.

        Environment parameters are best read here.
        """

    def collect_observations(self, sensor: VectorSensor) -> None:
        """Add ``vector_observation_size`` floats to ``sensor``; at each decision and episode end."""

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        """Forbid discrete actions for the decision being asked for; after the observations."""

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Act, and reward what was achieved; in every step in which an action is requested."""

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Choose actions without a trainer or model, by assigning the elements, which are zero."""
        warnings.warn(
            f"{type(self).__name__} has no heuristic, so its actions are zero. Override heuristic(), or "
            "attach a trainer.",
            EnvironmentWarning,
            stacklevel=2,
        )

    # Requests, rewards and episodes

    def request_decision(self) -> None:
        """Ask for a decision, and an action, in the next step (or this one, before it decides)."""
        runtime = self.runtime
        runtime.decision_requested = runtime.action_requested = True

    def request_action(self) -> None:
        """Carry out the last decision once more in the next step."""
        self.runtime.action_requested = True

    def add_reward(self, increment: float) -> None:
        """Add to the reward since the last decision."""
        runtime = self.runtime
        runtime.reward += increment
        runtime.cumulative_reward += increment

    def set_reward(self, reward: float) -> None:
        """Replace the reward since the last decision."""
        runtime = self.runtime
        runtime.cumulative_reward += reward - runtime.reward
        runtime.reward = reward

    def get_cumulative_reward(self) -> float:
        """Reward since the episode began."""
        return self.runtime.cumulative_reward

    def end_episode(self) -> None:
        """End the episode because its outcome is decided, and begin the next one."""
        self.runtime.end_episode(EndReason.DONE)

    def episode_interrupted(self) -> None:
        """End the episode for reasons beyond the agent, such as a time limit, and begin the next one."""
        self.runtime.end_episode(EndReason.INTERRUPTED)

    # Life cycle

    def enable(self) -> None:
        """Take part in the academy's steps, under a new id; without effect when enabled already.

        Raises:
            AgentsError: the agent was destroyed, nobody can decide for it, or other agents of the
                behavior have other observations or actions.
        """
        if self._destroyed:
            raise AgentsError(
                f"{self.runtime.name} was destroyed and cannot be enabled again; make a new one."
            )
        if not self.runtime.enabled:
            self.runtime.start()

    def disable(self) -> None:
        """Leave the academy's steps; without effect when disabled already."""
        if self.runtime.enabled:
            self.runtime.stop()
            for listener in tuple(self.on_agent_disabled):
                listener(self)

    def destroy(self) -> None:
        """Disable the agent for good."""
        self.disable()
        self.academy.remove_requesters(self)
        self._destroyed = True

    def add_component(self, component: Component) -> None:
        """Add sensors or actuators beside the agent's own; effective from the next :meth:`enable`."""
        self.runtime.parts.components.append(component)

    def add_child(self, node: Node) -> Node:
        """Add a part that bears components of its own; effective from the next :meth:`enable`.

        Returns:
            ``node``, so that it can be named in the same line.
        """
        self.runtime.parts.children.append(node)
        return node

    @property
    def behavior_parameters(self) -> BehaviorParameters:
        """Parameters of the agent's behavior.

        Assigning others while the agent is enabled finds anew who decides; their sizes and actions
        must stay the same until the agent is enabled anew.
        """
        return self.runtime.behavior

    @behavior_parameters.setter
    def behavior_parameters(self, behavior: BehaviorParameters) -> None:
        self.runtime.change_behavior(behavior)

    def set_model(
        self,
        behavior_name: str,
        model: Path | None,
        inference_device: InferenceDevice = InferenceDevice.DEFAULT,
    ) -> None:
        """Act under another behavior name, model or device from now on, with the same id.

        The episode goes on, but its record under the old behavior ends.
        """
        old = self.runtime.behavior
        new = dataclasses.replace(
            old, behavior_name=behavior_name, model=model, inference_device=inference_device
        )
        if new != old:
            self.runtime.change_behavior(new, ends_record=True)

    # What the agent knows of itself

    @property
    def agent_id(self) -> int:
        """Identity on the wire, constant over episodes while the agent is enabled; -1 before."""
        return self.runtime.agent_id

    @property
    def enabled(self) -> bool:
        """Whether the agent takes part in the academy's steps."""
        return self.runtime.enabled

    @property
    def step_count(self) -> int:
        """Steps since the episode began."""
        return self.runtime.step_count

    @property
    def completed_episodes(self) -> int:
        """Episodes that ended while the agent was enabled."""
        return self.runtime.completed_episodes

    @property
    def max_step(self) -> int:
        """Steps after which an episode is interrupted, 0 for never."""
        return self.runtime.max_step

    @max_step.setter
    def max_step(self, max_step: int) -> None:
        self.runtime.max_step = max_step

    def get_observations(self) -> list[float]:
        """Floats that the last ``collect_observations`` added."""
        return self.runtime.observations()

    def get_stacked_observations(self) -> list[float]:
        """The same with the stacked earlier ones before them, oldest first, as last recorded."""
        return self.runtime.stacked_observations()

    def get_stored_action_buffers(self) -> ActionBuffers:
        """Copy of the actions carried out when an action is requested; zeros after an episode's end."""
        return self.runtime.actuators.stored_actions

    def is_in_heuristic_mode(self) -> bool:
        """True when the agent's own heuristic decides for want of anything else, or by choice."""
        behavior = self.runtime.behavior
        if behavior.behavior_type is BehaviorType.DEFAULT:
            return behavior.model is None and not self.academy.is_communicator_on
        return behavior.behavior_type is BehaviorType.HEURISTIC_ONLY

    @staticmethod
    def scale_action(raw_action: float, low: float, high: float) -> float:
        """Map ``raw_action`` from [-1, 1] to [low, high]."""
        return raw_action * (high - low) / 2.0 + (high + low) / 2.0
