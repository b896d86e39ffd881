"""Draws from the replay what the soft actor-critic learns from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlagents.algorithms.sac import SACBatch
from mlagents.algorithms.sac_networks import SACNetworks
from mlagents.algorithms.sac_rewards import SACRewards
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.experience.image_column import decode_levels
from mlagents.experience.replay import NO_ROW, ReplayStore
from mlagents.experience.replay_sequences import SequenceRows, follow_sequences, sequence_starts
from mlagents.networks.observations import ObservationEncoder
from mlagents.rewards.signal_set import SignalSet
from mlagents.rewards.transitions import TransitionBatch
from mlagents_envs.base_env import BehaviorSpec

Rows = NDArray[np.int64]


class SACExperience:
    """Batches of single decisions, or of sequences where the networks have memory.

    Args:
        store: the replay.
        spec: observations and actions of the behavior.
        encoder: what turns observations into the networks' inputs.
        networks: what learns; recurrent ones play the steps before each sequence.
        signals: reward signals.
        settings: hyperparameters.
        burn_in: steps before each sequence that are played, not learned from.
        rng: source of draws and of exploration noise.
        device: where to learn.

    Attributes:
        rewards: rewards of the rows of the replay.
    """

    def __init__(
        self,
        store: ReplayStore,
        spec: BehaviorSpec,
        encoder: ObservationEncoder,
        networks: SACNetworks,
        signals: SignalSet,
        settings: SACSettings,
        burn_in: int,
        rng: np.random.Generator,
        device: torch.device,
    ) -> None:
        self.rewards = SACRewards(signals, self.transitions, store)
        self._store = store
        self._spec = spec
        self._encoder = encoder
        self._networks = networks
        self._settings = settings
        self._burn_in = burn_in
        self._rng = rng
        self._device = device
        self._starts: Rows | None = None

    @property
    def is_enough(self) -> bool:
        """Whether a batch can be drawn."""
        store = self._store
        if store.num_stored < self._settings.batch_size:
            return False
        return store.sequence_length == 1 or len(sequence_starts(store)) > 0

    def begin_update(self) -> None:
        """Take note of what is stored now; several batches are drawn before more comes."""
        if self._store.sequence_length > 1:
            self._starts = sequence_starts(self._store)

    def draw(self) -> SACBatch:
        """A batch of decisions, drawn uniformly with replacement: of decisions or of sequences."""
        if self._starts is None:
            return self._decisions(self._store.sample(self._settings.batch_size, self._rng))
        count = max(1, self._settings.batch_size // self._store.sequence_length)
        chosen = self._starts[self._rng.integers(len(self._starts), size=count)]
        return self._sequences(follow_sequences(self._store, chosen, self._burn_in))

    def draw_rows(self) -> Rows:
        """Rows for the reward signals to learn from."""
        return self._store.sample(self._settings.batch_size, self._rng)

    # -- batches ---------------------------------------------------------------------------------------

    def _decisions(self, rows: Rows) -> SACBatch:
        following = self._next_rows(rows)
        both = self._inputs(np.concatenate([rows, following]))
        count = len(rows)
        inputs, next_inputs = tuple(each[:count] for each in both), tuple(each[count:] for each in both)
        return SACBatch(inputs=inputs, next_inputs=next_inputs, **self._columns(rows, following))

    def _sequences(self, sequences: SequenceRows) -> SACBatch:
        length = self._store.sequence_length
        rows, following = sequences.rows[:, :-1].reshape(-1), sequences.rows[:, 1:].reshape(-1)
        memory, critic_memory, target_memory = self._memories(sequences)
        return SACBatch(
            inputs=self._inputs(sequences.rows.reshape(-1)),
            next_inputs=(),
            **self._columns(rows, following),
            mask=self._tensor(sequences.mask.reshape(-1)),
            sequence_length=length,
            memory=memory,
            critic_memory=critic_memory,
            target_memory=target_memory,
        )

    def _next_rows(self, rows: Rows) -> Rows:
        """Rows with the next observations; the same row where none is kept because nothing follows."""
        following = self._store.next_row[rows]
        return np.where(following == NO_ROW, rows, following)

    def _columns(self, rows: Rows, following: Rows) -> dict[str, Any]:
        store, tensor = self._store, self._tensor
        rewards, discounts = self.rewards.of_rows(rows)
        noise = self._rng.standard_normal(
            (2, len(rows), self._spec.action_spec.continuous_size), dtype=np.float32
        )
        columns = {
            "continuous_actions": tensor(store.continuous_actions[rows]),
            "discrete_actions": tensor(store.discrete_actions[rows]).long(),
            "allowed": tensor(store.allowed_actions[rows]),
            "next_allowed": tensor(store.allowed_actions[following]),
            "rewards": tensor(rewards),
            "discounts": tensor(discounts),
            "noise": tensor(noise[0]),
            "next_noise": tensor(noise[1]),
        }
        if store.log_probs.shape[1]:
            columns["old_entropies"] = tensor(store.log_probs[rows])
        return columns

    def _inputs(self, rows: Rows) -> tuple[Tensor, ...]:
        """Network inputs of rows, normalised as of now."""
        encoded = self._encoder.encode(self._store.raw_observations(rows))
        return tuple(decode_levels(self._tensor(column)) for column in encoded)

    def _memories(self, sequences: SequenceRows) -> tuple[Tensor, Tensor, Tensor]:
        """What policy, critics and targets remember at the start of sequences ``[B, ...]``.

        That is what was stored with the first row of the steps before, carried through these by the networks
        as they are now (Kapturowski et al. 2019, "Recurrent experience replay in distributed reinforcement
        learning", §3).
        """
        store, networks = self._store, self._networks
        first = sequences.rows[:, 0]
        memory = self._tensor(store.memory[first])
        critic_memory = self._tensor(store.critic_memory[first])
        target_memory = critic_memory.clone()
        lengths = (sequences.before != NO_ROW).sum(axis=1)
        for length in np.unique(lengths[lengths > 0]).tolist():
            which = np.flatnonzero(lengths == length)
            rows = sequences.before[which, -length:]
            index, inputs = self._tensor(which), self._inputs(rows.reshape(-1))
            stored = self._tensor(store.memory[rows[:, 0]])
            critics = self._tensor(store.critic_memory[rows[:, 0]])
            with torch.no_grad():
                memory[index] = networks.actor(inputs, stored, length)[2]
                critic_memory[index] = networks.critic.encode(inputs, critics, length)[1]
                target_memory[index] = networks.target.encode(inputs, critics, length)[1]
        return memory, critic_memory, target_memory

    def transitions(self, rows: Rows) -> TransitionBatch:
        """Rows as reward signals see them."""
        store = self._store
        observations = self._raw(rows)
        uses_next = self.rewards.signals.uses_next_observations
        return TransitionBatch(
            observations=observations,
            next_observations=self._raw(self._next_rows(rows)) if uses_next else observations,
            continuous_actions=self._tensor(store.continuous_actions[rows]),
            discrete_actions=self._tensor(store.discrete_actions[rows]).long(),
            done=self._tensor(store.done[rows]),
        )

    def _raw(self, rows: Rows) -> tuple[Tensor, ...]:
        return tuple(decode_levels(self._tensor(column)) for column in self._store.raw_observations(rows))

    def _tensor(self, column: NDArray[Any]) -> Tensor:
        return torch.from_numpy(column).to(self._device)
