"""A policy that asks the agents' own heuristics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents_sdk.columns import BehaviorColumns

if TYPE_CHECKING:
    from mlagents_sdk.agent_runtime import AgentRuntime


class HeuristicPolicy:
    """Lets every agent choose for itself.

    Args:
        columns: rows of the agents that use this policy; written like those of any other policy, so
            that stacked sensors keep their history, and read by nobody.
    """

    def __init__(self, columns: BehaviorColumns) -> None:
        self.columns = columns
        self.is_remote = False

    def prepare(self) -> None:
        """Nothing to prepare."""

    def decide_action(self, agent: AgentRuntime) -> None:
        """Store what the heuristics of the agent's actuators choose."""
        chosen = agent.actuators.heuristic_actions()
        if agent.action_requested:  # else the heuristic ended the episode that it decided for
            agent.actuators.store(chosen.continuous_actions, chosen.discrete_actions)

    def forget(self, agent: AgentRuntime) -> None:
        """Nothing is remembered."""

    def dispose(self) -> None:
        """Nothing to release."""
