"""Gradients of the soft actor-critic in closed form, for multilayer perceptrons on the CPU.

Same numbers as :mod:`mlagents.algorithms.sac_gradients`, but next to nothing is allocated or recorded, which
is what small networks spend their time on.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlagents.algorithms import sac_kernels as kernels
from mlagents.algorithms.sac import SACBatch
from mlagents.algorithms.sac_gradients import SACLosses, continuous_target
from mlagents.algorithms.sac_networks import SACNetworks
from mlagents.algorithms.sac_settings import SACSettings
from mlagents.networks.actor_critic import Mlp
from mlagents.networks.explicit_mlp import ExplicitMlp
from mlagents.networks.soft_critic import TwinCritic
from mlagents_envs.base_env import ActionSpec


class _Sample:
    """Room for what the policy does at B decisions; see :func:`kernels.sample_policy`.

    Attributes:
        joint: float32 ``[B, I + A]``, inputs of the critics: observations and the sampled actions.
    """

    def __init__(self, rows: int, inputs: int, spec: ActionSpec) -> None:
        choices = sum(spec.discrete_branches)
        self.joint = torch.empty(rows, inputs + spec.continuous_size)
        self.actions: NDArray[np.float32] = self.joint.numpy()[:, inputs:]
        self.log_prob = np.zeros(rows)
        self.probs = np.zeros((rows, choices))
        self.log_probs = np.zeros((rows, choices))


class ExplicitSACGradients:
    """Gradients without autograd, into the flat vectors of the networks.

    Args:
        networks: what learns: multilayer perceptrons on the CPU.
        settings: variants of the losses.
        spec: actions of the behavior.
        num_streams: reward streams, S.
    """

    def __init__(
        self, networks: SACNetworks, settings: SACSettings, spec: ActionSpec, num_streams: int
    ) -> None:
        policy = networks.actor.policy
        assert isinstance(policy, Mlp), "closed forms are for multilayer perceptrons"
        self._networks = networks
        self._settings = settings
        self._spec = spec
        self._actor = ExplicitMlp(policy)
        self._critics = _explicit(networks.critic)
        self._targets = _explicit(networks.target)
        self._inputs = policy.linear_layers()[0].in_features
        self._branch_ends = np.cumsum(np.array(spec.discrete_branches, dtype=np.int64))
        self._target_entropy = continuous_target(settings, spec)
        self._alpha = np.zeros(2 + spec.discrete_size)
        self._gaps = np.zeros(1 + spec.discrete_size)
        self._target_entropies = np.zeros(spec.discrete_size)
        self._no_entropies = np.zeros((0, spec.discrete_size), dtype=np.float32)
        self._sums = np.zeros(2 + num_streams)
        self._critic_sums = np.zeros(2)
        self._minibatches = 0
        self._allocate(settings.batch_size)

    def _allocate(self, rows: int) -> None:
        spec = self._spec
        self._rows = rows
        self._now, self._following = (_Sample(rows, self._inputs, spec) for _ in range(2))
        outputs = 2 * spec.continuous_size + sum(spec.discrete_branches)
        self._grad_outputs = torch.zeros(rows, outputs)
        values = (len(self._sums) - 2) * (sum(spec.discrete_branches) or 1)
        self._grad_values = [torch.zeros(rows, values) for _ in range(2)]
        self._target_values = np.zeros((rows, len(self._sums) - 2), dtype=np.float32)

    def compute(self, batch: SACBatch) -> None:
        """Overwrite the gradients of policy, critics and temperatures."""
        if len(batch) != self._rows:
            self._allocate(len(batch))
        temperatures = self._networks.alpha
        begin = int(self._spec.continuous_size == 0)
        self._alpha[begin : begin + len(temperatures)] = temperatures
        with torch.no_grad():
            self._compute_targets(batch)
            self._differentiate_critics(batch)
            self._differentiate_policy(batch)
        self._differentiate_temperatures(batch)
        self._minibatches += 1

    def _sample(self, inputs: Tensor, noise: Tensor, allowed: Tensor, sample: _Sample) -> Tensor:
        """Outputs of the policy ``[B, A + K + A]``; what it does goes to ``sample``."""
        outputs = self._actor.forward(inputs)
        sample.joint[:, : self._inputs] = inputs
        kernels.sample_policy(
            outputs.numpy(),
            noise.numpy(),
            self._branch_ends,
            allowed.numpy(),
            sample.actions,
            sample.log_prob,
            sample.probs,
            sample.log_probs,
        )
        return outputs

    def _compute_targets(self, batch: SACBatch) -> None:
        sample = self._following
        self._sample(batch.next_inputs[0], batch.next_noise, batch.next_allowed, sample)
        first, second = (target.forward(sample.joint).numpy() for target in self._targets)
        kernels.soft_targets(
            first,
            second,
            sample.log_prob,
            sample.probs,
            sample.log_probs,
            self._branch_ends,
            self._alpha,
            batch.rewards.numpy(),
            batch.discounts.numpy(),
            self._target_values,
        )

    def _differentiate_critics(self, batch: SACBatch) -> None:
        joint = self._now.joint
        joint[:, : self._inputs] = batch.inputs[0]
        joint[:, self._inputs :] = batch.continuous_actions
        for index, critic in enumerate(self._critics):
            gradients = self._grad_values[index]
            self._critic_sums[index] += kernels.critic_gradients(
                critic.forward(joint).numpy(),
                self._target_values,
                batch.discrete_actions.numpy(),
                self._branch_ends,
                gradients.numpy(),
            )
            critic.backward(gradients)

    def _differentiate_policy(self, batch: SACBatch) -> None:
        sample, size = self._now, self._spec.continuous_size
        outputs = self._sample(batch.inputs[0], batch.noise, batch.allowed, sample)
        first, second = (critic.forward(sample.joint).numpy() for critic in self._critics)
        old = batch.old_entropies
        grad_outputs = self._grad_outputs.numpy()
        kernels.policy_gradients(
            first,
            second,
            sample.log_prob,
            sample.probs,
            sample.log_probs,
            self._branch_ends,
            batch.allowed.numpy(),
            self._alpha,
            self._no_entropies if old is None else old.numpy(),
            self._settings.entropy_penalty,
            size,
            self._grad_values[0].numpy(),
            self._grad_values[1].numpy(),
            grad_outputs,
            self._gaps,
            self._sums,
        )
        if size:
            by_first, by_second = (
                critic.input_gradient(gradients, self._inputs).numpy()
                for critic, gradients in zip(self._critics, self._grad_values, strict=True)
            )
            kernels.action_gradients(
                by_first,
                by_second,
                outputs.numpy(),
                batch.noise.numpy(),
                sample.actions,
                self._alpha[0],
                grad_outputs,
            )
        self._actor.backward(self._grad_outputs)

    def _differentiate_temperatures(self, batch: SACBatch) -> None:
        """Minus target entropy minus entropy; see :func:`mlagents.algorithms.sac.entropy_gaps`."""
        gradient = self._networks.alpha_gradient.numpy()
        begin = int(self._spec.continuous_size > 0)
        if begin:
            gradient[0] = -(self._gaps[0] + self._target_entropy)
        if self._spec.discrete_size:
            kernels.mean_target_entropies(
                batch.allowed.numpy(),
                self._branch_ends,
                self._settings.discrete_target_entropy,
                self._target_entropies,
            )
            gradient[begin:] = -(self._gaps[1:] + self._target_entropies)

    def take_losses(self) -> SACLosses:
        """Mean losses of the minibatches since the last call."""
        assert self._minibatches, "nothing was computed yet"
        q1, q2 = (self._critic_sums / self._minibatches).tolist()
        policy, entropy, *values = (self._sums / self._minibatches).tolist()
        self._sums[:] = 0.0
        self._critic_sums[:] = 0.0
        self._minibatches = 0
        return SACLosses(q1, q2, policy, entropy, values)


def _explicit(critic: TwinCritic) -> tuple[ExplicitMlp, ExplicitMlp]:
    first, second = critic.first.mlp, critic.second.mlp
    assert first is not None, "closed forms are for multilayer perceptrons"
    assert second is not None
    return ExplicitMlp(first), ExplicitMlp(second)
