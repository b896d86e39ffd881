"""Actions: what a behavior may do, and what several agents do at once.

Import these names from :mod:`mlagents_envs.base_env`, where the rest of the contract is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.exception import UnityActionException


class _ActionTupleBase(ABC):
    """Continuous and discrete actions of ``n`` agents; the discrete dtype is the subclass's choice.

    Args:
        continuous: ``(n, continuous_size)``; cast to float32.
        discrete: ``(n, discrete_size)``; cast to :attr:`discrete_dtype`.

    When only one of the two is given, the other becomes an empty ``(n, 0)`` array; when neither is,
    both stay None until added.
    """

    def __init__(self, continuous: NDArray[Any] | None = None, discrete: NDArray[Any] | None = None) -> None:
        self._continuous: NDArray[np.float32] | None = None
        self._discrete: NDArray[Any] | None = None
        if continuous is not None:
            self.add_continuous(continuous)
        if discrete is not None:
            self.add_discrete(discrete)

    @property
    @abstractmethod
    def discrete_dtype(self) -> type[np.generic]:
        """NumPy type of discrete actions."""

    @property
    def continuous(self) -> NDArray[np.float32]:
        """Continuous actions, float32 ``(n, continuous_size)``."""
        return self._continuous  # type: ignore[return-value]  # None only for ActionTuple()

    @property
    def discrete(self) -> NDArray[Any]:
        """Discrete actions ``(n, discrete_size)``, one index per branch."""
        return self._discrete  # type: ignore[return-value]  # None only for ActionTuple()

    def add_continuous(self, continuous: NDArray[Any]) -> None:
        """Set the continuous actions, ``(n, continuous_size)``."""
        self._continuous = np.asarray(continuous, dtype=np.float32)
        if self._discrete is None:
            self._discrete = np.zeros((self._continuous.shape[0], 0), dtype=self.discrete_dtype)

    def add_discrete(self, discrete: NDArray[Any]) -> None:
        """Set the discrete actions, ``(n, discrete_size)``."""
        self._discrete = np.asarray(discrete, dtype=self.discrete_dtype)
        if self._continuous is None:
            self._continuous = np.zeros((self._discrete.shape[0], 0), dtype=np.float32)


class ActionTuple(_ActionTupleBase):
    """Actions of ``n`` agents: ``continuous`` float32 ``(n, c)`` and ``discrete`` int32 ``(n, d)``."""

    @property
    def discrete_dtype(self) -> type[np.generic]:
        """Always int32."""
        return np.int32


class ActionSpec(NamedTuple):
    """The actions of a behavior.

    Attributes:
        continuous_size: number of continuous actions, each in [-1, 1].
        discrete_branches: number of choices of each discrete branch.
    """

    continuous_size: int
    discrete_branches: tuple[int, ...]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ActionSpec)
            and self.continuous_size == other.continuous_size
            and tuple(self.discrete_branches) == tuple(other.discrete_branches)
        )

    def __hash__(self) -> int:
        return hash((self.continuous_size, tuple(self.discrete_branches)))

    def __str__(self) -> str:
        return f"Continuous: {self.continuous_size}, Discrete: {tuple(self.discrete_branches)}"

    def is_discrete(self) -> bool:
        """True when there are discrete actions and no continuous ones."""
        return self.discrete_size > 0 and self.continuous_size == 0

    def is_continuous(self) -> bool:
        """True when there are continuous actions and no discrete ones."""
        return self.discrete_size == 0 and self.continuous_size > 0

    @property
    def discrete_size(self) -> int:
        """Number of discrete branches."""
        return len(self.discrete_branches)

    @property
    def num_continuous_actions(self) -> int:
        """Number of continuous actions, by the name that games know."""
        return self.continuous_size

    @property
    def num_discrete_actions(self) -> int:
        """Number of discrete branches, by the name that games know."""
        return len(self.discrete_branches)

    @property
    def sum_of_discrete_branch_sizes(self) -> int:
        """Number of choices of all branches together: the length of an action mask."""
        return sum(self.discrete_branches)

    def empty_action(self, n_agents: int) -> ActionTuple:
        """Zero actions for ``n_agents`` agents."""
        return ActionTuple(
            np.zeros((n_agents, self.continuous_size), dtype=np.float32),
            np.zeros((n_agents, self.discrete_size), dtype=np.int32),
        )

    def random_action(self, n_agents: int, rng: np.random.Generator | None = None) -> ActionTuple:
        """Uniformly random actions for ``n_agents`` agents.

        Args:
            n_agents: number of rows.
            rng: source of randomness; NumPy's global one when None, so that ``np.random.seed``
                in existing scripts keeps its effect.
        """
        if rng is None:
            continuous = np.random.uniform(-1.0, 1.0, (n_agents, self.continuous_size))
            branches = [np.random.randint(0, size, n_agents) for size in self.discrete_branches]
        else:
            continuous = rng.uniform(-1.0, 1.0, (n_agents, self.continuous_size))
            branches = [rng.integers(0, size, n_agents) for size in self.discrete_branches]
        discrete = np.stack(branches, axis=1) if branches else np.zeros((n_agents, 0))
        return ActionTuple(continuous.astype(np.float32), discrete.astype(np.int32))

    def _validate_action(self, actions: ActionTuple, n_agents: int, name: str) -> ActionTuple:
        """Check that ``actions`` fits ``n_agents`` agents of behavior ``name``.

        Raises:
            UnityActionException: an array is missing or has another shape than expected.
        """
        for kind, given, width in (
            ("continuous", actions.continuous, self.continuous_size),
            ("discrete", actions.discrete, self.discrete_size),
        ):
            expected = (n_agents, width)
            if given is None or given.shape != expected:
                found = "nothing" if given is None else f"an array of shape {given.shape}"
                raise UnityActionException(
                    f"The behavior {name} needs {kind} actions of shape {expected} but received {found}."
                )
        return actions

    @staticmethod
    def create_continuous(continuous_size: int) -> ActionSpec:
        """Spec with ``continuous_size`` continuous actions only."""
        return ActionSpec(continuous_size, ())

    @staticmethod
    def create_discrete(discrete_branches: tuple[int, ...]) -> ActionSpec:
        """Spec with discrete branches only."""
        return ActionSpec(0, tuple(discrete_branches))

    @staticmethod
    def create_hybrid(continuous_size: int, discrete_branches: tuple[int, ...]) -> ActionSpec:
        """Spec with both kinds of actions."""
        return ActionSpec(continuous_size, tuple(discrete_branches))

    @staticmethod
    def make_continuous(num_actions: int) -> ActionSpec:
        """Spec with continuous actions only, by the name that games know."""
        return ActionSpec(num_actions, ())

    @staticmethod
    def make_discrete(*branch_sizes: int) -> ActionSpec:
        """Spec with discrete branches only, by the name that games know."""
        return ActionSpec(0, branch_sizes)

    @staticmethod
    def combine(*specs: ActionSpec) -> ActionSpec:
        """Spec of several actuators: continuous actions added up, branches one after another."""
        branches = tuple(size for spec in specs for size in spec.discrete_branches)
        return ActionSpec(sum(spec.continuous_size for spec in specs), branches)
