"""What behavioral cloning needs to know of a policy: the probability it gives to the expert's action."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlagents.networks.action_kernels import ACTION_LIMIT
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents_envs.base_env import ActionSpec

LARGEST_SQUASHED = 0.999
"""Expert actions beyond are taken as this: tanh reaches 1 nowhere, and close to it a step is a long way."""

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_FORBIDDEN = -1e8


class ActFunction(Protocol):
    """The acting half of a network."""

    def __call__(
        self, inputs: Sequence[Tensor], memory: Tensor | None, sequence_length: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Evaluate N rows, which are N / L sequences of L consecutive rows.

        Args:
            inputs: float32 ``[N, *shape_i]`` each, encoded and normalised.
            memory: float32 ``[N / L, m]`` at the start of each sequence; None: zeros.
            sequence_length: L.

        Returns:
            Means and logits ``[N, A + K]``; log-deviations ``[A]`` or ``[N, A]``; memory after each sequence.
        """


@dataclass(frozen=True, slots=True)
class ClonedPolicy:
    """A policy to be cloned into.

    Attributes:
        act: its network.
        parameters: what cloning changes: the actor's parameters.
        action_spec: its actions.
        squashed: True where an action is ``tanh(u)`` of the Gaussian u, as in SAC; False where it is
            ``clamp(u, -3, 3) / 3``, as in PPO.
        memory_size: floats that it remembers, m; 0 for none.
    """

    act: ActFunction
    parameters: list[nn.Parameter]
    action_spec: ActionSpec
    squashed: bool
    memory_size: int = 0

    @classmethod
    def of_actor_critic(cls, network: ActorCritic | GeneralActorCritic) -> ClonedPolicy:
        """The policy of the actor-critic networks of PPO."""

        def act(
            inputs: Sequence[Tensor], memory: Tensor | None, sequence_length: int
        ) -> tuple[Tensor, Tensor, Tensor]:
            outputs, after = network.act(inputs, memory, sequence_length)
            return outputs, network.log_sigma, after

        parameters = [*network.actor.parameters(), network.log_sigma]
        return cls(
            act, parameters, network.action_spec, squashed=False, memory_size=network.actor_memory_size
        )

    def log_probs(
        self, outputs: Tensor, log_sigma: Tensor, continuous: Tensor, discrete: Tensor, allowed: Tensor
    ) -> Tensor:
        """Log-probability (density) of whole actions, ``[N]``.

        ``sum_d log N(u_d; mu_d, sigma_d) + sum_b log softmax(logits_b)[choice_b]`` with u as in
        :func:`gaussian_actions`. The density is that of u; the density of the action differs by a term
        that does not depend on the policy.

        Args:
            outputs: float32 ``[N, A + K]``.
            log_sigma: float32 ``[A]`` or ``[N, A]``.
            continuous: float32 ``[N, A]``, environment units.
            discrete: int64 ``[N, D]``.
            allowed: bool ``[N, K]``; forbidden choices have probability 0.
        """
        begin = self.action_spec.continuous_size
        z = (gaussian_actions(continuous, squashed=self.squashed) - outputs[:, :begin]) * torch.exp(
            -log_sigma
        )
        total = (-0.5 * z.square() - log_sigma - _HALF_LOG_TWO_PI).sum(dim=1)
        logits = outputs[:, begin:].masked_fill(~allowed, _FORBIDDEN)
        begin = 0
        for branch, choices in enumerate(self.action_spec.discrete_branches):
            log_softmax = functional.log_softmax(logits[:, begin : begin + choices], dim=1)
            total = total + log_softmax.gather(1, discrete[:, branch : branch + 1]).squeeze(1)
            begin += choices
        return total


def gaussian_actions(continuous: Tensor, *, squashed: bool) -> Tensor:
    """What a Gaussian policy must draw so that the environment gets these actions.

    Args:
        continuous: float32, environment units, -1 to 1.
        squashed: whether actions are ``tanh(u)`` rather than ``clamp(u, -3, 3) / 3``.
    """
    if squashed:
        return torch.atanh(continuous.clamp(-LARGEST_SQUASHED, LARGEST_SQUASHED))
    return ACTION_LIMIT * continuous
