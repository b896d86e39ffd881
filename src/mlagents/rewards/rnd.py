"""Random network distillation: reward for states unlike those seen before.

A network is trained to predict what another, random and frozen, makes of an observation. Where
observations like it were common, the prediction is good; where it fails, the state is new. After Burda et
al. 2018, arXiv 1810.12894.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mlagents.algorithms.module_optimizer import ModuleOptimizer
from mlagents.networks.body import Body
from mlagents.rewards.networks import MakeBody, encode
from mlagents.rewards.rnd_settings import RNDSettings
from mlagents.rewards.signal import in_chunks
from mlagents.rewards.statistics import (
    VECTORS,
    VECTORS_AND_IMAGES,
    ObservationStatistics,
    RewardScale,
)
from mlagents.rewards.transitions import TransitionBatch
from mlagents_envs.base_env import BehaviorSpec

MAX_GRADIENT_NORM = 10.0
"""Only steps off the scale are shortened."""


class RND:
    """The reward signal ``rnd``: ``|g(s') - f(s')|²`` of the predictor g and the target f.

    Observations are whitened, which keeps them in the range where a random network tells them apart; until
    their scale is known nothing is rewarded and nothing learned (§2.4).

    Args:
        settings: see :class:`RNDSettings`.
        spec: observations of the behavior.
        device: where batches are.
        seed: seed of the weights of both networks.
        make_body: makes each of them.
    """

    name = "rnd"
    ignores_done = True
    uses_next_observations = True

    def __init__(
        self,
        settings: RNDSettings,
        spec: BehaviorSpec,
        device: torch.device,
        seed: int,
        make_body: MakeBody = Body,
    ) -> None:
        self.gamma = settings.gamma
        self.strength = settings.strength
        self._settings = settings
        generator = torch.Generator().manual_seed(seed)
        specs, network = spec.observation_specs, settings.network_settings
        self.target = make_body(specs, network, generator).to(device).requires_grad_(False)
        self.predictor = make_body(specs, network, generator).to(device)
        self._optimizer = ModuleOptimizer(self.predictor.parameters(), MAX_GRADIENT_NORM)
        if settings.whiten_observations:
            self._observations = ObservationStatistics(specs, VECTORS_AND_IMAGES, device, pseudo_sample=False)
        else:
            kinds = VECTORS if network.normalize else frozenset()
            self._observations = ObservationStatistics(specs, kinds, device)
        self._warm_up = settings.warm_up_steps if settings.whiten_observations else 0
        self._num_seen = 0
        self._scale = RewardScale(settings.gamma)

    @property
    def is_warm(self) -> bool:
        """Whether enough observations were seen to reward and learn."""
        return self._num_seen >= self._warm_up

    def begin_iteration(self, batch: TransitionBatch, next_index: Tensor | None = None) -> None:
        """Move the statistics of observations, then those of rewards; see :class:`RewardSignal`."""
        self._observations.fold(batch.next_observations)
        self._num_seen += len(batch)
        if self.is_warm and self._settings.normalize_reward:
            self._scale.fold(in_chunks(self.errors, batch), next_index)

    def evaluate(self, batch: TransitionBatch) -> Tensor:
        """Reward ``[B]``: the error of the predictor, scaled; 0 before the end of the warm-up."""
        if not self.is_warm:
            return torch.zeros(len(batch), device=batch.done.device)
        errors = in_chunks(self.errors, batch)
        return errors / self._scale.deviation if self._settings.normalize_reward else errors

    def update(self, batch: TransitionBatch) -> dict[str, float]:
        """One gradient step of the predictor; returns its loss, the mean error."""
        if not self.is_warm:
            return {}
        loss = self.errors(batch).mean()
        self._optimizer.step(loss, self._settings.learning_rate)
        return {"Losses/RND Loss": loss.item()}

    def errors(self, batch: TransitionBatch) -> Tensor:
        """Squared distance ``[B]`` between prediction and target."""
        observations = self._observations.normalize(batch.next_observations)
        with torch.no_grad():
            target = encode(self.target, observations)
        return (encode(self.predictor, observations) - target).square().sum(dim=1)

    def get_state(self) -> dict[str, Any]:
        """Weights, optimiser and statistics; see :class:`RewardSignal`."""
        return {
            "modules": {
                "Module:RND-pred": self.predictor.state_dict(),
                "Module:RND-target": self.target.state_dict(),
            },
            "training": {
                "optimizer": self._optimizer.get_state(),
                "observations": self._observations.get_state(),
                "scale": self._scale.get_state(),
                "num_seen": self._num_seen,
            },
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.predictor.load_state_dict(state["modules"]["Module:RND-pred"])
        self.target.load_state_dict(state["modules"]["Module:RND-target"])
        training = state["training"]
        self._optimizer.set_state(training["optimizer"])
        self._observations.set_state(training["observations"])
        self._scale.set_state(training["scale"])
        self._num_seen = int(training["num_seen"])
