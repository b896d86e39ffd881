"""All reward signals of one behavior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mlagents.rewards.extrinsic import ExtrinsicSettings
from mlagents.rewards.registry import make_signal
from mlagents.rewards.signal import RewardSignal
from mlagents.settings.base import Settings
from mlagents.state_tree import to_tensors
from mlagents_envs.base_env import BehaviorSpec


class SignalSet:
    """Makes the signals that are configured, and keeps their state.

    Args:
        behavior: name of the behavior, for messages.
        spec: its observations and actions.
        settings: settings of the signals by name, in the order of the value heads.
        device: where signals learn.
        seed: seed of their networks and draws.
        learning: False where nothing will ever be learned; then no learned signal is made.

    Raises:
        TrainerError: a signal refuses the behavior.

    Attributes:
        names: all signals, in order.
        extrinsic: settings of the reward of the environment, None where it does not count.
        learned: signals that learn, by name.
    """

    def __init__(
        self,
        behavior: str,
        spec: BehaviorSpec,
        settings: Mapping[str, Settings],
        device: torch.device,
        seed: int,
        *,
        learning: bool = True,
    ) -> None:
        self.names = list(settings)
        self.extrinsic: ExtrinsicSettings | None = None
        self.learned: dict[str, RewardSignal] = {}
        for name, each in settings.items():
            if isinstance(each, ExtrinsicSettings):
                self.extrinsic = each
            elif learning:
                self.learned[name] = make_signal(name, each, spec, behavior, device, seed)

    @property
    def uses_next_observations(self) -> bool:
        """Whether any learned signal reads next observations."""
        return any(signal.uses_next_observations for signal in self.learned.values())

    def get_modules(self) -> dict[str, Any]:
        """Weights of the signals by the names of the original's checkpoints."""
        return {
            name: weights
            for signal in self.learned.values()
            for name, weights in signal.get_state()["modules"].items()
        }

    def get_training(self) -> dict[str, Any]:
        """Everything else that the future of each signal depends on, by name."""
        return {name: signal.get_state()["training"] for name, signal in self.learned.items()}

    def set_state(self, modules: dict[str, Any], training: dict[str, Any]) -> None:
        """Continue from what :meth:`get_modules` and :meth:`get_training` returned.

        Args:
            modules: weights by the names of the original's checkpoints, among others.
            training: the rest.

        Raises:
            ValueError: the state is of other signals.
        """
        if set(training) != set(self.learned):
            raise ValueError(f"its learned reward signals are {', '.join(sorted(training)) or 'none'}")
        for name, signal in self.learned.items():
            mine = {key: modules[key] for key in signal.get_state()["modules"]}
            signal.set_state({"modules": mine, "training": training[name]})

    def take_over(self, modules: dict[str, Any]) -> dict[str, Exception]:
        """Take over those weights of signals that fit.

        Args:
            modules: weights by the names of the original's checkpoints, among others.

        Returns:
            For each signal whose weights do not fit, and stay as they are, why.
        """
        misfits: dict[str, Exception] = {}
        for name, signal in self.learned.items():
            mine = to_tensors(signal.get_state())
            try:
                theirs = {key: modules[key] for key in mine["modules"]}
                signal.set_state({**mine, "modules": theirs})
            except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
                misfits[f"network of {name}"] = error
                signal.set_state(mine)
        return misfits
