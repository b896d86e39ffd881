"""Groups: agents that work together and are rewarded together."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from mlagents_envs.exception import EnvironmentWarning
from mlagents_sdk.exception import AgentsError

if TYPE_CHECKING:
    from mlagents_sdk.academy import Academy
    from mlagents_sdk.agent import Agent


class SimpleMultiAgentGroup:
    """Agents that cooperate: they earn group rewards, and their episodes may end together.

    Members share a behavior and have no ``max_step`` of their own; who times them out is whoever
    holds the group, by :meth:`group_episode_interrupted`. A member that is finished before the others
    should be disabled: it leaves the group then, and trainers that know groups still give it its share
    of what the others achieve. Enabled again, it has to be registered anew.

    A group is no team: opponents differ by the ``team_id`` of their behavior, and each side on each
    field is one group.

    Args:
        academy: academy of the members.
    """

    def __init__(self, academy: Academy) -> None:
        self._academy = academy
        self._id = academy.new_group_id()
        # Everybody who may be a member. Membership itself is the group id of the agent, so that a saved
        # state brings it back, and so that an agent may leave without asking.
        self._acquainted: list[Agent] = []

    def get_id(self) -> int:
        """Identity of the group on the wire, at least 1."""
        return self._id

    def get_registered_agents(self) -> list[Agent]:
        """Members, in the order of their registration."""
        return [agent for agent in self._acquainted if agent.runtime.group_id == self._id]

    def register_agent(self, agent: Agent) -> None:
        """Make an agent a member; without effect when it is one.

        Raises:
            AgentsError: it is a member of another group, or belongs to another academy.
        """
        runtime = agent.runtime
        if runtime.group_id == self._id:
            return
        if runtime.group_id != 0:
            raise AgentsError(
                f"{runtime.name} is in group {runtime.group_id} and cannot join group {self._id}; call "
                "unregister_agent on its group first."
            )
        if agent.academy is not self._academy:
            raise AgentsError(f"{runtime.name} belongs to another academy than group {self._id}.")
        if agent.max_step > 0:
            warnings.warn(
                f"{runtime.name} has max_step {agent.max_step} and joins group {self._id}; its episodes "
                "would end without those of the others. Set max_step to 0 and call "
                "group_episode_interrupted() when time is up.",
                EnvironmentWarning,
                stacklevel=2,
            )
        others = (known for known in self._acquainted if known is not agent)
        self._acquainted = [known for known in others if known.enabled or known.runtime.group_id == self._id]
        self._acquainted.append(agent)
        runtime.group_id = self._id

    def unregister_agent(self, agent: Agent) -> None:
        """Let a member leave; without effect when it is none. Group rewards not yet recorded stay its own."""
        if agent.runtime.group_id == self._id:
            agent.runtime.group_id = 0

    def add_group_reward(self, reward: float) -> None:
        """Add to the group reward of each member since its last record."""
        for agent in self.get_registered_agents():
            agent.runtime.group_reward += reward

    def set_group_reward(self, reward: float) -> None:
        """Replace the group reward of each member since its last record."""
        for agent in self.get_registered_agents():
            agent.runtime.group_reward = reward

    def end_group_episode(self) -> None:
        """End the episodes of all members because the outcome is decided, and begin the next ones."""
        self._end(interrupted=False)

    def group_episode_interrupted(self) -> None:
        """End the episodes of all members because time is up, and begin the next ones."""
        self._end(interrupted=True)

    def dispose(self) -> None:
        """Let all members leave."""
        for agent in self.get_registered_agents():
            self.unregister_agent(agent)
        self._acquainted.clear()

    def _end(self, *, interrupted: bool) -> None:
        # What begins with one member's new episode may change who is a member.
        for agent in self.get_registered_agents():
            if agent.runtime.group_id == self._id and agent.enabled:
                if interrupted:
                    agent.episode_interrupted()
                else:
                    agent.end_episode()
