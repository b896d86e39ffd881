"""The policy of the soft actor-critic: a squashed Gaussian whose spread depends on what is observed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mlagents.networks.actor_critic import Mlp
from mlagents.networks.body import Body
from mlagents.networks.general_actor_critic import Branch
from mlagents.networks.heads import MEAN_GAIN, initialize_actions
from mlagents.networks.initialization import empty_linear, kaiming_normal
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, ObservationSpec

LOG_SIGMA_MIN, LOG_SIGMA_MAX = -20.0, 2.0
"""Range of the logarithm of the deviation, before squashing."""


class SquashedActor(nn.Module):
    """From observations to distributions of actions.

    Continuous actions are ``tanh(mu + sigma * noise)`` (arXiv 1812.05905, appendix C), discrete ones are
    drawn from a softmax per branch. The last layer gives means, logits and logarithms of the deviations, in
    this order.

    Args:
        specs: the network's inputs; one vector where ``flat``.
        action_spec: actions of the behavior: A continuous ones, branches with K choices in all.
        settings: shape of the network.
        generator: source of initial weights.
        flat: make a multilayer perceptron, for which there is fast code.

    Raises:
        UnsupportedObservationError: an image is too small for its encoder, or a goal is a list of entities.

    Attributes:
        action_spec: actions of the behavior.
        policy: all layers.
        actor_memory_size: floats that the policy remembers, m; 0 without memory.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        action_spec: ActionSpec,
        settings: NetworkSettings,
        generator: torch.Generator,
        *,
        flat: bool,
    ) -> None:
        super().__init__()
        self.action_spec = action_spec
        self.policy: Mlp | Branch
        continuous, choices = action_spec.continuous_size, sum(action_spec.discrete_branches)
        outputs = 2 * continuous + choices
        if flat:
            hidden = [settings.hidden_units] * max(1, settings.num_layers)
            self.policy = Mlp([specs[0].shape[0], *hidden, outputs])
            *layers, head = self.policy.linear_layers()
            for layer in layers:
                kaiming_normal(layer.weight, 1.0, generator)
                nn.init.zeros_(layer.bias)
            self.actor_memory_size = 0
        else:
            body = Body(specs, settings, generator)
            head = empty_linear(body.output_size, outputs)
            self.policy = Branch(body, head)
            self.actor_memory_size = body.memory_size
        initialize_actions(head.weight[: continuous + choices], action_spec, generator)
        kaiming_normal(head.weight[continuous + choices :], MEAN_GAIN, generator)
        nn.init.zeros_(head.bias)

    def forward(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Evaluate N steps, which are N / L sequences of L consecutive rows.

        Args:
            inputs: float32 ``[N, *shape_i]`` each, vectors already normalised.
            memory: float32 ``[N / L, m]`` at the start of each sequence; None means zeros.
            sequence_length: L.

        Returns:
            Means and logits ``[N, A + K]``; logarithms of the deviations before squashing ``[N, A]``; memory
            after each sequence ``[N / L, m]``.
        """
        outputs, after = self.outputs(inputs, memory, sequence_length)
        split = outputs.shape[1] - self.action_spec.continuous_size
        return outputs[:, :split], outputs[:, split:].clamp(LOG_SIGMA_MIN, LOG_SIGMA_MAX), after

    def outputs(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[Tensor, Tensor]:
        """What :meth:`forward` gives in one piece ``[N, A + K + A]``, nothing clamped, and the memory."""
        if isinstance(self.policy, Mlp):
            return self.policy(inputs[0]), inputs[0].new_zeros(len(inputs[0]) // sequence_length, 0)
        outputs, after = self.policy(inputs, memory, sequence_length)
        return outputs, after
