"""From stored rows to what PPO learns from: value estimates, targets and tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlagents.algorithms.ppo_batch import PPOBatch
from mlagents.experience.image_column import decode_levels
from mlagents.experience.sequences import NO_ROW, cut_into_sequences
from mlagents.experience.store import RolloutStore
from mlagents.experience.targets import Targets
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder

Inputs = tuple[Tensor, ...]
_VALUE_CHUNK = 4096
_CHUNK_FLOATS = 4 << 20


class PPOExperience:
    """Rows of one iteration on the learner's device, with the value estimates of their observations.

    Recurrent critics start from what they remembered when the agents acted, so that the values of all rows
    come from one batch; final observations of episodes are one step of memory later.

    Args:
        store: the experience, R rows in use and E final observations.
        encoder: what turns observations into the network's inputs.
        network: actor and critic.
        num_streams: reward streams, S.
        device: the learner's.

    Attributes:
        values: float32 ``[R, S]``.
        final_values: float32 ``[E, S]``.
    """

    def __init__(
        self,
        store: RolloutStore,
        encoder: ObservationEncoder,
        network: ActorCritic | GeneralActorCritic,
        num_streams: int,
        device: torch.device,
    ) -> None:
        self._store = store
        self._network = network
        self._num_streams = num_streams
        self._device = device
        used = store.num_rows
        self._inputs = self._on_device(encoder.encode(store.raw_observations(slice(0, used))))
        final_inputs = self._on_device(encoder.encode(store.raw_final_observations()))
        # a critic that shares the actor's body shares its memory
        remembered = store.critic_memory if store.critic_memory.shape[1] else store.memory
        memory = self._tensor(remembered[:used]) if remembered.shape[1] else None
        self.values, memory_after = self._estimate(self._inputs, memory)
        if memory_after is not None:
            memory_after = memory_after[self._last_rows()]
        self.final_values, _ = self._estimate(final_inputs, memory_after)

    def _tensor(self, column: NDArray[Any]) -> Tensor:
        return torch.from_numpy(column).to(self._device)

    def _on_device(self, columns: tuple[NDArray[Any], ...]) -> Inputs:
        return tuple(self._tensor(column) for column in columns)

    def _last_rows(self) -> Tensor:
        """Row after which each final observation came, int64 ``[E]``."""
        numbers = self._store.bootstrap_row[: self._store.num_rows]
        rows = np.flatnonzero(numbers != NO_ROW)
        last = np.zeros(self._store.num_bootstrap, dtype=np.int64)
        last[numbers[rows]] = rows
        return self._tensor(last)

    def _estimate(self, inputs: Inputs, memory: Tensor | None) -> tuple[NDArray[np.float32], Tensor | None]:
        """Values float32 ``[R, S]`` of inputs, in chunks that fit the cache; memories after them."""
        count = len(inputs[0])
        if not count:
            return np.zeros((0, self._num_streams), dtype=np.float32), memory
        values, memories = [], []
        with torch.no_grad():
            for begin, end in _chunks(inputs):
                rows = slice(begin, end)
                part = [decode_levels(column[rows]) for column in inputs]
                if isinstance(self._network, ActorCritic):
                    values.append(self._network.critic(part[0]))
                else:
                    value, after = self._network.value(part, None if memory is None else memory[rows])
                    values.append(value)
                    memories.append(after)
        estimated: NDArray[np.float32] = torch.cat(values).cpu().numpy()
        return estimated, None if memory is None else torch.cat(memories)

    def batch(self, targets: Targets) -> PPOBatch:
        """All rows that are ready, in order of time."""
        return self._gather(targets, targets.rows, np.arange(len(targets.rows)))

    def sequence_batch(self, targets: Targets) -> tuple[PPOBatch, Tensor]:
        """All rows that are ready as sequences, filled up to their length with copies of their first rows.

        Args:
            targets: advantages and returns of these rows.

        Returns:
            The batch, and for each of its rows ``[U, L]`` the place among the rows that are ready, -1 where
            a row only fills up its sequence.
        """
        sequences = cut_into_sequences(self._store)
        mask = sequences != NO_ROW
        rows = np.where(mask, sequences, sequences[:, :1]).reshape(-1)
        place = np.full(self._store.num_rows, NO_ROW, dtype=np.int64)
        place[targets.rows] = np.arange(len(targets.rows))
        batch = self._gather(targets, rows, place[rows])
        first = sequences[:, 0]
        recurrent = replace(
            batch,
            sequence_length=self._store.sequence_length,
            mask=self._tensor(mask.reshape(-1)),
            memory=self._tensor(self._store.memory[first]),
            critic_memory=self._tensor(self._store.critic_memory[first]),
        )
        return recurrent, self._tensor(np.where(mask, place[sequences], NO_ROW))

    def _gather(self, targets: Targets, rows: NDArray[np.int64], places: NDArray[np.int64]) -> PPOBatch:
        """Rows of the store, and their targets at ``places``."""
        store, tensor = self._store, self._tensor
        index = tensor(rows)
        return PPOBatch(
            inputs=tuple(column[index] for column in self._inputs),
            continuous_actions=tensor(store.continuous_actions[rows]),
            discrete_actions=tensor(store.discrete_actions[rows]),
            allowed_actions=tensor(store.allowed_actions[rows]),
            old_log_probs=tensor(store.log_probs[rows]),
            advantages=tensor(targets.advantages[places]),
            returns=tensor(targets.returns[places]),
            old_values=tensor(self.values[rows]),
        )


def _chunks(inputs: Inputs) -> list[tuple[int, int]]:
    """Begin and end of pieces of rows: few enough for wide inputs, at most 4096."""
    count = len(inputs[0])
    floats = sum(column[0].numel() for column in inputs)
    size = min(_VALUE_CHUNK, max(16, _CHUNK_FLOATS // max(1, floats)))
    return [(begin, min(begin + size, count)) for begin in range(0, count, size)]
