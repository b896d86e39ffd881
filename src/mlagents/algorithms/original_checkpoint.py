"""Reads weights and normalisers from checkpoints of the original toolkit.

Such a file is a dict of state dicts. ``Policy`` holds the actor, ``Optimizer:critic`` the critic of PPO; both
begin with ``network_body.``, go on with the observations' encoders, hidden layers and memory, and end in
``action_model.`` or ``value_heads.``. The names within are listed in this module and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.attention import padding_threshold
from mlagents.networks.body import Body
from mlagents.networks.encoders import BLOCKS_PER_STACK, ConvolutionalEncoder, ResidualEncoder
from mlagents.networks.general_actor_critic import Branch, GeneralActorCritic
from mlagents.networks.input_encoder import InputEncoder
from mlagents.networks.observation_kinds import ObservationKind
from mlagents.networks.observations import ObservationEncoder

_BODY = "network_body."
_OBSERVATIONS = f"{_BODY}observation_encoder."
_HIDDEN = f"{_BODY}_body_endoder."  # spelled like this in the files
_CONTINUOUS = "action_model._continuous_distribution."
_BRANCHES = "action_model._discrete_distribution.branches."
_VALUES = "value_heads.value_heads."

PADDING_NORM = 0.1
"""Entities whose features have a smaller norm are padding to the original."""

Names = dict[str, str]
"""From names of our layers to names of theirs, both without ``.weight`` and ``.bias``."""


def is_original(state: Mapping[str, Any]) -> bool:
    """Whether the content of a checkpoint file was written by the original."""
    policy = state.get("Policy")
    return isinstance(policy, Mapping) and any(str(name).startswith(_BODY) for name in policy)


class OriginalCheckpoint:
    """The parts of a checkpoint of the original, in the form that our own checkpoints have.

    Args:
        state: content of the file.
        network: where the weights are to go; it says which ones are wanted.
        encoder: its normalisers.
        streams: reward streams of the critic, in order.
    """

    def __init__(
        self,
        state: Mapping[str, Any],
        network: ActorCritic | GeneralActorCritic,
        encoder: ObservationEncoder,
        streams: Sequence[str],
    ) -> None:
        self._state = state
        self._policy: Mapping[str, Any] = state["Policy"]
        self._network = network
        self._encoder = encoder
        self._streams = list(streams)

    def actor(self) -> dict[str, Tensor]:
        """Weights of the actor.

        Raises:
            KeyError: one is missing.
            ValueError: one is no tensor.
        """
        spec = self._network.action_spec
        heads = [f"{_CONTINUOUS}mu"] if spec.continuous_size else []
        heads += [f"{_BRANCHES}{branch}" for branch in range(spec.discrete_size)]
        layers = self._body(self._network.actor, self._policy)
        return layers | self._joined(self._network.actor, [_layer(self._policy, head) for head in heads])

    def log_sigma(self) -> Tensor:
        """Spread of the continuous actions, ``[A]``.

        Raises:
            KeyError: it is missing.
            ValueError: it is not a free parameter.
        """
        size = self._network.action_spec.continuous_size
        if not size:
            return torch.zeros(0)
        if f"{_CONTINUOUS}log_sigma.weight" in self._policy:
            raise ValueError(
                "it depends on the observations there, as in the original's SAC, whose actions have another "
                "scale too"
            )
        return _tensor(self._policy, f"{_CONTINUOUS}log_sigma").reshape(-1)

    def normalizers(self) -> list[dict[str, Any]]:
        """States of the normalisers, one per vector observation; empty where none are wanted.

        Raises:
            KeyError: one is missing.
            ValueError: there are some, but none are wanted, or one has another size.
        """
        encoder = self._encoder
        if not encoder.normalizers:
            if any(name.startswith(_OBSERVATIONS) and ".normalizer." in name for name in self._policy):
                raise ValueError("observations are normalized there; set normalize to true")
            return []
        states = []
        for index, kind in enumerate(encoder.kinds):
            if kind is not ObservationKind.VECTOR:
                continue
            prefix = f"{_OBSERVATIONS}processors.{index}.normalizer."
            mean, squares = (
                _tensor(self._policy, prefix + name) for name in ("running_mean", "running_variance")
            )
            wanted = tuple(encoder.specs[index].shape)
            for each in (mean, squares):
                if tuple(each.shape) != wanted:
                    raise ValueError(f"observation {index} has shape {tuple(each.shape)} there, not {wanted}")
            count = int(_tensor(self._policy, f"{prefix}normalization_steps"))
            states.append({"count": count, "mean": mean, "sum_of_squares": squares})
        return states

    def critic(self) -> dict[str, Tensor]:
        """Weights of the critic; heads of streams that the file does not know stay as they are.

        Raises:
            KeyError: one is missing.
            ValueError: one is no tensor, or the critic there has a body of its own but ours has not.
        """
        theirs: Mapping[str, Any] = self._state["Optimizer:critic"]
        critic = self._network.critic
        is_shared = isinstance(critic, torch.nn.Linear)
        if is_shared and not any(name.startswith(_VALUES) for name in self._policy):
            raise ValueError("it has layers of its own there; set shared_critic to false")
        fresh = _head(critic)
        heads = []
        for row, stream in enumerate(self._streams):
            known = f"{_VALUES}{stream}.weight" in theirs
            head = (fresh.weight[row : row + 1].detach().cpu(), fresh.bias[row : row + 1].detach().cpu())
            heads.append(_layer(theirs, _VALUES + stream) if known else head)
        if is_shared:
            weight, bias = (torch.cat(parts) for parts in zip(*heads, strict=True))
            return {"weight": weight, "bias": bias}
        return self._body(critic, theirs) | self._joined(critic, heads)

    def unknown_streams(self) -> list[str]:
        """Reward streams of which the file has no values, though it has a critic."""
        theirs = self._state.get("Optimizer:critic", {})
        return [stream for stream in self._streams if f"{_VALUES}{stream}.weight" not in theirs]

    def has_other_padding(self) -> bool:
        """Whether the network tells padding entities otherwise than the original, by another norm."""
        actor = self._network.actor
        entities = actor.body.inputs.entity_encoder if isinstance(actor, Branch) else None
        return entities is not None and entities.padding_threshold != padding_threshold(PADDING_NORM)

    def _body(self, part: torch.nn.Module, theirs: Mapping[str, Any]) -> dict[str, Tensor]:
        """All weights of an actor or critic below its head."""
        if not isinstance(part, Branch):
            count = len(_linear_layers(part)) - 1
            return _layers({f"layers.{i}": f"{_HIDDEN}seq_layers.{2 * i}" for i in range(count)}, theirs)
        body = part.body
        lists = [i for i, kind in enumerate(self._encoder.kinds) if kind is ObservationKind.ENTITIES]
        weights = _layers(_encoder_names(body.inputs, lists) | _hidden_names(body), theirs)
        if body.goal_layer is not None:
            weights["goal_layer.bias"] = _tensor(theirs, f"{_HIDDEN}layers.{2 * len(body.layers)}.bias")
        if body.recurrent is not None:
            for name, _ in body.recurrent.lstm.named_parameters():
                weights[f"recurrent.lstm.{name}"] = _tensor(theirs, f"{_BODY}lstm.lstm.{name}")
        return {f"body.{name}": weight for name, weight in weights.items()}

    def _joined(self, part: torch.nn.Module, heads: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Heads that they keep apart as the one layer that we have."""
        name = "head" if isinstance(part, Branch) else f"layers.{len(_linear_layers(part)) - 1}"
        weight, bias = (torch.cat(parts) for parts in zip(*heads, strict=True))
        return {f"{name}.weight": weight, f"{name}.bias": bias}


def _encoder_names(inputs: InputEncoder, lists: Sequence[int]) -> Names:
    """Encoders of images and of entities, the latter being the observations ``lists``."""
    names: Names = {}
    for key, encoder in inputs.image_encoders.items():
        ours, theirs = f"inputs.image_encoders.{key}.", f"{_OBSERVATIONS}processors.{key}."
        if isinstance(encoder, ConvolutionalEncoder):
            names[f"{ours}linear"] = f"{theirs}dense.0"
            for layer in range(len(encoder.convolutions)):
                names[f"{ours}convolutions.{layer}"] = f"{theirs}conv_layers.{2 * layer}"
        elif isinstance(encoder, ResidualEncoder):
            names[f"{ours}linear"] = f"{theirs}dense"
            names |= _residual_names(ours, theirs, len(encoder.stacks))
    if inputs.entity_encoder is None:
        return names
    ours = "inputs.entity_encoder."
    for position, index in enumerate(lists):
        theirs = f"{_OBSERVATIONS}processors.{index}.self_ent_encoder.seq_layers.0"
        names[f"{ours}embeddings.{position}"] = theirs
    if inputs.entity_encoder.self_embedding is not None:
        names[f"{ours}self_embedding"] = f"{_OBSERVATIONS}x_self_encoder.seq_layers.0"
    for mine, other in (("query", "q"), ("key", "k"), ("value", "v"), ("out", "out")):
        names[f"{ours}attention.{mine}"] = f"{_OBSERVATIONS}rsa.fc_{other}"
    return names


def _residual_names(ours: str, theirs: str, num_stacks: int) -> Names:
    """A stack is a convolution, a pooling and blocks, all in one list there; a block starts with Swish."""
    names: Names = {}
    for stack in range(num_stacks):
        first = stack * (2 + BLOCKS_PER_STACK)
        names[f"{ours}stacks.{stack}.convolution"] = f"{theirs}sequential.{first}"
        for block in range(BLOCKS_PER_STACK):
            layers = f"{theirs}sequential.{first + 2 + block}.layers."
            names[f"{ours}stacks.{stack}.blocks.{block}.first"] = f"{layers}1"
            names[f"{ours}stacks.{stack}.blocks.{block}.second"] = f"{layers}3"
    return names


def _hidden_names(body: Body) -> Names:
    """Hidden layers; every other entry of the list there is an activation."""
    group = "seq_layers" if body.goal_layer is None else "layers"
    names = {f"layers.{i}": f"{_HIDDEN}{group}.{2 * i}" for i in range(len(body.layers))}
    if body.goal_layer is not None:
        hyper = f"{_HIDDEN}layers.{2 * len(body.layers)}.hypernet."
        names |= {
            "goal_layer.first": f"{hyper}0",
            "goal_layer.second": f"{hyper}2",
            "goal_layer.weights": f"{hyper}5",
        }
    return names


def _linear_layers(part: torch.nn.Module) -> list[torch.nn.Linear]:
    return [module for module in part.modules() if isinstance(module, torch.nn.Linear)]


def _head(part: torch.nn.Module) -> torch.nn.Linear:
    return part.head if isinstance(part, Branch) else _linear_layers(part)[-1]


def _layers(names: Names, theirs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights and biases of layers, under our names."""
    weights = {}
    for mine, other in names.items():
        weights[f"{mine}.weight"], weights[f"{mine}.bias"] = _layer(theirs, other)
    return weights


def _layer(theirs: Mapping[str, Any], name: str) -> tuple[Tensor, Tensor]:
    return _tensor(theirs, f"{name}.weight"), _tensor(theirs, f"{name}.bias")


def _tensor(theirs: Mapping[str, Any], name: str) -> Tensor:
    value = theirs[name]
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} is no tensor")
    return value
