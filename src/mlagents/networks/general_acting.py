"""The acting side of a policy with images, entities, goals or memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlagents.networks.acting import ActionColumns, ActionSampler
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents_envs.base_env import ActionTuple


class GeneralActingPolicy:
    """Chooses actions for all agents that ask, in one forward pass; carries their memories on.

    Args:
        copy_of_network: a network of the learner's architecture, on the CPU, that nobody else uses; its
            weights come from :meth:`load_weights`.
        encoder: shared with the learner, so that both normalise alike.
        rng: source of exploration noise.
        deterministic: take means and most probable choices instead of samples.
    """

    def __init__(
        self,
        copy_of_network: GeneralActorCritic,
        encoder: ObservationEncoder,
        rng: np.random.Generator,
        *,
        deterministic: bool = False,
    ) -> None:
        self._encoder = encoder
        self.deterministic = deterministic
        self._flat = FlatParameters(copy_of_network)
        self._network = copy_of_network
        self._log_sigma = copy_of_network.log_sigma.detach().numpy()
        self._sampler = ActionSampler(copy_of_network.action_spec, rng)

    def load_weights(self, flat: FlatParameters) -> None:
        """Copy the learner's current weights."""
        self._flat.values.copy_(flat.values)

    def act(self, observations: list[NDArray[np.float32]], columns: ActionColumns) -> ActionTuple:
        """Choose actions for ``n`` agents.

        Args:
            observations: one array ``[n, *shape]`` per observation.
            columns: raw actions and log-probabilities are written here, and memories are read and replaced.

        Returns:
            Actions in environment units: continuous ones float32 ``[n, A]`` in [-1, 1], discrete ones
            int32 ``[n, D]``.

        Raises:
            NonFiniteActionError: an output of the network is NaN or infinite; memories stay as they were.
            ValueError: the policy has a memory, but the columns have none.
        """
        network = self._network
        if network.actor_memory_size and columns.memory is None:
            raise ValueError("a policy with memory needs the column of what its agents remember")
        with torch.no_grad():
            inputs = [torch.from_numpy(column) for column in self._encoder.encode(observations)]
            outputs, memory = network.act(inputs, _tensor(columns.memory))
            critic_memory = None
            if network.critic_memory_size and columns.critic_memory is not None:
                _, critic_memory = network.value(inputs, _tensor(columns.critic_memory))
        actions = self._sampler.sample(
            outputs.numpy(), self._log_sigma, columns, deterministic=self.deterministic
        )
        if columns.memory is not None:
            columns.memory[...] = memory.numpy()
        if columns.critic_memory is not None and critic_memory is not None:
            columns.critic_memory[...] = critic_memory.numpy()
        return actions


def _tensor(memory: NDArray[np.float32] | None) -> Tensor | None:
    return None if memory is None else torch.from_numpy(memory)
