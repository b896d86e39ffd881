"""A policy that asks whoever trains."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import EnvironmentWarning
from mlagents_sdk.columns import BehaviorColumns

if TYPE_CHECKING:
    from mlagents_sdk.agent_runtime import AgentRuntime


class RemotePolicy:
    """Takes the actions that the trainer left in :attr:`actions`.

    Agents for which there are none act with zeros.

    Args:
        columns: rows of the agents that use this policy.

    Attributes:
        actions: rows in the order of ``columns.decisions``, or None; consumed by the next decision.
    """

    def __init__(self, columns: BehaviorColumns) -> None:
        self.columns = columns
        self.is_remote = True
        self.actions: ActionTuple | None = None
        self._continuous: list[list[float]] = []
        self._discrete: list[list[int]] = []

    def prepare(self) -> None:
        """Turn the actions into Python numbers, all rows at once."""
        actions, self.actions = self.actions, None
        if actions is None:
            self._continuous, self._discrete = [], []
            return
        self._continuous = actions.continuous.tolist()
        self._discrete = actions.discrete.tolist()
        given, asked = len(self._continuous), self.columns.decisions.sealed
        if given < asked:
            warnings.warn(
                f"Behavior {self.columns.name}: {asked} agents asked for a decision but the trainer sent "
                f"{given}; the others act with zeros.",
                EnvironmentWarning,
                stacklevel=2,
            )

    def decide_action(self, agent: AgentRuntime) -> None:
        """Store the actions of the agent's row, or zeros where there are none."""
        row = agent.row
        if row < len(self._continuous):
            agent.actuators.store(self._continuous[row], self._discrete[row])
        else:
            agent.actuators.clear_actions()

    def forget(self, agent: AgentRuntime) -> None:
        """Nothing is remembered: the trainer learns of the end by its record."""

    def dispose(self) -> None:
        """Forget actions that nobody took."""
        self.actions = None
