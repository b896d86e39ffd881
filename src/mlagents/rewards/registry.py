"""Makes the reward signal that a name in the configuration stands for."""

from __future__ import annotations

import numpy as np
import torch

from mlagents.imitation.demonstration_buffer import load_demonstrations
from mlagents.networks.observation_kinds import UnsupportedObservationError
from mlagents.rewards.curiosity import Curiosity
from mlagents.rewards.curiosity_settings import CuriositySettings
from mlagents.rewards.gail import GAIL
from mlagents.rewards.gail_settings import GAILSettings
from mlagents.rewards.rnd import RND
from mlagents.rewards.rnd_settings import RNDSettings
from mlagents.rewards.signal import RewardSignal
from mlagents.settings.base import Settings
from mlagents_envs.base_env import BehaviorSpec


def make_signal(
    name: str,
    settings: Settings,
    spec: BehaviorSpec,
    behavior: str,
    device: torch.device | str,
    seed: int,
) -> RewardSignal:
    """A learned reward signal; demonstrations that it needs are read.

    Args:
        name: name in the configuration: curiosity, rnd or gail.
        settings: settings of the class registered for that name.
        spec: observations and actions of the behavior.
        behavior: its name, for messages.
        device: where transitions will be.
        seed: seed of the run; every signal draws differently from it.

    Raises:
        DemonstrationError: a demonstration cannot be read.
        TrainerError: a demonstration is of another behavior.
        ValueError: there is no such learned signal.
    """
    device = torch.device(device)
    seed = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0])
    try:
        match settings:
            case CuriositySettings():
                return Curiosity(settings, spec, device, seed)
            case RNDSettings():
                return RND(settings, spec, device, seed)
            case GAILSettings():
                demonstrations = load_demonstrations(
                    settings.demo_path, behavior, spec, settings.demo_alignment
                )
                return GAIL(settings, spec, demonstrations, device, seed)
    except UnsupportedObservationError as error:
        raise UnsupportedObservationError(f"behavior {behavior}, reward signal {name}: {error}") from None
    raise ValueError(f"there is no learned reward signal '{name}'")
