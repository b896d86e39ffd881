"""Which trainer a ``trainer_type`` stands for."""

from __future__ import annotations

from mlagents.algorithms.ppo_trainer import PPOTrainer
from mlagents.algorithms.sac_trainer import SACTrainer
from mlagents.algorithms.trainer import BehaviorTrainer, TrainerFactory
from mlagents.settings.behavior import BehaviorSettings
from mlagents.settings.errors import TrainerError
from mlagents.settings.trainer_plugins import plugin_trainers
from mlagents_envs.base_env import BehaviorSpec

TRAINERS: dict[str, TrainerFactory] = {"ppo": PPOTrainer, "sac": SACTrainer}
"""Built-in trainers by type; their settings classes are in :mod:`mlagents.settings.registry`."""


def make_trainer(
    behavior: str,
    spec: BehaviorSpec,
    settings: BehaviorSettings,
    *,
    seed: int,
    device: str = "cpu",
    learning: bool = True,
) -> BehaviorTrainer:
    """The trainer that ``settings.trainer_type`` names, built in or of a plugin.

    Args:
        behavior: name of the behavior, without team.
        spec: its observations and actions.
        settings: how to train it.
        seed: seed of weights, exploration and shuffles.
        device: where to learn.
        learning: False to only act, for ever.

    Raises:
        TrainerError: there is no such trainer, or it refuses the behavior.
    """
    branches = tuple(spec.action_spec.discrete_branches)
    if any(size < 1 for size in branches):
        raise TrainerError(
            f"The behavior {behavior} has the discrete branches {branches}; each needs at least one action."
        )
    name = settings.trainer_type
    factory = TRAINERS.get(name)
    if factory is None:
        plugin = plugin_trainers().get(name)
        if plugin is None:
            known = ", ".join(sorted({*TRAINERS, *plugin_trainers()}))
            raise TrainerError(f"The behavior {behavior}: there is no trainer '{name}' (available: {known}).")
        factory = plugin.factory
    return factory(behavior, spec, settings, seed=seed, device=device, learning=learning)
