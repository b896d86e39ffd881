"""Actor and critic for any mix of observations, with goals and memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlagents.networks.body import Body
from mlagents.networks.heads import action_head, value_head
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, ObservationSpec


class Branch(nn.Module):
    """A body with a linear head.

    Args:
        body: encodes observations.
        head: sits on the encoding.
    """

    def __init__(self, body: Body, head: nn.Linear) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(
        self, inputs: Sequence[Tensor], memory: Tensor | None, sequence_length: int
    ) -> tuple[Tensor, Tensor]:
        """The head's outputs ``[N, outputs]`` and the memory ``[N / L, m]`` after each sequence."""
        encoding, after = self.body(inputs, memory, None, sequence_length)
        return self.head(encoding), after


class GeneralActorCritic(nn.Module):
    """Policy and value, with a body each, or with one for both.

    Rows are steps: N rows are N / L sequences of L consecutive rows. Actor and critic remember separately,
    m floats each; with a shared critic there is one memory, the actor's.

    Args:
        specs: the network's inputs.
        action_spec: actions of the behavior: A continuous ones, branches with K choices in all.
        settings: shape of the bodies.
        num_value_heads: reward streams, S.
        generator: source of initial weights.
        shared_critic: whether the values are computed from the actor's encoding.

    Raises:
        UnsupportedObservationError: an image is too small for its encoder, or a goal is a list of entities.

    Attributes:
        action_spec: actions of the behavior.
        actor: body and head of the policy.
        critic: body and head of the values; only the head with a shared critic.
        log_sigma: float32 ``[A]``, spread of the continuous actions, a free parameter.
        actor_memory_size: m, 0 without memory.
        critic_memory_size: m, 0 without memory or with a shared critic.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        action_spec: ActionSpec,
        settings: NetworkSettings,
        num_value_heads: int,
        generator: torch.Generator,
        *,
        shared_critic: bool = False,
    ) -> None:
        super().__init__()
        self.action_spec = action_spec
        body = Body(specs, settings, generator)
        self.actor = Branch(body, action_head(body.output_size, action_spec, generator))
        self.actor_memory_size = body.memory_size
        self.critic: Branch | nn.Linear
        if shared_critic:
            self.critic = value_head(body.output_size, num_value_heads, generator)
            self.critic_memory_size = 0
        else:
            body = Body(specs, settings, generator)
            self.critic = Branch(body, value_head(body.output_size, num_value_heads, generator))
            self.critic_memory_size = body.memory_size
        self.log_sigma = nn.Parameter(torch.zeros(action_spec.continuous_size))

    def forward(
        self,
        inputs: Sequence[Tensor],
        actor_memory: Tensor | None = None,
        critic_memory: Tensor | None = None,
        sequence_length: int = 1,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute policy outputs and values.

        Args:
            inputs: float32 ``[N, *shape_i]`` each, vectors already normalised.
            actor_memory: float32 ``[N / L, actor_memory_size]`` at the start of each sequence; None: zeros.
            critic_memory: float32 ``[N / L, critic_memory_size]``, likewise.
            sequence_length: L.

        Returns:
            Action means and logits ``[N, A + K]``, values ``[N, S]``, and both memories after each sequence.
        """
        if isinstance(self.critic, Branch):
            outputs, actor_after = self.actor(inputs, actor_memory, sequence_length)
            values, critic_after = self.critic(inputs, critic_memory, sequence_length)
            return outputs, values, actor_after, critic_after
        encoding, after = self.actor.body(inputs, actor_memory, None, sequence_length)
        return self.actor.head(encoding), self.critic(encoding), after, after.new_zeros(len(after), 0)

    def act(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The policy alone: means and logits ``[N, A + K]``, and its memory after each sequence."""
        outputs, after = self.actor(inputs, memory, sequence_length)
        return outputs, after

    def value(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The values alone: ``[N, S]``, and the memory after each sequence.

        The memory is the critic's own; with a shared critic, the actor's.
        """
        if isinstance(self.critic, Branch):
            values, after = self.critic(inputs, memory, sequence_length)
            return values, after
        encoding, after = self.actor.body(inputs, memory, None, sequence_length)
        return self.critic(encoding), after
