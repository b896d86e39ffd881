"""Behavioral cloning beside the soft actor-critic."""

from __future__ import annotations

import torch

from mlagents.algorithms.sac_settings import SACSettings
from mlagents.imitation.behavioral_cloning import BehavioralCloning
from mlagents.imitation.cloned_policy import ClonedPolicy
from mlagents.imitation.demonstration_buffer import load_demonstrations
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.squashed_actor import SquashedActor
from mlagents.settings.behavior import BehaviorSettings
from mlagents_envs.base_env import BehaviorSpec


def make_cloning(
    behavior: str,
    spec: BehaviorSpec,
    settings: BehaviorSettings,
    actor: SquashedActor,
    encoder: ObservationEncoder,
    seed: int,
    device: torch.device,
) -> BehavioralCloning | None:
    """Cloning as the settings say, one batch per update of the policy; None where they say nothing.

    Args:
        behavior: name of the behavior, for messages.
        spec: its observations and actions.
        settings: how it is trained.
        actor: the policy that learns.
        encoder: makes its inputs.
        seed: seed of the shuffles.
        device: where the policy is.

    Raises:
        DemonstrationError: a demonstration cannot be read.
        TrainerError: a demonstration is of another behavior.
    """
    cloning, hyper, memory = (
        settings.behavioral_cloning,
        settings.hyperparameters,
        settings.network_settings.memory,
    )
    assert isinstance(hyper, SACSettings)
    if cloning is None:
        return None
    policy = ClonedPolicy(
        actor,
        list(actor.parameters()),
        spec.action_spec,
        squashed=True,
        memory_size=actor.actor_memory_size,
    )
    return BehavioralCloning(
        cloning,
        load_demonstrations(cloning.demo_path, behavior, spec, cloning.demo_alignment),
        policy,
        encoder.encode,
        learning_rate=hyper.learning_rate,
        batch_size=hyper.batch_size,
        device=device,
        seed=seed,
        sequence_length=1 if memory is None else memory.sequence_length,
        num_epoch=1,
        samples_per_update=hyper.batch_size,
    )
