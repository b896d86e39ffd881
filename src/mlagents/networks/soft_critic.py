"""The critics of the soft actor-critic: values of actions, twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlagents.networks.actor_critic import Mlp
from mlagents.networks.body import HIDDEN_GAIN, Body
from mlagents.networks.heads import initialize_values
from mlagents.networks.initialization import empty_linear, kaiming_normal, linear
from mlagents.networks.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, ObservationSpec


class Encoding(NamedTuple):
    """What a critic makes of observations before it knows the actions.

    Attributes:
        features: float32 ``[N, e]``.
        goal: float32 ``[N, g]``, for layers whose weights the goal makes.
    """

    features: Tensor
    goal: Tensor

    def detach(self) -> Encoding:
        """The same without gradient."""
        return Encoding(self.features.detach(), self.goal.detach())


def num_choices(action_spec: ActionSpec) -> int:
    """Values that a critic gives per reward stream, C: one per discrete choice, or one if there is none."""
    return sum(action_spec.discrete_branches) or 1


class ActionValue(nn.Module):
    """Values of actions, one per reward stream: ``Q(s, a)``.

    Continuous actions are an input. Discrete ones are outputs: the value of each choice of each branch, what
    is to be expected when the other branches follow the policy (Tavakoli et al. 2018, arXiv 1711.08946).

    Observations are encoded first, and actions join after images and entities, so that one encoding serves
    for several actions. With memory they join after the memory, which so depends on what was observed only.

    Args:
        specs: the network's inputs; one vector where ``flat``.
        action_spec: actions of the behavior: A continuous ones, branches with K choices in all.
        settings: shape of the network.
        num_streams: reward streams, S.
        generator: source of initial weights.
        flat: make a multilayer perceptron, for which there is fast code.

    Attributes:
        memory_size: floats that the critic remembers, m; 0 without memory.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        action_spec: ActionSpec,
        settings: NetworkSettings,
        num_streams: int,
        generator: torch.Generator,
        *,
        flat: bool,
    ) -> None:
        super().__init__()
        self._shape = (num_streams, num_choices(action_spec))
        outputs = num_streams * num_choices(action_spec)
        continuous = action_spec.continuous_size
        self.memory_size = 0
        self.mlp: Mlp | None = None
        self.body: Body | None = None
        self.joint: nn.Linear | None = None
        if flat:
            hidden = [settings.hidden_units] * max(1, settings.num_layers)
            self.mlp = Mlp([specs[0].shape[0] + continuous, *hidden, outputs])
            *layers, head = self.mlp.linear_layers()
            for layer in layers:
                kaiming_normal(layer.weight, HIDDEN_GAIN, generator)
                nn.init.zeros_(layer.bias)
        else:
            extra = 0 if settings.memory else continuous
            self.body = Body(specs, settings, generator, extra_size=extra)
            self.memory_size = self.body.memory_size
            width = self.body.output_size
            if self.memory_size and continuous:
                self.joint = linear(width + continuous, settings.hidden_units, HIDDEN_GAIN, generator)
                width = settings.hidden_units
            head = self.head = empty_linear(width, outputs)
        initialize_values(head.weight, generator)
        nn.init.zeros_(head.bias)

    def encode(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[Encoding, Tensor]:
        """Encode N steps, which are N / L sequences of L consecutive rows.

        Args:
            inputs: float32 ``[N, *shape_i]`` each, vectors already normalised.
            memory: float32 ``[N / L, m]`` at the start of each sequence; None means zeros.
            sequence_length: L.

        Returns:
            What :meth:`evaluate` needs, and the memory after each sequence ``[N / L, m]``.
        """
        if self.body is None:
            x, nothing = inputs[0], inputs[0].new_zeros(len(inputs[0]) // sequence_length, 0)
            return Encoding(x, x[:, :0]), nothing
        x, goal = self.body.inputs(inputs)
        if self.body.recurrent is None:
            return Encoding(x, goal), x.new_zeros(len(x) // sequence_length, 0)
        x, after = self.body.recurrent(self.body.hidden(x, goal), memory, sequence_length)
        return Encoding(x, goal), after

    def evaluate(self, encoding: Encoding, actions: Tensor) -> Tensor:
        """Values ``[N, S, C]`` of continuous actions ``[N, A]``, C per stream: of all choices, or 1."""
        x = torch.cat([encoding.features, actions], dim=1) if actions.shape[1] else encoding.features
        if self.mlp is not None:
            values = self.mlp(x)
        elif self.joint is not None:
            values = self.head(functional.silu(self.joint(x)))
        else:
            assert self.body is not None
            hidden = x if self.body.recurrent is not None else self.body.hidden(x, encoding.goal)
            values = self.head(hidden)
        out: Tensor = values.view(len(x), *self._shape)
        return out


class TwinCritic(nn.Module):
    """Two critics that differ in their initial weights: the smaller value of both is trusted.

    See Fujimoto et al. 2018, arXiv 1802.09477, on why the larger one would not do. Arguments as those of
    :class:`ActionValue`. The memory of both is one vector, that of the first critic first.

    Attributes:
        critics: both.
        memory_size: floats that both remember together, 2 m; 0 without memory.
    """

    def __init__(
        self,
        specs: Sequence[ObservationSpec],
        action_spec: ActionSpec,
        settings: NetworkSettings,
        num_streams: int,
        generator: torch.Generator,
        *,
        flat: bool,
    ) -> None:
        super().__init__()
        self.first, self.second = (
            ActionValue(specs, action_spec, settings, num_streams, generator, flat=flat) for _ in range(2)
        )
        self.memory_size = 2 * self.first.memory_size

    @property
    def critics(self) -> tuple[ActionValue, ActionValue]:
        """Both."""
        return self.first, self.second

    def encode(
        self, inputs: Sequence[Tensor], memory: Tensor | None = None, sequence_length: int = 1
    ) -> tuple[tuple[Encoding, Encoding], Tensor]:
        """Encodings of both, and their memories after each sequence ``[N / L, 2 m]``."""
        memories = (None, None) if memory is None else torch.chunk(memory, 2, dim=1)
        first, after_first = self.first.encode(inputs, memories[0], sequence_length)
        second, after_second = self.second.encode(inputs, memories[1], sequence_length)
        return (first, second), torch.cat([after_first, after_second], dim=1)

    def evaluate(self, encodings: tuple[Encoding, Encoding], actions: Tensor) -> tuple[Tensor, Tensor]:
        """Values ``[N, S, C]`` of both."""
        return self.first.evaluate(encodings[0], actions), self.second.evaluate(encodings[1], actions)
