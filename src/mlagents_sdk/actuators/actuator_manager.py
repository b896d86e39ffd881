"""All actuators of one agent: their order, their share of the actions, and the stored actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from mlagents_envs.base_env import ActionSpec
from mlagents_sdk.actuators.action_buffers import ActionBuffers
from mlagents_sdk.actuators.actuator import Actuator
from mlagents_sdk.actuators.discrete_action_mask import DiscreteActionMask
from mlagents_sdk.exception import AgentsError
from mlagents_sdk.sensors.sensor import name_order, warn_about_duplicates


class _Part(NamedTuple):
    """One actuator with actions, and where its actions lie among those of the agent."""

    actuator: Actuator
    buffers: ActionBuffers
    continuous: slice
    discrete: slice


class ActuatorManager:
    """Actuators of one agent, sorted by name, and the actions they carry out next.

    Args:
        actuators: all actuators of the agent.
        owner: the agent, for messages.

    Attributes:
        action_spec: continuous actions summed, branches concatenated, in the order of the actuators.
        receivers: for each actuator with actions its callback and the buffers it gets, so that acting
            needs no further call.
    """

    def __init__(self, actuators: Iterable[Actuator], owner: str) -> None:
        ordered = sorted(actuators, key=lambda actuator: name_order(actuator.name))
        warn_about_duplicates([actuator.name for actuator in ordered], "actuators", owner)
        self._actuators: Sequence[Actuator] = ordered
        self._owner = owner
        self._parts: list[_Part] = []
        continuous = 0
        branches: list[int] = []
        for actuator in ordered:
            spec = actuator.action_spec
            part = _Part(
                actuator,
                ActionBuffers.zeros(spec),
                slice(continuous, continuous + spec.continuous_size),
                slice(len(branches), len(branches) + spec.discrete_size),
            )
            continuous += spec.continuous_size
            branches += spec.discrete_branches
            if not part.buffers.is_empty():
                self._parts.append(part)
        self.action_spec = ActionSpec(continuous, tuple(branches))
        self._mask = DiscreteActionMask(branches, owner)
        self.receivers: list[tuple[Callable[[ActionBuffers], None], ActionBuffers]] = [
            (part.actuator.on_action_received, part.buffers) for part in self._parts
        ]

    @property
    def stored_actions(self) -> ActionBuffers:
        """Copy of the actions that are carried out whenever an action is requested."""
        return _concatenated([part.buffers for part in self._parts])

    def store(self, continuous: list[float], discrete: list[int]) -> None:
        """Keep new actions, given for all actuators together."""
        if len(self._parts) == 1:
            buffers = self._parts[0].buffers
            buffers.continuous_actions, buffers.discrete_actions = continuous, discrete
            return
        for part in self._parts:
            part.buffers.continuous_actions = continuous[part.continuous]
            part.buffers.discrete_actions = discrete[part.discrete]

    def clear_actions(self) -> None:
        """Make the stored actions zero."""
        for part in self._parts:
            part.buffers.clear()

    def reset_data(self) -> None:
        """Make the stored actions zero and let every actuator forget the past."""
        self.clear_actions()
        for actuator in self._actuators:
            actuator.reset_data()

    def read_mask(self) -> list[bool]:
        """Ask every actuator what is forbidden now.

        Returns:
            True for each forbidden action, branch after branch.

        Raises:
            AgentsError: no action of some branch is left.
        """
        self._mask.reset()
        for part in self._parts:
            branches = part.discrete
            self._mask.select(branches.start, branches.stop - branches.start)
            part.actuator.write_discrete_action_mask(self._mask)
        return self._mask.read()

    def heuristic_actions(self) -> ActionBuffers:
        """Actions that the actuators' heuristics choose; the stored ones stay as they are.

        Raises:
            AgentsError: a heuristic changed the number of actions, or chose one that does not exist.
        """
        chosen = []
        for part in self._parts:
            spec = part.actuator.action_spec
            buffers = ActionBuffers.zeros(spec)
            part.actuator.heuristic(buffers)
            impossible = buffers.impossible(spec)
            if impossible is not None:
                raise AgentsError(f"{self._owner}: the heuristic of {part.actuator.name} {impossible}")
            chosen.append(buffers)
        return _concatenated(chosen)


def _concatenated(parts: Iterable[ActionBuffers]) -> ActionBuffers:
    result = ActionBuffers()
    for part in parts:
        result.continuous_actions += part.continuous_actions
        result.discrete_actions += part.discrete_actions
    return result
