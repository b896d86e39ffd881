"""Behavioral cloning: the policy is trained to do what the expert did, by supervised learning.

The loss is the mean of ``-log pi(a|s)`` over the expert's decisions, maximum likelihood (Pomerleau 1991,
"Efficient training of artificial neural networks for autonomous navigation", in its probabilistic form).
Actions are compared in environment units, forbidden actions are masked as when acting, and a policy with
memory starts each sequence with what it remembers of the episode so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlagents.algorithms.module_optimizer import ModuleOptimizer
from mlagents.algorithms.schedules import linear_decay
from mlagents.imitation.cloned_policy import ClonedPolicy
from mlagents.imitation.demonstration_buffer import DemonstrationBuffer
from mlagents.settings.behavior import BehavioralCloningSettings

Encode = Callable[[Sequence[NDArray[np.float32]]], tuple[NDArray[np.float32], ...]]
"""From observations ``[n, *shape]`` to network inputs, as :meth:`ObservationEncoder.encode` does."""

LEARNING_RATE_FLOOR = 1e-10
DEFAULT_NUM_EPOCH = 3
MAX_GRADIENT_NORM = 0.5
LOSS_TAG = "Losses/Pretraining Loss"
_NO_ROW = -1


class BehavioralCloning:
    """Clones demonstrations into a policy, beside or without its trainer.

    Trainers call :meth:`update` once per update of their own. It changes the actor's parameters in place,
    with an optimiser of its own; nothing else of the network moves.

    Args:
        settings: see :class:`BehavioralCloningSettings`; where it leaves ``num_epoch`` and
            ``samples_per_update`` open, the defaults below hold.
        demonstrations: what the expert did.
        policy: what learns.
        encode: makes its inputs.
        learning_rate: the policy's initial learning rate.
        batch_size: the trainer's batch size.
        device: where the policy is.
        seed: seed of the shuffles.
        sequence_length: steps through which memory is trained; ignored without memory.
        num_epoch: passes over the demonstrations per update where the settings give none.
        samples_per_update: most decisions per pass where the settings say 0; 0 for all. Trainers that
            update after every few steps should give their batch size.

    Attributes:
        demonstrations: what the expert did.
    """

    def __init__(
        self,
        settings: BehavioralCloningSettings,
        demonstrations: DemonstrationBuffer,
        policy: ClonedPolicy,
        encode: Encode,
        *,
        learning_rate: float,
        batch_size: int,
        device: torch.device | str,
        seed: int,
        sequence_length: int = 1,
        num_epoch: int = DEFAULT_NUM_EPOCH,
        samples_per_update: int = 0,
    ) -> None:
        self.demonstrations = demonstrations
        self._settings = settings
        self._policy = policy
        self._encode = encode
        self._initial_rate = learning_rate * settings.strength
        self._num_epoch = settings.num_epoch or num_epoch
        self._length = sequence_length if policy.memory_size else 1
        self._sequences = demonstrations.sequences(self._length)
        samples = settings.samples_per_update or samples_per_update
        total = len(self._sequences)
        if samples:
            total = min(total, max(1, samples // self._length))
        self._batch = min(max(1, (settings.batch_size or batch_size) // self._length), total)
        self._batches_per_pass = total // self._batch
        self._device = torch.device(device)
        self._rng = np.random.default_rng(seed)
        self._optimizer = ModuleOptimizer(policy.parameters, MAX_GRADIENT_NORM)

    def learning_rate(self, step: int) -> float:
        """Learning rate at a step of the trainer: constant, or falling to 1e-10 over ``steps``."""
        if not self._settings.steps:
            return self._initial_rate
        return linear_decay(self._initial_rate, LEARNING_RATE_FLOOR, step, self._settings.steps)

    def is_active(self, step: int) -> bool:
        """Whether cloning still changes anything at a step of the trainer."""
        return self.learning_rate(step) > LEARNING_RATE_FLOOR

    def update(self, step: int) -> dict[str, float]:
        """Run all passes of one update.

        Args:
            step: the trainer's step, for the schedule.

        Returns:
            The mean loss by its tag, 0 once cloning has faded out.
        """
        if not self.is_active(step):
            return {LOSS_TAG: 0.0}
        rate = self.learning_rate(step)
        memories = self._memories()
        losses = []
        for _ in range(self._num_epoch):
            order = self._rng.permutation(len(self._sequences))
            for begin in range(0, self._batches_per_pass * self._batch, self._batch):
                chosen = order[begin : begin + self._batch]
                memory = None if memories is None else memories[torch.from_numpy(chosen).to(self._device)]
                loss = self.loss(self._sequences[chosen], memory)
                self._optimizer.step(loss, rate)
                losses.append(loss.detach())
        return {LOSS_TAG: float(torch.stack(losses).mean())}

    def loss(self, sequences: NDArray[np.int64], memory: Tensor | None = None) -> Tensor:
        """Mean of ``-log pi(a|s)`` over the rows of sequences, a scalar.

        Args:
            sequences: int64 ``[B, L]``, rows of the demonstrations, -1 for none.
            memory: float32 ``[B, m]``, what the policy remembers at the start of each; None: nothing.
        """
        rows = sequences.reshape(-1)
        present = np.flatnonzero(rows != _NO_ROW)
        outputs, log_sigma, _ = self._policy.act(self._inputs(rows), memory, sequences.shape[1])
        index = self._tensor(present)
        if log_sigma.dim() == 2:
            log_sigma = log_sigma[index]
        real = rows[present]
        log_probs = self._policy.log_probs(
            outputs[index],
            log_sigma,
            self._tensor(self.demonstrations.continuous_actions[real]),
            self._tensor(self.demonstrations.discrete_actions[real]),
            self._tensor(self.demonstrations.allowed_actions[real]),
        )
        return -log_probs.mean()

    def _memories(self) -> Tensor | None:
        """What the policy, as it is now, remembers at the start of each sequence, ``[Q, m]``."""
        if not self._policy.memory_size:
            return None
        memories = torch.zeros(len(self._sequences), self._policy.memory_size, device=self._device)
        with torch.no_grad():
            for current in self._successions():
                index = self._tensor(current)
                for part in torch.split(index, self._batch):
                    rows = self._sequences[part.cpu().numpy()].reshape(-1)
                    _, _, after = self._policy.act(self._inputs(rows), memories[part], self._length)
                    memories[part + 1] = after
        return memories

    def _successions(self) -> Iterator[NDArray[np.int64]]:
        """Sequences that have a successor in their episode: all first ones, then all second ones, ..."""
        continued = np.zeros(len(self._sequences), dtype=np.bool_)
        continued[:-1] = ~self.demonstrations.starts[self._sequences[1:, 0]]
        is_first = np.ones(len(self._sequences), dtype=np.bool_)
        is_first[1:] = ~continued[:-1]
        current = np.flatnonzero(is_first)
        while len(current := current[continued[current]]):
            yield current
            current = current + 1

    def _inputs(self, rows: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """Network inputs of rows; those of -1 are any."""
        observations = [column[rows] for column in self.demonstrations.observations]
        return tuple(map(self._tensor, self._encode(observations)))

    def _tensor(self, column: NDArray[Any]) -> Tensor:
        return torch.from_numpy(column).to(self._device)

    def get_state(self) -> dict[str, Any]:
        """Optimiser and shuffles; the policy's weights are saved by their owner."""
        return {"optimizer": self._optimizer.get_state(), "rng": self._rng.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self._optimizer.set_state(state["optimizer"])
        self._rng.bit_generator.state = state["rng"]
