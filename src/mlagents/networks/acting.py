"""The acting side of a policy: its own copy of the weights, on the CPU, in the form that is fastest there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mlagents.networks.action_kernels import sample_continuous, sample_discrete
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.explicit_mlp import ExplicitMlp
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.observations import ObservationEncoder
from mlagents_envs.base_env import ActionSpec, ActionTuple


class NonFiniteActionError(RuntimeError):
    """The policy produced NaN or infinite outputs: its weights or inputs are broken."""


@dataclass(frozen=True, slots=True)
class ActionColumns:
    """Where :meth:`ActingPolicy.act` writes, one row per agent; usually slices of an experience store.

    Attributes:
        continuous: float32 ``[n, A]``, raw continuous actions.
        discrete: int32 ``[n, D]``.
        log_probs: float32 ``[n, A + D]``.
        allowed: bool ``[n, K]``, read: which discrete actions are allowed.
        memory: float32 ``[n, m]``, in place: what the policy remembers, before acting and then after. None
            where it has no memory.
        critic_memory: the same for a critic with a memory of its own; None to leave it out, if only actions
            are wanted.
    """

    continuous: NDArray[np.float32]
    discrete: NDArray[np.int32]
    log_probs: NDArray[np.float32]
    allowed: NDArray[np.bool_]
    memory: NDArray[np.float32] | None = None
    critic_memory: NDArray[np.float32] | None = None


class ActionSampler:
    """Draws actions from the outputs of a policy: Gaussian means and the logits of discrete branches.

    Args:
        spec: actions of the behavior: A continuous ones, D branches with K choices in all.
        rng: source of exploration noise.
    """

    def __init__(self, spec: ActionSpec, rng: np.random.Generator) -> None:
        self._rng = rng
        self._continuous_size = spec.continuous_size
        self._discrete_size = spec.discrete_size
        self._branch_ends = np.cumsum(np.array(spec.discrete_branches, dtype=np.int64))

    def sample(
        self,
        outputs: NDArray[np.float32],
        log_sigma: NDArray[np.float32],
        columns: ActionColumns,
        *,
        deterministic: bool,
    ) -> ActionTuple:
        """Write raw actions and log-probabilities to ``columns``.

        Args:
            outputs: float32 ``[n, A + K]``, means and logits.
            log_sigma: float32 ``[A]``.
            columns: where to write.
            deterministic: take means and most probable choices instead of samples.

        Returns:
            Actions in environment units; see :meth:`ActingPolicy.act`.

        Raises:
            NonFiniteActionError: an output is NaN or infinite.
        """
        count = len(outputs)
        finite = True
        environment_actions = np.empty((count, self._continuous_size), dtype=np.float32)
        if self._continuous_size:
            shape = (count, self._continuous_size)
            noise = (
                np.zeros(shape, dtype=np.float32)
                if deterministic
                else self._rng.standard_normal(shape, dtype=np.float32)
            )
            finite = sample_continuous(
                outputs, log_sigma, noise, columns.continuous, columns.log_probs, environment_actions
            )
        if self._discrete_size:
            finite &= sample_discrete(
                outputs,
                self._continuous_size,
                self._branch_ends,
                columns.allowed,
                self._rng.random((count, self._discrete_size)),
                deterministic,
                columns.discrete,
                columns.log_probs,
            )
        if not finite:
            raise NonFiniteActionError("the policy's outputs are NaN or infinite")
        return ActionTuple(environment_actions, columns.discrete.copy())  # rows of a store move and change


class ActingPolicy:
    """Chooses actions for all agents that ask, in one forward pass.

    Args:
        copy_of_network: a network of the learner's architecture, on the CPU, that nobody else uses; its
            weights come from :meth:`load_weights`.
        encoder: shared with the learner, so that both normalise alike.
        rng: source of exploration noise.
        deterministic: take means and most probable choices instead of samples.
    """

    def __init__(
        self,
        copy_of_network: ActorCritic,
        encoder: ObservationEncoder,
        rng: np.random.Generator,
        *,
        deterministic: bool = False,
    ) -> None:
        self._encoder = encoder
        self.deterministic = deterministic
        self._flat = FlatParameters(copy_of_network)
        self._actor = ExplicitMlp(copy_of_network.actor)
        self._log_sigma = copy_of_network.log_sigma.detach().numpy()
        self._sampler = ActionSampler(copy_of_network.action_spec, rng)

    def load_weights(self, flat: FlatParameters) -> None:
        """Copy the learner's current weights."""
        self._flat.values.copy_(flat.values)

    def act(self, observations: list[NDArray[np.float32]], columns: ActionColumns) -> ActionTuple:
        """Choose actions for ``n`` agents.

        Args:
            observations: one array ``[n, *shape]`` per observation.
            columns: raw actions and log-probabilities are written here.

        Returns:
            Actions in environment units: continuous ones float32 ``[n, A]`` in [-1, 1], discrete ones
            int32 ``[n, D]``.

        Raises:
            NonFiniteActionError: an output of the network is NaN or infinite.
        """
        with torch.no_grad():
            outputs = self._actor.forward(torch.from_numpy(self._encoder.encode(observations)[0])).numpy()
        return self._sampler.sample(outputs, self._log_sigma, columns, deterministic=self.deterministic)
