"""What a policy is, seen from the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mlagents_sdk.columns import BehaviorColumns

if TYPE_CHECKING:
    from mlagents_sdk.agent_runtime import AgentRuntime


class Policy(Protocol):
    """Decides for all agents that share a behavior and a way of deciding.

    An agent asks by writing a row into ``columns.decisions`` and tells the end of its episode by
    writing one into ``columns.terminals``. Once all rows of a tick are there, :meth:`prepare` is
    called, then :meth:`decide_action` for each agent that asked, in the agents' order.
    """

    columns: BehaviorColumns
    is_remote: bool
    """Whether the rows are for a trainer, so that the environment stops and waits."""

    def prepare(self) -> None:
        """Get ready to decide for the rows handed over: ``columns.decisions.sealed`` of them."""

    def decide_action(self, agent: AgentRuntime) -> None:
        """Store the decision for the row ``agent.row`` in the agent's actuators."""

    def forget(self, agent: AgentRuntime) -> None:
        """Drop what is remembered of the agent, because its episode is over."""

    def dispose(self) -> None:
        """Release everything; no agent uses the policy any more."""
