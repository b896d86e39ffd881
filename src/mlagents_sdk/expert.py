"""Agents that know a scripted way to act well, beside a heuristic that may be a person's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.agent import Agent
from mlagents_sdk.exception import AgentsError

if TYPE_CHECKING:
    from mlagents_sdk.agent_runtime import AgentRuntime


@runtime_checkable
class ScriptedExpert(Protocol):
    """An agent with an expert of its own. Demonstrations are recorded from it."""

    def expert(self, actions_out: ActionBuffers) -> None:
        """Choose actions by a script that may know everything, written in place; they are zero before."""


def has_expert(agent: Agent) -> bool:
    """Whether the agent has an expert, or at least a heuristic of its own to take its place."""
    return isinstance(agent, ScriptedExpert) or type(agent).heuristic is not Agent.heuristic


def expert_actions(runtime: AgentRuntime) -> ActionBuffers:
    """What the agent's expert would do now, or its heuristic where it has no expert.

    Raises:
        AgentsError: it changed the number of actions, or chose one that does not exist.
    """
    agent = runtime.agent
    if not isinstance(agent, ScriptedExpert):
        return runtime.actuators.heuristic_actions()
    spec = runtime.actuators.action_spec
    actions = ActionBuffers.zeros(spec)
    agent.expert(actions)
    impossible = actions.impossible(spec)
    if impossible is not None:
        raise AgentsError(f"{runtime.name}: the expert {impossible}")
    return actions
