"""One agent of an environment that has several; the others do nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import (
    ActionTuple,
    AgentId,
    BaseEnv,
    BehaviorMapping,
    BehaviorName,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.capabilities import ShowsScene
from mlagents_envs.envs.behavior_spaces import idle_actions
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager


class FirstAgentEnv(BaseEnv):
    """Shows the first agent that asks for a decision, of each behavior; all others idle.

    For scenes that are always built with several agents, where only one is wanted.

    Args:
        env: the environment; owned by the view from now on.
    """

    def __init__(self, env: BaseEnv) -> None:
        self._env = env
        self._shown: dict[BehaviorName, AgentId] = {}
        self._given: dict[BehaviorName, ActionTuple] = {}
        managers = [value for value in vars(env).values() if isinstance(value, SideChannelManager)]
        self._side_channels = managers[0] if managers else None

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """Specs of the behaviors announced so far."""
        return self._env.behavior_specs

    def reset(self) -> None:
        """Start all over; the first agent is looked for anew."""
        self._shown.clear()
        self._given.clear()
        self._env.reset()

    def step(self) -> None:
        """Carry out the action set; all other agents idle."""
        given, self._given = self._given, {}
        for name, spec in self._env.behavior_specs.items():
            decisions, _ = self._env.get_steps(name)
            columns = idle_actions(spec.action_spec, decisions)
            action, row = given.get(name), np.flatnonzero(decisions.agent_id == self._shown.get(name))
            if action is not None and len(row):
                columns.continuous[row], columns.discrete[row] = action.continuous, action.discrete
            self._env.set_actions(name, columns)
        self._env.step()

    @property
    def can_render(self) -> bool:
        """Whether the environment can be looked at (:class:`~mlagents_envs.capabilities.ShowsScene`)."""
        return isinstance(self._env, ShowsScene) and self._env.can_render

    def render(self, height: int = 480, width: int = 640) -> NDArray[np.uint8]:
        """Picture of the scene, uint8 ``(height, width, 3)``, the top row first.

        Raises:
            UnityEnvironmentException: the environment cannot be looked at.
        """
        if not isinstance(self._env, ShowsScene):
            raise UnityEnvironmentException("This environment cannot be looked at.")
        return self._env.render(height, width)

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def get_steps(self, behavior_name: BehaviorName) -> tuple[DecisionSteps, TerminalSteps]:
        """Steps of the agent shown, with one row each at most."""
        decisions, terminals = self._env.get_steps(behavior_name)
        if behavior_name not in self._shown and len(decisions):
            self._shown[behavior_name] = int(decisions.agent_id[0])
        agent = self._shown.get(behavior_name)
        d = np.flatnonzero(decisions.agent_id == agent)
        t = np.flatnonzero(terminals.agent_id == agent)
        masks = decisions.action_mask
        return (
            DecisionSteps(
                [column[d] for column in decisions.obs],
                decisions.reward[d],
                decisions.agent_id[d],
                [mask[d] for mask in masks] if masks is not None and len(d) else None,
                np.asarray(decisions.group_id)[d],
                decisions.group_reward[d],
            ),
            TerminalSteps(
                [column[t] for column in terminals.obs],
                terminals.reward[t],
                terminals.interrupted[t],
                terminals.agent_id[t],
                np.asarray(terminals.group_id)[t],
                terminals.group_reward[t],
            ),
        )

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set the action of the agent shown, arrays of one row, or of none where it does not ask.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
        """
        decisions, _ = self.get_steps(behavior_name)
        spec = self._env.behavior_specs[behavior_name].action_spec
        spec._validate_action(action, len(decisions), behavior_name)
        if len(decisions):
            self._given[behavior_name] = action

    def set_action_for_agent(
        self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple
    ) -> None:
        """Set the action of the agent shown.

        Raises:
            UnityActionException: unknown behavior or wrong shape.
            IndexError: it is another agent, or does not ask for a decision.
        """
        decisions, _ = self.get_steps(behavior_name)
        if agent_id not in decisions:
            raise IndexError(f"Agent {agent_id} of behavior {behavior_name} did not ask for a decision.")
        self.set_actions(behavior_name, action)
