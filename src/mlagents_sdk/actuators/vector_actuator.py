"""The agent's own actuator, which stands for its callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mlagents_envs.base_env import ActionSpec
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.discrete_action_mask import DiscreteActionMask


class ActionCallbacks(Protocol):
    """The callbacks of an agent that concern actions."""

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Carry the actions out."""

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        """Forbid actions for the decision about to be asked for."""

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Choose actions without a policy, written in place."""


class VectorActuator:
    """Passes actions on to the callbacks of an agent.

    Args:
        callbacks: the agent.
        action_spec: actions of the agent's behavior parameters.

    Attributes:
        on_action_received: the agent's callback itself, as acting is the hottest call of all.
        write_discrete_action_mask: the agent's callback.
        heuristic: the agent's callback.
    """

    def __init__(self, callbacks: ActionCallbacks, action_spec: ActionSpec) -> None:
        self._action_spec = action_spec
        self.on_action_received: Callable[[ActionBuffers], None] = callbacks.on_action_received
        self.write_discrete_action_mask: Callable[[DiscreteActionMask], None] = (
            callbacks.write_discrete_action_mask
        )
        self.heuristic: Callable[[ActionBuffers], None] = callbacks.heuristic

    @property
    def action_spec(self) -> ActionSpec:
        """Actions of the agent's behavior parameters."""
        return self._action_spec

    @property
    def name(self) -> str:
        """``VectorActuator`` followed by the kinds of its actions."""
        spec = self._action_spec
        if spec.continuous_size == 0:
            return "VectorActuator-Discrete"
        if spec.discrete_size == 0:
            return "VectorActuator-Continuous"
        return f"VectorActuator-Continuous-{spec.continuous_size}-Discrete-{spec.discrete_size}"

    def reset_data(self) -> None:
        """Nothing to forget."""
