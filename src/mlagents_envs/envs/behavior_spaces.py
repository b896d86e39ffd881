"""A behavior as Gymnasium spaces: what its agents observe, and what they may do."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, DecisionSteps, ObservationSpec

Observation = NDArray[Any] | tuple[NDArray[Any], ...]


def unbounded_box(spec: ObservationSpec) -> spaces.Box:
    """Float32 space of one observation without limits."""
    return spaces.Box(-np.inf, np.inf, spec.shape, np.float32)


class ObservationLayout:
    """Which observations of a behavior become the observation of a Gymnasium environment, and how.

    Images (rank 3) come first, then tables of entities (rank 2), then all vectors (rank 1) concatenated.

    Args:
        spec: the behavior.
        uint8_visual: images as bytes 0 to 255 instead of floats 0 to 1.
        multiple: True for a tuple of everything; False for the first image, else the vectors, else the
            first table; None for a tuple where there is more than one of these.

    Attributes:
        space: space of one agent's observation.
        num_images: number of image observations.
        names: names of the sensors that ``multiple=False`` leaves out.

    Raises:
        ValueError: the behavior has no observation of rank 1, 2 or 3.
    """

    def __init__(
        self, spec: BehaviorSpec, *, uint8_visual: bool = False, multiple: bool | None = None
    ) -> None:
        ranks = [len(observation.shape) for observation in spec.observation_specs]
        self._images = [index for index, rank in enumerate(ranks) if rank == 3]
        self._tables = [index for index, rank in enumerate(ranks) if rank == 2]
        self._vectors = [index for index, rank in enumerate(ranks) if rank == 1]
        self._uint8 = uint8_visual
        self.num_images = len(self._images)
        parts: list[spaces.Space[Any]] = [
            *(self._image_space(spec.observation_specs[index]) for index in self._images),
            *(unbounded_box(spec.observation_specs[index]) for index in self._tables),
        ]
        width = sum(spec.observation_specs[index].shape[0] for index in self._vectors)
        if width:
            parts.append(spaces.Box(-np.inf, np.inf, (width,), np.float32))
        else:
            self._vectors = []
        if not parts:
            raise ValueError("its agents have no observation of rank 1, 2 or 3")
        self._as_tuple = len(parts) > 1 if multiple is None else multiple
        self._chosen = 0 if self._images or not self._vectors else len(parts) - 1
        self.space: spaces.Space[Any] = spaces.Tuple(parts) if self._as_tuple else parts[self._chosen]
        self.num_parts = len(parts)

    def batch(self, observations: list[NDArray[Any]]) -> Observation:
        """Observations of ``n`` agents.

        Args:
            observations: one float32 array ``(n, *shape)`` per sensor.

        Returns:
            An array ``(n, *space.shape)``, or a tuple of such arrays; a single unchanged observation is
            the same array as in the argument.
        """
        if self._as_tuple:
            return tuple(self._part(observations, index) for index in range(self.num_parts))
        return self._part(observations, self._chosen)

    def row(self, observations: list[NDArray[Any]], row: int) -> Observation:
        """A copy of the observation of one agent.

        Args:
            observations: one float32 array ``(n, *shape)`` per sensor.
            row: index of the agent.
        """
        batch = self.batch([column[row : row + 1] for column in observations])
        if isinstance(batch, tuple):
            return tuple(part[0].copy() for part in batch)
        return batch[0].copy()  # type: ignore[no-any-return]

    def _part(self, observations: list[NDArray[Any]], part: int) -> NDArray[Any]:
        if part < len(self._images):
            image = observations[self._images[part]]
            return (255.0 * image).astype(np.uint8) if self._uint8 else image
        part -= len(self._images)
        if part < len(self._tables):
            return observations[self._tables[part]]
        if len(self._vectors) == 1:
            return observations[self._vectors[0]]
        return np.concatenate([observations[index] for index in self._vectors], axis=1)

    def _image_space(self, spec: ObservationSpec) -> spaces.Box:
        if self._uint8:
            return spaces.Box(0, 255, spec.shape, np.uint8)
        return spaces.Box(0.0, 1.0, spec.shape, np.float32)


def idle_actions(spec: ActionSpec, decisions: DecisionSteps) -> ActionTuple:
    """Actions of agents that nobody acts for: zeros, or the first choice allowed where 0 is not."""
    actions = spec.empty_action(len(decisions))
    for branch, mask in enumerate(decisions.action_mask or ()):
        actions.discrete[:, branch] = np.argmin(mask, axis=1)
    return actions


class ActionFlattener:
    """Numbers all combinations of discrete branches, the last branch counting fastest.

    Args:
        branched_action_space: number of choices of each branch.

    Attributes:
        action_space: one discrete action per combination.
        action_lookup: choices of each branch by number of the combination.
        table: the same as an array, int32 ``(combinations, branches)``.
    """

    def __init__(self, branched_action_space: list[int] | tuple[int, ...] | NDArray[Any]) -> None:
        branches = tuple(int(size) for size in branched_action_space)
        count = int(np.prod(branches))
        self.table = np.stack(np.unravel_index(np.arange(count), branches), axis=1).astype(np.int32)
        self.action_space = spaces.Discrete(count)
        self.action_lookup: dict[int, list[int]] = dict(enumerate(self.table.tolist()))

    def lookup_action(self, action: int) -> list[int]:
        """Choices of each branch of combination ``action``."""
        return self.action_lookup[int(action)]


class ActionLayout:
    """The actions of a behavior as a Gymnasium space.

    Continuous actions are ``Box(-1, 1)``; one branch is ``Discrete``, more are ``MultiDiscrete``, or
    ``Discrete`` over their combinations when flattened; both kinds together are
    ``Tuple(Box, MultiDiscrete)``.

    Args:
        spec: the actions.
        flatten_branched: one number for all discrete branches; no effect on hybrid actions.

    Attributes:
        space: space of one agent's action.
        flattener: the numbering of flattened branches, None where nothing is flattened.

    Raises:
        ValueError: there are no actions.
    """

    def __init__(self, spec: ActionSpec, *, flatten_branched: bool = False) -> None:
        self.spec = spec
        self.flattener: ActionFlattener | None = None
        box = spaces.Box(-1.0, 1.0, (spec.continuous_size,), np.float32)
        branches = spaces.MultiDiscrete(np.array(spec.discrete_branches, dtype=np.int64))
        self.space: spaces.Space[Any]
        if spec.continuous_size and spec.discrete_size:
            self.space = spaces.Tuple((box, branches))
        elif spec.continuous_size:
            self.space = box
        elif spec.discrete_size == 1:
            self.space = spaces.Discrete(spec.discrete_branches[0])
        elif spec.discrete_size and flatten_branched:
            self.flattener = ActionFlattener(spec.discrete_branches)
            self.space = self.flattener.action_space
        elif spec.discrete_size:
            self.space = branches
        else:
            raise ValueError("its agents have no actions")

    def columns(self, actions: Any, n: int) -> ActionTuple:  # noqa: ANN401  # as the space has it
        """Actions of ``n`` agents as the environment takes them.

        Args:
            actions: batched as Gymnasium does: arrays ``(n, c)``, ``(n, d)`` or ``(n,)``, for hybrid
                actions a tuple of the first two.
            n: number of agents.

        Raises:
            gymnasium.error.InvalidAction: wrong shape, or a choice out of range.
        """
        if self.spec.continuous_size and self.spec.discrete_size:
            if not isinstance(actions, tuple | list) or len(actions) != 2:
                raise gymnasium.error.InvalidAction(
                    f"Hybrid actions are a pair (continuous, discrete), not {actions!r}."
                )
            return ActionTuple(self._continuous(actions[0], n), self._discrete(actions[1], n))
        if self.spec.continuous_size:
            return ActionTuple(continuous=self._continuous(actions, n))
        return ActionTuple(discrete=self._discrete(actions, n))

    def single(self, action: Any) -> ActionTuple:  # noqa: ANN401
        """The action of one agent, an element of :attr:`space`, as arrays of one row.

        Raises:
            gymnasium.error.InvalidAction: wrong shape, or a choice out of range.
        """
        if isinstance(self.space, spaces.Tuple) and isinstance(action, tuple | list):
            return self.columns(tuple(np.asarray(part)[None] for part in action), 1)
        return self.columns(np.asarray(action)[None], 1)

    def allowed(
        self, action_mask: list[NDArray[np.bool_]]
    ) -> NDArray[np.int8] | tuple[NDArray[np.int8], ...]:
        """Allowed choices as ``space.sample`` takes them for its discrete part.

        Args:
            action_mask: one bool array ``(n, branch_size)`` per branch, True where forbidden; or the
                same without the first axis for one agent.

        Returns:
            int8, 1 where allowed: one array ``(n, choices)`` for ``Discrete``, else one per branch.
        """
        allowed = [np.logical_not(mask) for mask in action_mask]
        if self.flattener is not None:
            product = allowed[0]
            for branch in allowed[1:]:
                product = product[..., :, None] & branch[..., None, :]
                product = product.reshape(*product.shape[:-2], -1)
            return product.astype(np.int8)
        if isinstance(self.space, spaces.Discrete):
            return allowed[0].astype(np.int8)
        return tuple(branch.astype(np.int8) for branch in allowed)

    def _continuous(self, actions: Any, n: int) -> NDArray[np.float32]:  # noqa: ANN401
        columns = np.asarray(actions, dtype=np.float32)
        if columns.size != n * self.spec.continuous_size:
            raise gymnasium.error.InvalidAction(
                f"The continuous actions have shape {columns.shape}; {(n, self.spec.continuous_size)} is "
                "needed."
            )
        return columns.reshape(n, self.spec.continuous_size)

    def _discrete(self, actions: Any, n: int) -> NDArray[np.int32]:  # noqa: ANN401
        columns = np.asarray(actions)
        width = 1 if self.flattener is not None else self.spec.discrete_size
        if columns.size != n * width or columns.dtype.kind not in "iu":
            raise gymnasium.error.InvalidAction(
                f"The discrete actions are {columns.dtype} of shape {columns.shape}; whole numbers of shape "
                f"{(n, width)} are needed."
            )
        columns = columns.reshape(n, width)
        sizes = [len(self.flattener.table)] if self.flattener is not None else self.spec.discrete_branches
        if (columns < 0).any() or (columns >= np.array(sizes)).any():
            raise gymnasium.error.InvalidAction(
                f"A discrete action is out of range: there are {tuple(sizes)} choices per branch, given are "
                f"{columns.tolist()[:8]}."
            )
        if self.flattener is not None:
            return self.flattener.table[columns[:, 0]]  # type: ignore[no-any-return]
        return columns.astype(np.int32)
