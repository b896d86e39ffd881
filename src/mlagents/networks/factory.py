"""Which network and which acting policy a behavior gets."""

from __future__ import annotations

import numpy as np
import torch

from mlagents.networks.acting import ActingPolicy
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.general_acting import GeneralActingPolicy
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import BehaviorSpec


def make_actor_critic(
    encoder: ObservationEncoder,
    spec: BehaviorSpec,
    settings: NetworkSettings,
    num_value_heads: int,
    generator: torch.Generator,
    shared_critic: bool = False,
) -> ActorCritic | GeneralActorCritic:
    """Make actor and critic for what an encoder gives.

    Args:
        encoder: what turns observations into the network's inputs.
        spec: actions of the behavior.
        settings: shape of the network.
        num_value_heads: reward streams.
        generator: source of initial weights.
        shared_critic: whether the values are computed from the actor's encoding.

    Returns:
        Multilayer perceptrons, for which there is fast code, where all observations are vectors, none of
        them a goal, and neither memory nor a shared critic is asked for; otherwise the general network.

    Raises:
        UnsupportedObservationError: an image is too small for its encoder, or a goal is a list of entities.
    """
    if encoder.is_flat and settings.memory is None and not shared_critic:
        return ActorCritic(
            encoder.size,
            spec.action_spec,
            settings.hidden_units,
            settings.num_layers,
            num_value_heads,
            generator,
        )
    encoder.check(settings)
    return GeneralActorCritic(
        encoder.input_specs,
        spec.action_spec,
        settings,
        num_value_heads,
        generator,
        shared_critic=shared_critic,
    )


def make_acting_policy(
    copy_of_network: ActorCritic | GeneralActorCritic,
    encoder: ObservationEncoder,
    rng: np.random.Generator,
    *,
    deterministic: bool = False,
) -> ActingPolicy | GeneralActingPolicy:
    """Make the acting side for a network of :func:`make_actor_critic`; see :class:`ActingPolicy`."""
    if isinstance(copy_of_network, ActorCritic):
        return ActingPolicy(copy_of_network, encoder, rng, deterministic=deterministic)
    return GeneralActingPolicy(copy_of_network, encoder, rng, deterministic=deterministic)
