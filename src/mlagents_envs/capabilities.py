"""What an environment may offer beyond :class:`~mlagents_envs.base_env.BaseEnv`.

Optional protocols, checked with ``isinstance``: a caller asks whether the environment has the
capability, and does without where it does not.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BehaviorName


@runtime_checkable
class PlaysHeuristic(Protocol):
    """An environment whose agents know a built-in way to act."""

    def has_heuristic(self, behavior_name: BehaviorName) -> bool:
        """True when the agents of this behavior implement a heuristic of their own."""

    def heuristic_actions(self, behavior_name: BehaviorName) -> ActionTuple:
        """Actions that the environment itself would choose for the agents asking for a decision.

        Returns:
            Rows in the order of the current ``DecisionSteps`` of the behavior.

        Raises:
            UnityActionException: unknown behavior.
        """


@runtime_checkable
class PlaysExpert(Protocol):
    """An environment whose agents may have a scripted expert, from whom to record demonstrations."""

    def has_expert(self, behavior_name: BehaviorName) -> bool:
        """True when the agents of this behavior have an expert, or a heuristic to take its place."""

    def expert_actions(self, behavior_name: BehaviorName) -> ActionTuple:
        """Actions that the experts would choose for the agents asking for a decision.

        Returns:
            Rows in the order of the current ``DecisionSteps`` of the behavior.

        Raises:
            UnityActionException: unknown behavior.
        """


@runtime_checkable
class SavesState(Protocol):
    """An environment whose whole state can be taken out and put back.

    The state is a tree of dicts with string keys, lists, NumPy arrays, strings, numbers, booleans
    and None, so that it can be stored without executable content. After ``set_state`` the environment
    continues bit for bit as it would have after the matching ``get_state``, ``get_steps`` included.
    """

    def get_state(self) -> dict[str, Any]:
        """Everything that the future of the environment depends on, random generators included."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""


@runtime_checkable
class ShowsScene(Protocol):
    """An environment that can be looked at by a person."""

    @property
    def can_render(self) -> bool:
        """Whether :meth:`render` has something to show."""

    def render(self, height: int = 480, width: int = 640) -> NDArray[np.uint8]:
        """Picture of the scene as it is now.

        Args:
            height: pixels.
            width: pixels.

        Returns:
            uint8 ``(height, width, 3)``, the top row first.
        """
