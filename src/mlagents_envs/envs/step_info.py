"""Steps that can be compared, as Gymnasium's checkers do with whatever an ``info`` holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlagents_envs.base_env import DecisionSteps, TerminalSteps


class ComparableDecisionSteps(DecisionSteps):
    """Decision steps that are equal where all their columns are."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _same_columns(self, other)

    __hash__ = None  # type: ignore[assignment]  # the columns can change


class ComparableTerminalSteps(TerminalSteps):
    """Terminal steps that are equal where all their columns are."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _same_columns(self, other)

    __hash__ = None  # type: ignore[assignment]  # the columns can change


def comparable(steps: DecisionSteps | TerminalSteps) -> DecisionSteps | TerminalSteps:
    """The same columns with an equality of their own."""
    if isinstance(steps, DecisionSteps):
        return ComparableDecisionSteps(
            steps.obs, steps.reward, steps.agent_id, steps.action_mask, steps.group_id, steps.group_reward
        )
    return ComparableTerminalSteps(
        steps.obs, steps.reward, steps.interrupted, steps.agent_id, steps.group_id, steps.group_reward
    )


def _same_columns(ours: object, theirs: object) -> bool:
    pairs = [(value, vars(theirs).get(name)) for name, value in vars(ours).items() if name[0] != "_"]
    return all(_same(one, other) for one, other in pairs)


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401  # arrays, lists of arrays, or None
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(np.array_equal, one, other))
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
