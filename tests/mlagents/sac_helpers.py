"""Builders shared by the tests of the soft actor-critic."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mlagents.algorithms.sac import SACBatch
from mlagents.algorithms.sac_networks import SACNetworks
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec

SPECS = {
    "continuous": ActionSpec.create_continuous(2),
    "discrete": ActionSpec.create_discrete((3,)),
    "branches": ActionSpec.create_discrete((3, 2)),
    "hybrid": ActionSpec.create_hybrid(2, (2, 4)),
}


def make_networks(
    spec: BehaviorSpec,
    *,
    streams: int = 1,
    network: dict[str, Any] | None = None,
    seed: int = 0,
    deviation: float = 0.5,
    **hyper: object,
) -> tuple[SACNetworks, SACSettings]:
    settings = SACSettings(**{"batch_size": 16, "init_entcoef": 0.3, **hyper})
    shape = NetworkSettings(**{"hidden_units": 8, "num_layers": 2, **(network or {})})
    encoder = ObservationEncoder("B", spec.observation_specs, normalize=False)
    networks = SACNetworks(encoder, spec.action_spec, shape, settings, streams, seed, torch.device("cpu"))
    spread(networks, deviation)
    return networks, settings


def spread(networks: SACNetworks, deviation: float) -> None:
    """Weights large enough that nothing is near zero, and temperatures that differ."""
    generator = torch.Generator().manual_seed(5)
    for flat in (networks.flat_actor, networks.flat_critic, networks.flat_target):
        flat.values.normal_(0.0, deviation, generator=generator)
    networks.log_alpha.normal_(-1.0, 0.5, generator=generator)


def random_batch(
    spec: BehaviorSpec,
    rows: int = 16,
    *,
    streams: int = 1,
    length: int = 1,
    masked: bool = False,
    memory_size: int = 0,
    old_entropies: bool = False,
    seed: int = 0,
) -> SACBatch:
    """Numbers without meaning, but of the right kinds."""
    rng = np.random.default_rng(seed)
    actions = spec.action_spec
    choices = sum(actions.discrete_branches)

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))

    def masks() -> torch.Tensor:
        allowed = rng.random((rows, choices)) > 0.3
        begin = 0
        for size in actions.discrete_branches:
            allowed[:, begin] |= ~allowed[:, begin : begin + size].any(axis=1)
            begin += size
        return torch.from_numpy(allowed)

    steps = rows // length * (length + 1) if length > 1 else rows
    sequences = rows // length
    branches = [rng.integers(0, size, rows) for size in actions.discrete_branches]
    return SACBatch(
        inputs=tuple(normal(steps, *o.shape) for o in spec.observation_specs),
        next_inputs=() if length > 1 else tuple(normal(rows, *o.shape) for o in spec.observation_specs),
        continuous_actions=torch.tanh(normal(rows, actions.continuous_size)),
        discrete_actions=torch.from_numpy(
            np.stack(branches, axis=1) if branches else np.zeros((rows, 0), dtype=np.int64)
        ),
        allowed=masks(),
        next_allowed=masks(),
        rewards=normal(rows, streams),
        discounts=torch.from_numpy(rng.choice([0.0, 0.9], (rows, streams)).astype(np.float32)),
        noise=normal(rows, actions.continuous_size),
        next_noise=normal(rows, actions.continuous_size),
        old_entropies=normal(rows, actions.discrete_size).abs() if old_entropies else None,
        mask=torch.from_numpy(rng.random(rows) > 0.4) if masked else None,
        sequence_length=length,
        memory=normal(sequences, memory_size) if memory_size else None,
        critic_memory=normal(sequences, 2 * memory_size) if memory_size else None,
        target_memory=normal(sequences, 2 * memory_size) if memory_size else None,
    )
