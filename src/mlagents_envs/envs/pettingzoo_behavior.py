"""Agents of a PettingZoo environment that share a behavior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.envs.pettingzoo_games import Report
from mlagents_envs.envs.space_mapping import ActionMapping, ObservationMapping, stack

ACTION_MASK = "action_mask"
"""Where games put what is allowed: a key of the observation or of the info."""


class PettingZooBehavior:
    """The spaces that the agents of a behavior share, and the way from reports to columns.

    Args:
        name: the behavior, for messages.
        observation_space: of each agent; a mask in it is taken out.
        action_space: of each agent.

    Attributes:
        spaces: both as given.
        spec: the behavior.
        actions: the way from columns to actions.
        batched_actions: the space of batches of actions.

    Raises:
        UnityEnvironmentException: a space cannot be mapped.
    """

    def __init__(
        self, name: str, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
    ) -> None:
        self.spaces = observation_space, action_space
        self._pick: Callable[[Any], Any] = lambda observation: observation
        if isinstance(observation_space, spaces.Dict) and ACTION_MASK in observation_space.spaces:
            rest = {key: part for key, part in observation_space.items() if key != ACTION_MASK}
            observation_space = spaces.Dict(rest)
            if len(rest) == 1:
                (key, observation_space) = next(iter(rest.items()))
                self._pick = lambda observation: observation[key]
        owner = f"The behavior {name}"
        self._space = observation_space
        self._observations = ObservationMapping(observation_space, owner)
        self.actions = ActionMapping(action_space, owner)
        self.batched_actions = batch_space(action_space, 1)
        self._maskable = isinstance(action_space, spaces.Discrete)
        self.spec = BehaviorSpec(self._observations.specs, self.actions.spec)

    def columns(self, reports: list[Report]) -> list[NDArray[np.float32]]:
        """Observations of ``n`` reports as float32 ``(n, *shape)``."""
        picked = [self._pick(report.observation) for report in reports]
        return self._observations.columns(stack(self._space, picked))

    def masks(self, reports: list[Report]) -> list[NDArray[np.bool_]] | None:
        """One bool array ``(n, choices)`` per branch, True where forbidden; None without branches."""
        branches = self.spec.action_spec.discrete_branches
        if not branches:
            return None
        masks = [np.zeros((len(reports), size), dtype=np.bool_) for size in branches]
        if self._maskable:
            for row, report in enumerate(reports):
                seen = report.observation
                allowed = seen.get(ACTION_MASK) if isinstance(seen, dict) else None
                allowed = report.info.get(ACTION_MASK) if allowed is None else allowed
                if allowed is not None and np.any(allowed):
                    masks[0][row] = np.asarray(allowed) == 0
        return masks
