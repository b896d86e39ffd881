"""A policy that plays a trained model inside the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents_sdk.columns import BehaviorColumns
from mlagents_sdk.policies.model_runner import Decisions, ModelRunner

if TYPE_CHECKING:
    from mlagents_sdk.agent_runtime import AgentRuntime

_NONE = Decisions([], [])


class ModelPolicy:
    """Lets a model decide for the agents of one behavior.

    Args:
        columns: rows of the agents that use this policy.
        runner: the model, which other behaviors may play too.
    """

    def __init__(self, columns: BehaviorColumns, runner: ModelRunner) -> None:
        self.columns = columns
        self.is_remote = False
        self._runner = runner
        self._decisions: Decisions | None = None

    def prepare(self) -> None:
        """Hand the rows over; the model runs once, when the first decision is wanted."""
        self._runner.submit(self.columns)
        self._decisions = None

    def decide_action(self, agent: AgentRuntime) -> None:
        """Store what the model decided for the agent's row."""
        if self._decisions is None:
            self._decisions = self._runner.decisions(self.columns.name)
        row = agent.row
        agent.actuators.store(self._decisions.continuous[row], self._decisions.discrete[row])

    def forget(self, agent: AgentRuntime) -> None:
        """Drop the agent's memory."""
        self._runner.forget(agent.agent_id, was_submitted=agent.waiting)

    def dispose(self) -> None:
        """Forget the last decisions."""
        self._decisions = _NONE
