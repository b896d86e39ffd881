"""A trainer with a game of random numbers, and a spy on its updates."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from trainer_helpers import (
    ACTION_SPECS,
    behavior_settings,
    behavior_spec,
    decision_steps,
    step_batch,
    terminal_steps,
)

from mlagents.algorithms.ppo import (
    MinibatchGradients,
    PPOCoefficients,
    PPOLosses,
    component_log_probs_and_entropy,
)
from mlagents.algorithms.ppo_batch import PPOBatch
from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents_envs.base_env import ActionSpec

SIZES = (2, 1)


def make_trainer(
    kind: str = "continuous",
    hyperparameters: dict[str, object] | None = None,
    *,
    normalize: bool = True,
    seed: int = 0,
    behavior: str = "Ball",
    learning: bool = True,
    **settings: object,
) -> PPOTrainer:
    configured = behavior_settings(hyperparameters, {"normalize": normalize}, **settings)
    spec = behavior_spec(ACTION_SPECS[kind], SIZES)
    return PPOTrainer(behavior, spec, configured, seed=seed, learning=learning)


@dataclass
class Game:
    """Agents with random observations far from the origin, random rewards, and random episode ends."""

    actions: ActionSpec
    agents: int = 4
    seed: int = 0
    steps: int = 0
    rewards: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def observations(self, count: int) -> list[np.ndarray]:
        return [self.rng.normal(20.0, 3.0, (count, size)).astype(np.float32) for size in SIZES]

    def masks(self) -> list[np.ndarray] | None:
        """Each branch forbids about a third of its choices, but never all."""
        masks = [self.rng.random((self.agents, size)) < 0.35 for size in self.actions.discrete_branches]
        for mask in masks:
            mask[mask.all(axis=1), 0] = False
        return masks or None

    def play(self, trainer: PPOTrainer, steps: int) -> None:
        """Observe and act; afterwards agents wait for nothing."""
        for _ in range(steps):
            self.observe(trainer)
            trainer.act()

    def observe(self, trainer: PPOTrainer) -> None:
        ended = np.flatnonzero(self.rng.random(self.agents) < 0.1)
        interrupted = self.rng.random(len(ended)) < 0.5
        trainer.observe(
            step_batch(
                decision_steps(
                    range(self.agents),
                    self.observations(self.agents),
                    self.rng.normal(size=self.agents),
                    masks=self.masks(),
                ),
                terminal_steps(
                    ended.tolist(),
                    self.observations(len(ended)),
                    self.rng.normal(size=len(ended)),
                    interrupted.tolist(),
                ),
            )
        )

    def learn(self, trainer: PPOTrainer) -> dict[str, float]:
        """Play until an update is due, learn, and let the waiting agents act."""
        while not trainer.is_update_due():
            trainer.act()
            self.observe(trainer)
        stats: dict[str, float] = {}
        trainer.update(stats.__setitem__)
        trainer.act()
        return stats


class Spy:
    """Keeps the minibatches of an update, and what the learner thought of their actions before its step."""

    def __init__(self, trainer: PPOTrainer) -> None:
        self.trainer = trainer
        self.inner: MinibatchGradients = trainer._gradients
        self.batches: list[PPOBatch] = []
        self.log_ratios: list[np.ndarray] = []
        trainer._gradients = self

    def compute(self, batch: PPOBatch, coefficients: PPOCoefficients) -> None:
        network = self.trainer.network
        with torch.no_grad():
            log_probs, _ = component_log_probs_and_entropy(
                network.actor(batch.inputs[0]),
                network.log_sigma,
                network.action_spec,
                batch.continuous_actions,
                batch.discrete_actions,
                batch.allowed_actions,
                mean_continuous_entropy=False,
            )
        self.log_ratios.append((log_probs - batch.old_log_probs).numpy())
        self.batches.append(batch)
        self.inner.compute(batch, coefficients)

    def take_losses(self) -> PPOLosses:
        return self.inner.take_losses()
