"""Behavioral cloning as the settings of a behavior ask for it."""

from __future__ import annotations

import torch

from mlagents.imitation.behavioral_cloning import BehavioralCloning
from mlagents.imitation.cloned_policy import ClonedPolicy
from mlagents.imitation.demonstration_buffer import load_demonstrations
from mlagents.networks.observations import ObservationEncoder
from mlagents.settings.behavior import BehaviorSettings
from mlagents_envs.base_env import BehaviorSpec


def make_cloning(
    behavior: str,
    spec: BehaviorSpec,
    settings: BehaviorSettings,
    policy: ClonedPolicy,
    encoder: ObservationEncoder,
    *,
    learning_rate: float,
    batch_size: int,
    device: torch.device,
    seed: int,
    samples_per_update: int = 0,
) -> BehavioralCloning | None:
    """Cloning of demonstrations into a policy; None where the settings ask for none.

    Args:
        behavior: name of the behavior, for messages.
        spec: its observations and actions.
        settings: how it is trained.
        policy: what learns.
        encoder: makes its inputs.
        learning_rate: of the trainer, at the beginning.
        batch_size: of the trainer.
        device: where the policy is.
        seed: seed of the shuffles.
        samples_per_update: most decisions per pass where the settings give no number; 0 for all.

    Raises:
        DemonstrationError: a demonstration cannot be read.
        TrainerError: a demonstration is of another behavior.
    """
    cloning, memory = settings.behavioral_cloning, settings.network_settings.memory
    if cloning is None:
        return None
    return BehavioralCloning(
        cloning,
        load_demonstrations(cloning.demo_path, behavior, spec, cloning.demo_alignment),
        policy,
        encoder.encode,
        learning_rate=learning_rate,
        batch_size=batch_size,
        device=device,
        seed=seed,
        sequence_length=1 if memory is None else memory.sequence_length,
        samples_per_update=samples_per_update,
    )
