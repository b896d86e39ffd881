"""Actions in a trainer's reply, turned into columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.communicator_objects.agent_action_pb2 import AgentActionProto
from mlagents_envs.exception import UnityActionException


def decode_actions(
    name: str, spec: ActionSpec, items: Sequence[AgentActionProto], num_asked: int
) -> ActionTuple:
    """Columns of the actions that a trainer sent for one behavior.

    Args:
        name: fully qualified name of the behavior, for messages.
        spec: its actions.
        items: one per agent that asked, in the order of asking. Missing ones become zeros, surplus
            ones are left out.
        num_asked: number of agents that asked, ``n``.

    Returns:
        float32 ``(n, continuous_size)`` and int32 ``(n, discrete_size)``.

    Raises:
        UnityActionException: an agent was sent another number of actions than it has.
    """
    actions = spec.empty_action(num_asked)
    items = items[:num_asked]
    if not items:
        return actions
    if _is_deprecated(spec, items[0]):
        both = _table(name, "", (item.vector_actions_deprecated for item in items), _size(spec), np.float32)
        actions.continuous[: len(items)] = both[:, : spec.continuous_size]
        actions.discrete[: len(items)] = both[:, spec.continuous_size :]
        return actions
    if spec.continuous_size:
        floats = (item.continuous_actions for item in items)
        actions.continuous[: len(items)] = _table(
            name, "continuous ", floats, spec.continuous_size, np.float32
        )
    if spec.discrete_size:
        indices = (item.discrete_actions for item in items)
        actions.discrete[: len(items)] = _table(name, "discrete ", indices, spec.discrete_size, np.int32)
    return actions


def _is_deprecated(spec: ActionSpec, item: AgentActionProto) -> bool:
    """Whether the trainer filled only the field that trainers of the first versions know."""
    has_current = bool(item.continuous_actions or item.discrete_actions)
    return bool(_size(spec)) and not has_current and bool(item.vector_actions_deprecated)


def _size(spec: ActionSpec) -> int:
    return spec.continuous_size + spec.discrete_size


def _table(
    name: str, kind: str, rows: Iterable[Sequence[float]], width: int, dtype: DTypeLike
) -> NDArray[Any]:
    """``rows`` as an array ``(n, width)``."""
    lists = [row[:] for row in rows]  # slices are plain lists, which NumPy reads many times faster
    for index, values in enumerate(lists):
        if len(values) != width:
            raise UnityActionException(
                f"Behavior {name}: the trainer sent {len(values)} {kind}actions for agent {index} of those "
                f"that asked, but its agents have {width}. Trainer and environment disagree about them."
            )
    return np.array(lists, dtype=dtype)
