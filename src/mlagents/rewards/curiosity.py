"""Curiosity: reward where the outcome of an action was predicted badly.

The intrinsic curiosity module (Pathak et al. 2017, arXiv 1705.05363) learns features of observations by
guessing from two successive ones which action led from one to the other, so that the features hold what
the agent can influence and little else. The error in predicting the next features is the reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlagents.algorithms.module_optimizer import ModuleOptimizer
from mlagents.networks.body import Body
from mlagents.networks.settings import NetworkSettings
from mlagents.rewards.curiosity_settings import CuriositySettings
from mlagents.rewards.networks import MakeBody, encode, make_mlp
from mlagents.rewards.signal import in_chunks
from mlagents.rewards.statistics import VECTORS, ObservationStatistics, RewardScale
from mlagents.rewards.transitions import TransitionBatch, flat_action_size, flatten_actions
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, ObservationSpec

FORWARD_WEIGHT = 0.2
"""Share of the forward loss, beta of the paper; the inverse loss has the rest."""
LOSS_SCALE = 10.0
MODEL_UNITS = 256
"""Width of the hidden layer of forward and inverse model."""
MAX_GRADIENT_NORM = 10.0
"""Only steps off the scale are shortened."""


class CuriosityNetwork(nn.Module):
    """Features of observations, inverse model and forward model.

    Args:
        specs: observations.
        action_spec: actions.
        settings: shape of the feature network.
        generator: source of initial weights.
        make_body: makes the feature network.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        action_spec: ActionSpec,
        settings: NetworkSettings,
        generator: torch.Generator,
        make_body: MakeBody = Body,
    ) -> None:
        super().__init__()
        self.action_spec = action_spec
        self.features = make_body(specs, settings, generator)
        size, actions = self.features.output_size, flat_action_size(action_spec)
        self.inverse_model = make_mlp([2 * size, MODEL_UNITS, actions], generator)
        self.forward_model = make_mlp([size + actions, MODEL_UNITS, size], generator)

    def encode_both(
        self, observations: Sequence[Tensor], next_observations: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Features ``[B, F]`` of both sides of transitions, in one pass.

        They are brought to mean 0 and deviation 1 per row. Their size would otherwise follow that of the
        observations and grow as the inverse model learns, and one far-off observation would be worth more
        than all others together.
        """
        pairs = zip(observations, next_observations, strict=True)
        both = encode(self.features, tuple(torch.cat(pair) for pair in pairs))
        before, after = functional.layer_norm(both, both.shape[1:]).chunk(2)
        return before, after

    def forward_errors(self, before: Tensor, after: Tensor, actions: Tensor) -> Tensor:
        """``½ |f(phi(s), a) - phi(s')|²`` (eq. 5), ``[B]``.

        Args:
            before: features phi(s), float32 ``[B, F]``.
            after: features phi(s'), float32 ``[B, F]``.
            actions: float32 ``[B, A + K]``, see :func:`flatten_actions`.
        """
        prediction = self.forward_model(torch.cat([before, actions], dim=1))
        errors: Tensor = 0.5 * (prediction - after).square().sum(dim=1)
        return errors

    def inverse_errors(self, before: Tensor, after: Tensor, batch: TransitionBatch) -> Tensor:
        """How badly the action is guessed (eq. 3), ``[B]``.

        Squared error summed over continuous actions, plus cross-entropy summed over discrete branches.
        """
        guess = self.inverse_model(torch.cat([before, after], dim=1))
        begin = self.action_spec.continuous_size
        errors: Tensor = (guess[:, :begin] - batch.continuous_actions).square().sum(dim=1)
        for branch, choices in enumerate(self.action_spec.discrete_branches):
            logits = guess[:, begin : begin + choices]
            errors = errors + functional.cross_entropy(
                logits, batch.discrete_actions[:, branch], reduction="none"
            )
            begin += choices
        return errors


class Curiosity:
    """The reward signal ``curiosity``.

    The loss is ``10 (0.2 L_forward + 0.8 L_inverse)`` (eq. 7 without its policy term). The features learn
    from the inverse model alone: if they also followed the forward model, they could make themselves easy to
    predict instead of informative (Burda et al. 2018, arXiv 1808.04355, §2.1).

    Args:
        settings: see :class:`CuriositySettings`.
        spec: observations and actions of the behavior.
        device: where batches are.
        seed: seed of the initial weights.
        make_body: makes the feature network.
    """

    name = "curiosity"
    ignores_done = True
    uses_next_observations = True

    def __init__(
        self,
        settings: CuriositySettings,
        spec: BehaviorSpec,
        device: torch.device,
        seed: int,
        make_body: MakeBody = Body,
    ) -> None:
        self.gamma = settings.gamma
        self.strength = settings.strength
        self._settings = settings
        generator = torch.Generator().manual_seed(seed)
        self.network = CuriosityNetwork(
            spec.observation_specs, spec.action_spec, settings.network_settings, generator, make_body
        ).to(device)
        self._optimizer = ModuleOptimizer(self.network.parameters(), MAX_GRADIENT_NORM)
        kinds = VECTORS if settings.network_settings.normalize else frozenset()
        self._observations = ObservationStatistics(spec.observation_specs, kinds, device)
        self._scale = RewardScale(settings.gamma)
        self._has_learned = False

    def begin_iteration(self, batch: TransitionBatch, next_index: Tensor | None = None) -> None:
        """Move the statistics of observations, then those of rewards; see :class:`RewardSignal`."""
        self._observations.fold(batch.observations)
        if self._has_learned and self._settings.normalize_reward:
            self._scale.fold(in_chunks(self._errors, batch), next_index)

    def evaluate(self, batch: TransitionBatch) -> Tensor:
        """Reward ``[B]``: the error of the forward model, scaled; 0 before anything was learned."""
        if not self._has_learned:
            return torch.zeros(len(batch), device=batch.done.device)
        errors = in_chunks(self._errors, batch)
        if self._settings.normalize_reward:
            return errors / self._scale.deviation
        return errors.clamp(max=1.0 / self.strength) if self.strength else errors

    def update(self, batch: TransitionBatch) -> dict[str, float]:
        """One gradient step; returns both losses, means over the batch."""
        forward_loss, inverse_loss = self.losses(batch)
        loss = LOSS_SCALE * (FORWARD_WEIGHT * forward_loss + (1.0 - FORWARD_WEIGHT) * inverse_loss)
        self._optimizer.step(loss, self._settings.learning_rate)
        self._has_learned = True
        return {
            "Losses/Curiosity Forward Loss": forward_loss.item(),
            "Losses/Curiosity Inverse Loss": inverse_loss.item(),
        }

    def losses(self, batch: TransitionBatch) -> tuple[Tensor, Tensor]:
        """Forward and inverse loss, two scalars: means over the batch."""
        before, after = self._encode(batch)
        actions = self._actions(batch)
        forward_loss = self.network.forward_errors(before.detach(), after.detach(), actions).mean()
        return forward_loss, self.network.inverse_errors(before, after, batch).mean()

    def _errors(self, batch: TransitionBatch) -> Tensor:
        before, after = self._encode(batch)
        return self.network.forward_errors(before, after, self._actions(batch))

    def _encode(self, batch: TransitionBatch) -> tuple[Tensor, Tensor]:
        normalize = self._observations.normalize
        return self.network.encode_both(normalize(batch.observations), normalize(batch.next_observations))

    def _actions(self, batch: TransitionBatch) -> Tensor:
        return flatten_actions(batch.continuous_actions, batch.discrete_actions, self.network.action_spec)

    def get_state(self) -> dict[str, Any]:
        """Weights, optimiser and statistics; see :class:`RewardSignal`."""
        return {
            "modules": {"Module:Curiosity": self.network.state_dict()},
            "training": {
                "optimizer": self._optimizer.get_state(),
                "observations": self._observations.get_state(),
                "scale": self._scale.get_state(),
                "has_learned": self._has_learned,
            },
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.network.load_state_dict(state["modules"]["Module:Curiosity"])
        training = state["training"]
        self._optimizer.set_state(training["optimizer"])
        self._observations.set_state(training["observations"])
        self._scale.set_state(training["scale"])
        self._has_learned = bool(training["has_learned"])
