"""Generative adversarial imitation: reward for what a discriminator takes for the expert's.

A discriminator learns to tell the transitions of demonstrations from those of the policy (Ho and Ermon
2016, arXiv 1606.03476); the policy is rewarded for fooling it. Five choices are not those of that paper:

- The reward is ``ln D - ln(1 - D)``, the logit (Fu et al. 2017, arXiv 1710.11248). ``-ln(1 - D)`` is never
  negative, so that it pays to live long, whatever the expert did; ``ln D`` is never positive, so that it
  pays to die (Kostrikov et al. 2018, arXiv 1809.02925, §4.1).
- What follows the real end of an episode is an absorbing state that is judged like any other (same, §4.2).
  Its rewards for ever after, ``sum_k gamma^k r`` from k = 1, are added to the last reward. So ending an
  episode is good or bad as far as the expert did it too.
- Gradients of the logit with respect to *all* inputs are kept from exceeding norm 1 between the two kinds of
  transitions, at points with one mixing factor per transition (Gulrajani et al. 2017, arXiv 1704.00028,
  eq. 3). Of the logit and not of D, as the penalty is on what is not squashed; and one-sided (Petzka et al.
  2018, arXiv 1709.08894, eq. 8), as a perfect imitation is judged alike everywhere, with slope 0.
- Actions are compared in environment units, the units of demonstrations.
- With ``use_vail`` a bottleneck limits what the discriminator knows, and so how sharply it can judge
  (Peng et al. 2019, arXiv 1810.00821, eq. 9, 11, 12).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mlagents.algorithms.module_optimizer import ModuleOptimizer
from mlagents.imitation.demonstration_buffer import DemonstrationBuffer
from mlagents.networks.body import Body
from mlagents.rewards.discriminator import BOTTLENECK_SIZE, Discriminator
from mlagents.rewards.gail_settings import GAILSettings, RewardForm
from mlagents.rewards.networks import MakeBody
from mlagents.rewards.signal import in_chunks
from mlagents.rewards.statistics import VECTORS, ObservationStatistics
from mlagents.rewards.transitions import TransitionBatch, flat_action_size, flatten_actions
from mlagents_envs.base_env import BehaviorSpec

GRADIENT_PENALTY_WEIGHT = 10.0
MAX_GRADIENT_NORM = 10.0
"""Only steps off the scale are shortened."""
MUTUAL_INFORMATION = 0.5
"""Bound on the mean divergence of the code, I_c, in nats."""
BETA_STEP = 5e-4
"""Step size of the Lagrange multiplier of that bound."""
LONGEST_TAIL = 1000.0
"""Most decisions' worth of reward that follow the end of an episode, where gamma is close to 1."""
_TINY = 1e-12
_FOLD_ROWS = 4096


class _Inputs(NamedTuple):
    """What the discriminator sees: observations, normalised, and the rest ``[B, extra]``."""

    observations: tuple[Tensor, ...]
    extra: Tensor


class GAIL:
    """The reward signal ``gail``.

    Args:
        settings: see :class:`GAILSettings`.
        spec: observations and actions of the behavior.
        demonstrations: what the expert did.
        device: where batches are.
        seed: seed of weights, mixing factors, noise and the choice of demonstrations.
        make_body: makes the body of the discriminator.

    Attributes:
        beta: Lagrange multiplier of the bottleneck.
    """

    name = "gail"
    ignores_done = False
    uses_next_observations = False

    def __init__(
        self,
        settings: GAILSettings,
        spec: BehaviorSpec,
        demonstrations: DemonstrationBuffer,
        device: torch.device,
        seed: int,
        make_body: MakeBody = Body,
    ) -> None:
        self.gamma = settings.gamma
        self.strength = settings.strength
        self.beta = 0.0
        self._settings = settings
        self._action_spec = spec.action_spec
        self._demonstrations = demonstrations
        self._device = device
        self._rng = np.random.default_rng(seed)
        action_size = flat_action_size(spec.action_spec) if settings.use_actions else 0
        self._extra_size = action_size + int(settings.absorbing_states)
        self.network = Discriminator(
            spec.observation_specs,
            self._extra_size,
            settings.network_settings,
            torch.Generator().manual_seed(seed),
            bottleneck=settings.use_vail,
            make_body=make_body,
        ).to(device)
        self._optimizer = ModuleOptimizer(self.network.parameters(), MAX_GRADIENT_NORM)
        kinds = VECTORS if settings.network_settings.normalize else frozenset()
        self._observations = ObservationStatistics(spec.observation_specs, kinds, device)
        if kinds:
            for begin in range(0, len(demonstrations), _FOLD_ROWS):
                rows = np.arange(begin, min(begin + _FOLD_ROWS, len(demonstrations)))
                self._observations.fold(demonstrations.transitions(rows, device).observations)
        horizon = settings.gamma / max(1.0 - settings.gamma, _TINY)
        self._tail = min(horizon, LONGEST_TAIL)

    def begin_iteration(self, batch: TransitionBatch, next_index: Tensor | None = None) -> None:
        """Move the statistics of observations; see :class:`RewardSignal`."""
        self._observations.fold(batch.observations)

    def evaluate(self, batch: TransitionBatch) -> Tensor:
        """Reward ``[B]``: the judgement of each transition; at real ends that of all that follows too."""
        rewards = in_chunks(lambda rows: self._reward(self._inputs(rows)), batch)
        if self._settings.absorbing_states and batch.done.any():
            with torch.no_grad():
                after = self._reward(self._absorbing(batch, 1))
            rewards = rewards + self._tail * after * batch.done
        return rewards

    def update(self, batch: TransitionBatch) -> dict[str, float]:
        """One gradient step against as many transitions of the expert; returns losses and judgements."""
        rows = self._rng.integers(len(self._demonstrations), size=len(batch))
        expert = self._demonstrations.transitions(rows, self._device)
        loss, stats = self._loss(self._inputs(batch), self._inputs(expert), batch, expert)
        self._optimizer.step(loss, self._settings.learning_rate)
        if self._settings.use_vail:
            excess = stats["Losses/GAIL KL Loss"] - MUTUAL_INFORMATION
            self.beta = max(0.0, self.beta + BETA_STEP * excess)
            stats["Policy/GAIL Beta"] = self.beta
        return stats

    def _loss(
        self, policy: _Inputs, expert: _Inputs, policy_batch: TransitionBatch, expert_batch: TransitionBatch
    ) -> tuple[Tensor, dict[str, float]]:
        """``-mean ln D(expert) - mean ln(1 - D(policy))``, the penalty, and the bottleneck's term."""
        policy, expert = self._with_ends(policy, policy_batch), self._with_ends(expert, expert_batch)
        penalty = GRADIENT_PENALTY_WEIGHT * self.gradient_penalty(policy, expert)
        policy_logits, policy_divergence = self._judge(policy)
        expert_logits, expert_divergence = self._judge(expert)
        loss = (
            functional.softplus(-expert_logits).mean() + functional.softplus(policy_logits).mean() + penalty
        )
        stats = {
            "Policy/GAIL Policy Estimate": policy_logits.sigmoid().mean().item(),
            "Policy/GAIL Expert Estimate": expert_logits.sigmoid().mean().item(),
            "Policy/GAIL Grad Mag Loss": penalty.item(),
        }
        if policy_divergence is not None and expert_divergence is not None:
            divergence = 0.5 * (policy_divergence.mean() + expert_divergence.mean())
            loss = loss + self.beta * (divergence - MUTUAL_INFORMATION)
            stats["Losses/GAIL KL Loss"] = divergence.item()
        stats["Losses/GAIL Loss"] = loss.item()
        return loss, stats

    def gradient_penalty(self, policy: _Inputs, expert: _Inputs) -> Tensor:
        """Mean of ``max(0, |gradient of the logit| - 1)²`` over random points between pairs of inputs.

        Row by row; where one side has fewer rows, they are used again from the first on.
        """
        count = max(len(policy.extra), len(expert.extra))
        rows = torch.arange(count, device=self._device)
        mixing = self._uniform(count)

        def mix(one: Tensor, other: Tensor) -> Tensor:
            factor = mixing.view(-1, *[1] * (one.dim() - 1))
            point = factor * one[rows % len(one)] + (1.0 - factor) * other[rows % len(other)]
            return point.detach().requires_grad_()

        pairs = zip(policy.observations, expert.observations, strict=True)
        observations = tuple(mix(one, other) for one, other in pairs)
        extra = mix(policy.extra, expert.extra)
        points = [*observations, extra] if self._extra_size else [*observations]
        logits = self.network.logits(self.network.features(observations, extra))
        gradients = torch.autograd.grad(logits.sum(), points, create_graph=True)
        squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients])
        norms = (squares.sum(dim=0) + _TINY).sqrt()  # the root has no slope at 0
        return functional.relu(norms - 1.0).square().mean()

    def _judge(self, inputs: _Inputs) -> tuple[Tensor, Tensor | None]:
        """Logits ``[B]``, and the divergence of the code ``[B]`` where there is a bottleneck."""
        features = self.network.features(*inputs)
        if not self._settings.use_vail:
            return self.network.logits(features), None
        noise = self._rng.standard_normal((len(features), BOTTLENECK_SIZE), dtype=np.float32)
        logits = self.network.logits(features, torch.from_numpy(noise).to(self._device))
        return logits, self.network.code_divergence(features)

    def _reward(self, inputs: _Inputs) -> Tensor:
        logits = self.network.logits(self.network.features(*inputs))
        if self._settings.reward_form is RewardForm.LOG_ODDS:
            return logits
        return functional.softplus(logits)  # -ln(1 - D)

    def _inputs(self, batch: TransitionBatch) -> _Inputs:
        parts = []
        if self._settings.use_actions:
            parts.append(flatten_actions(batch.continuous_actions, batch.discrete_actions, self._action_spec))
        if self._settings.absorbing_states:
            parts.append(torch.zeros(len(batch), 1, device=self._device))
        extra = torch.cat(parts, dim=1) if parts else torch.zeros(len(batch), 0, device=self._device)
        return _Inputs(self._observations.normalize(batch.observations), extra)

    def _absorbing(self, batch: TransitionBatch, count: int) -> _Inputs:
        """``count`` absorbing states: zeros, but for the mark in the last column."""
        observations = tuple(column.new_zeros(count, *column.shape[1:]) for column in batch.observations)
        extra = torch.zeros(count, self._extra_size, device=self._device)
        extra[:, -1] = 1.0
        return _Inputs(observations, extra)

    def _with_ends(self, inputs: _Inputs, batch: TransitionBatch) -> _Inputs:
        """The inputs, and one absorbing state for each of them that ended an episode."""
        ends = int(batch.done.sum()) if self._settings.absorbing_states else 0
        if not ends:
            return inputs
        after = self._absorbing(batch, ends)
        pairs = zip(inputs.observations, after.observations, strict=True)
        return _Inputs(tuple(torch.cat(pair) for pair in pairs), torch.cat([inputs.extra, after.extra]))

    def _uniform(self, count: int) -> Tensor:
        draws: NDArray[np.float32] = self._rng.random(count, dtype=np.float32)
        return torch.from_numpy(draws).to(self._device)

    def get_state(self) -> dict[str, Any]:
        """Weights, optimiser, statistics and randomness; see :class:`RewardSignal`."""
        return {
            "modules": {"Module:GAIL": self.network.state_dict()},
            "training": {
                "optimizer": self._optimizer.get_state(),
                "observations": self._observations.get_state(),
                "beta": self.beta,
                "rng": self._rng.bit_generator.state,
            },
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state returned by :meth:`get_state`."""
        self.network.load_state_dict(state["modules"]["Module:GAIL"])
        training = state["training"]
        self._optimizer.set_state(training["optimizer"])
        self._observations.set_state(training["observations"])
        self.beta = float(training["beta"])
        self._rng.bit_generator.state = training["rng"]
