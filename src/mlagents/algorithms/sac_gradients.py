"""Gradients of the soft actor-critic by autograd, for any network on any device."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from mlagents.algorithms import sac
from mlagents.algorithms.sac import PolicySample, SACBatch, Temperatures
from mlagents.algorithms.sac_networks import SACNetworks
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.networks.soft_critic import Encoding
from mlagents_envs.base_env import ActionSpec


class SACLosses(NamedTuple):
    """Means over the minibatches of an update.

    Attributes:
        q1: loss of the first critic.
        q2: loss of the second critic.
        policy: loss of the policy.
        entropy: of the policy: continuous actions and all branches together, nats.
        values: per reward stream, what the policy's actions are worth.
    """

    q1: float
    q2: float
    policy: float
    entropy: float
    values: list[float]


class SACGradients(Protocol):
    """Computes the gradients of one minibatch."""

    def compute(self, batch: SACBatch) -> None:
        """Overwrite the gradients of policy, critics and temperatures."""

    def take_losses(self) -> SACLosses:
        """Mean losses of the minibatches since the last call."""


class Pair(NamedTuple):
    """What the policy does at the decisions and at the next ones."""

    now: PolicySample
    following: PolicySample


class AutogradSACGradients:
    """Lets autograd differentiate the losses.

    Critics and policy are differentiated at the same weights, so that the critics' encodings of what was
    observed serve both. The policy's loss is differentiated by the policy's parameters only.

    Args:
        networks: what learns.
        settings: variants of the losses.
        spec: actions of the behavior.
    """

    def __init__(self, networks: SACNetworks, settings: SACSettings, spec: ActionSpec) -> None:
        self._networks = networks
        self._settings = settings
        self._spec = spec
        self._device = networks.flat_actor.values.device
        self._actor_parameters = list(networks.actor.parameters())
        self._critic_parameters = list(networks.critic.parameters())
        self._target_entropy = continuous_target(settings, spec)
        self._sums: Tensor | None = None
        self._minibatches = 0

    def compute(self, batch: SACBatch) -> None:
        """Overwrite the gradients of policy, critics and temperatures."""
        networks, spec = self._networks, self._spec
        alpha = self._temperatures()
        pair = self._policy(batch)
        targets = self._targets(batch, pair.following, alpha)
        encodings = self._encode(batch)

        values = networks.critic.evaluate(encodings, batch.continuous_actions)
        losses = [sac.critic_loss(each, targets, batch, spec) for each in values]
        networks.flat_critic.gradients.zero_()
        torch.autograd.backward(losses, inputs=self._critic_parameters)

        fixed = (encodings[0].detach(), encodings[1].detach())
        smaller = torch.minimum(*networks.critic.evaluate(fixed, pair.now.actions))
        per_row = sac.policy_loss(smaller, pair.now, alpha, spec)
        if batch.old_entropies is not None:
            penalty = sac.entropy_penalty(sac.branch_entropies(pair.now, spec), batch.old_entropies)
            per_row = per_row + self._settings.entropy_penalty * penalty
        policy_loss = sac.masked_mean(per_row, batch.mask)
        networks.flat_actor.gradients.zero_()
        torch.autograd.backward(policy_loss, inputs=self._actor_parameters)

        with torch.no_grad():
            self._differentiate_temperatures(pair.now, batch)
            self._note(batch, smaller, pair.now, torch.stack([*losses, policy_loss]))

    def _temperatures(self) -> Temperatures:
        alpha = self._networks.log_alpha.exp().to(self._device)
        begin = int(self._spec.continuous_size > 0)
        return Temperatures(alpha[0] if begin else alpha.new_zeros(()), alpha[begin:])

    def _policy(self, batch: SACBatch) -> Pair:
        actor = self._networks.actor
        if batch.sequence_length == 1:
            outputs, log_sigma, _ = actor(batch.inputs)
            with torch.no_grad():
                next_outputs, next_log_sigma, _ = actor(batch.next_inputs)
        else:
            both = actor(batch.inputs, batch.memory, batch.sequence_length + 1)[:2]
            (outputs, next_outputs), (log_sigma, next_log_sigma) = (
                now_and_next(each, batch.sequence_length) for each in both
            )
        now = sac.sample_policy(outputs, log_sigma, batch.noise, batch.allowed, self._spec)
        with torch.no_grad():
            following = sac.sample_policy(
                next_outputs, next_log_sigma, batch.next_noise, batch.next_allowed, self._spec
            )
        return Pair(now, following)

    def _targets(self, batch: SACBatch, following: PolicySample, alpha: Temperatures) -> Tensor:
        """``y = r + gamma V(s')``, ``[N, S]``, with the smaller of both targets' values."""
        with torch.no_grad():
            target = self._networks.target
            if batch.sequence_length == 1:
                encodings, _ = target.encode(batch.next_inputs)
            else:
                paths, _ = target.encode(batch.inputs, batch.target_memory, batch.sequence_length + 1)
                encodings = _parts(paths, batch.sequence_length, following=True)
            smaller = torch.minimum(*target.evaluate(encodings, following.actions))
            return batch.rewards + batch.discounts * sac.soft_values(smaller, following, alpha, self._spec)

    def _encode(self, batch: SACBatch) -> tuple[Encoding, Encoding]:
        critic = self._networks.critic
        if batch.sequence_length == 1:
            return critic.encode(batch.inputs)[0]
        paths, _ = critic.encode(batch.inputs, batch.critic_memory, batch.sequence_length + 1)
        return _parts(paths, batch.sequence_length, following=False)

    def _differentiate_temperatures(self, sample: PolicySample, batch: SACBatch) -> None:
        continuous, branches = sac.entropy_gaps(
            sample, batch, self._spec, self._target_entropy, self._settings.discrete_target_entropy
        )
        gaps = branches if not self._spec.continuous_size else torch.cat([continuous.view(1), branches])
        self._networks.alpha_gradient.copy_(-gaps)

    def _note(self, batch: SACBatch, smaller: Tensor, sample: PolicySample, losses: Tensor) -> None:
        entropies = sac.branch_entropies(sample, self._spec).sum(dim=1) - sample.log_prob
        values = sac.expected_values(smaller, sample.probs, self._spec)
        means = [sac.masked_mean(column, batch.mask) for column in (entropies, *values.unbind(dim=1))]
        sums = torch.cat([losses, torch.stack(means)])
        self._sums = sums if self._sums is None else self._sums + sums
        self._minibatches += 1

    def take_losses(self) -> SACLosses:
        """Mean losses of the minibatches since the last call."""
        assert self._sums is not None, "nothing was computed yet"
        q1, q2, policy, entropy, *values = (self._sums / self._minibatches).tolist()
        self._sums, self._minibatches = None, 0
        return SACLosses(q1, q2, policy, entropy, values)


def continuous_target(settings: SACSettings, spec: ActionSpec) -> float:
    """Entropy that the continuous actions should keep: minus their number, if not set."""
    target = settings.continuous_target_entropy
    return -float(spec.continuous_size) if target is None else target


def now_and_next(values: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Split paths of L + 1 steps ``[B · (L + 1), ...]`` into their first and last L, ``[B · L, ...]``."""
    paths = values.view(len(values) // (length + 1), length + 1, *values.shape[1:])
    return paths[:, :-1].flatten(0, 1), paths[:, 1:].flatten(0, 1)


def _parts(
    encodings: tuple[Encoding, Encoding], length: int, *, following: bool
) -> tuple[Encoding, Encoding]:
    first, second = (
        Encoding(*(now_and_next(part, length)[following] for part in encoding)) for encoding in encodings
    )
    return first, second
