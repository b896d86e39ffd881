"""What an actuator is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mlagents_envs.base_env import ActionSpec
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.discrete_action_mask import DiscreteActionMask


class Actuator(Protocol):
    """Some of the actions of one agent, and what they do."""

    @property
    def action_spec(self) -> ActionSpec:
        """The actions; they never change while the agent is enabled."""

    @property
    def name(self) -> str:
        """Name of the actuator, unique within its agent; decides the order of the actions."""

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Carry the actions out."""

    def write_discrete_action_mask(self, mask: DiscreteActionMask) -> None:
        """Forbid actions for the decision about to be asked for."""

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Choose actions without a policy, written in place; they are zero when this is called."""

    def reset_data(self) -> None:
        """Forget the past, because the episode ended."""


@runtime_checkable
class ActuatorComponent(Protocol):
    """Something added to an agent that makes actuators when the agent is enabled."""

    def create_actuators(self) -> list[Actuator]:
        """Make the actuators, before the agent's ``initialize``."""
