"""The acting side of the soft actor-critic."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mlagents.networks.acting import ActionColumns, NonFiniteActionError
from mlagents.networks.action_kernels import sample_discrete
from mlagents.networks.actor_critic import Mlp
from mlagents.networks.explicit_mlp import ExplicitMlp
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.soft_critic import TwinCritic
from mlagents.networks.squash_kernels import branch_entropies, sample_squashed
from mlagents.networks.squashed_actor import SquashedActor
from mlagents_envs.base_env import ActionTuple


class SquashedActingPolicy:
    """Chooses actions for all agents that ask, in one forward pass; carries memories on.

    Where :class:`ActionColumns` has log-probabilities, this policy writes the entropies of the discrete
    branches ``[n, D]``, if the column has room for them.

    Args:
        copy_of_actor: a network of the learner's architecture, on the CPU, that nobody else uses; its
            weights come from :meth:`load_weights`.
        encoder: shared with the learner, so that both normalise alike.
        rng: source of exploration noise.
        deterministic: take squashed means and most probable choices instead of samples.
        copy_of_critic: likewise, for critics with memory: so that their memories are carried on too.
    """

    def __init__(
        self,
        copy_of_actor: SquashedActor,
        encoder: ObservationEncoder,
        rng: np.random.Generator,
        *,
        deterministic: bool = False,
        copy_of_critic: TwinCritic | None = None,
    ) -> None:
        self._encoder = encoder
        self._rng = rng
        self.deterministic = deterministic
        self._actor = copy_of_actor
        self._flat = FlatParameters(copy_of_actor)
        policy = copy_of_actor.policy
        self._explicit = ExplicitMlp(policy) if isinstance(policy, Mlp) else None
        self._critic = copy_of_critic
        self._flat_critic = FlatParameters(copy_of_critic) if copy_of_critic is not None else None
        spec = copy_of_actor.action_spec
        self._spec = spec
        self._branch_ends = np.cumsum(np.array(spec.discrete_branches, dtype=np.int64))

    def load_weights(self, actor: FlatParameters, critic: FlatParameters) -> None:
        """Copy the learner's current weights."""
        self._flat.values.copy_(actor.values)
        if self._flat_critic is not None:
            self._flat_critic.values.copy_(critic.values)

    def act(self, observations: list[NDArray[np.float32]], columns: ActionColumns) -> ActionTuple:
        """Choose actions for ``n`` agents.

        Args:
            observations: one array ``[n, *shape]`` per observation.
            columns: actions and entropies are written here, and memories are read and replaced.

        Returns:
            Actions in environment units: continuous ones float32 ``[n, A]`` in [-1, 1], discrete ones
            int32 ``[n, D]``.

        Raises:
            NonFiniteActionError: an output of the network is NaN or infinite; memories stay as they were.
            ValueError: the policy has a memory, but the columns have none.
        """
        if self._actor.actor_memory_size and columns.memory is None:
            raise ValueError("a policy with memory needs the column of what its agents remember")
        with torch.no_grad():
            inputs = [torch.from_numpy(column) for column in self._encoder.encode(observations)]
            if self._explicit is not None:
                outputs = self._explicit.forward(inputs[0])
            else:
                memory = None if columns.memory is None else torch.from_numpy(columns.memory)
                outputs, after = self._actor.outputs(inputs, memory)
            actions = self._sample(outputs.numpy(), columns)
            if columns.memory is not None:
                columns.memory[...] = after.numpy()
            if self._critic is not None and columns.critic_memory is not None:
                _, after = self._critic.encode(inputs, torch.from_numpy(columns.critic_memory))
                columns.critic_memory[...] = after.numpy()
        return actions

    def _sample(self, outputs: NDArray[np.float32], columns: ActionColumns) -> ActionTuple:
        count, size, branches = len(outputs), self._spec.continuous_size, self._spec.discrete_size
        finite = True
        if size:
            noise = (
                np.zeros((count, size), dtype=np.float32)
                if self.deterministic
                else self._rng.standard_normal((count, size), dtype=np.float32)
            )
            finite = sample_squashed(outputs, noise, columns.continuous)
        if branches:
            finite &= sample_discrete(
                outputs,
                size,
                self._branch_ends,
                columns.allowed,
                self._rng.random((count, branches)),
                self.deterministic,
                columns.discrete,
                np.empty((count, size + branches), dtype=np.float32),
            )
            if columns.log_probs.shape[1]:
                branch_entropies(outputs, size, self._branch_ends, columns.allowed, columns.log_probs)
        if not finite:
            raise NonFiniteActionError("the policy's outputs are NaN or infinite")
        # copies, because rows of a store change
        return ActionTuple(columns.continuous.copy(), columns.discrete.copy())
