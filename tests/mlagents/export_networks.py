"""Networks of all kinds to export, and the comparison of a model with the network that it was made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from network_helpers import entities, generator, image, network_settings, randomize, vector
from numpy.typing import NDArray

from mlagents.export.network_heads import head_layer, policy_layers
from mlagents.networks.actor_critic import Mlp
from mlagents.networks.factory import make_actor_critic
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.networks.squashed_actor import SquashedActor
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, ObservationSpec

HYBRID = ActionSpec(2, (3, 2))
MEMORY = {"memory_size": 6, "sequence_length": 4}
Inputs = dict[str, NDArray[Any]]


@dataclass
class Case:
    """A network to export: what it observes, and its settings."""

    specs: list[ObservationSpec]
    settings: dict[str, Any] = field(default_factory=dict)
    actions: ActionSpec = HYBRID
    shared_critic: bool = False


EVERYTHING = [vector(4), image(2, 20, 23), entities(3, 5), vector(3, goal=True), entities(2, 4)]

CASES: dict[str, Case] = {
    "fully_connected": Case([image(3, 1, 7)], {"vis_encode_type": "fully_connected"}),
    "match3": Case([image(4, 5, 6)], {"vis_encode_type": "match3"}),
    "simple": Case([image(3, 20, 29)], {"vis_encode_type": "simple"}),
    "nature_cnn": Case([image(1, 40, 36)], {"vis_encode_type": "nature_cnn"}),
    "resnet": Case([image(2, 15, 22)], {"vis_encode_type": "resnet"}),
    "resnet_even": Case([image(1, 16, 17)], {"vis_encode_type": "resnet"}),
    "image_between_vectors": Case([vector(3), image(3, 20, 20), vector(2)], {"normalize": True}),
    "two_images": Case([image(1, 5, 5), image(3, 6, 5)], {"vis_encode_type": "match3", "num_layers": 3}),
    "entities": Case([entities(4, 3), vector(5)]),
    "entities_alone": Case([entities(4, 3)]),
    "one_entity": Case([entities(1, 2), vector(2)]),
    "two_lists": Case([entities(4, 3), vector(5), entities(2, 6)], {"normalize": True}),
    "padding_norm": Case([entities(6, 3), vector(2)], {"padding_norm": 0.1}),
    "entities_and_image": Case([entities(3, 2), image(1, 20, 20)]),
    "goal": Case([vector(4), vector(3, goal=True)]),
    "goal_one_layer": Case([vector(3, goal=True), vector(4)], {"num_layers": 1, "normalize": True}),
    "goal_only": Case([vector(3, goal=True)], {"num_layers": 3}),
    "goal_plain": Case([vector(4), vector(3, goal=True)], {"goal_conditioning_type": "none"}),
    "goal_image": Case([vector(4), image(1, 5, 5, goal=True)], {"vis_encode_type": "match3"}),
    "two_goals": Case([vector(2, goal=True), vector(4), vector(3, goal=True)]),
    "entity_goal_plain": Case([entities(3, 2, goal=True)], {"goal_conditioning_type": "none"}),
    "memory": Case([vector(4)], {"memory": MEMORY}),
    "memory_normalised": Case([vector(4), vector(2)], {"memory": MEMORY, "normalize": True, "num_layers": 1}),
    "memory_image": Case([image(3, 20, 20), vector(2)], {"memory": MEMORY}),
    "memory_entities": Case([entities(3, 3), vector(2)], {"memory": MEMORY}),
    "memory_goal": Case([vector(3, goal=True), vector(2)], {"memory": MEMORY}),
    "shared_critic": Case([vector(4), vector(2)], {"normalize": True}, shared_critic=True),
    "shared_critic_memory": Case([vector(4)], {"memory": MEMORY}, shared_critic=True),
    "everything": Case(EVERYTHING, {"normalize": True, "memory": MEMORY, "num_layers": 3}),
    "everything_continuous": Case(EVERYTHING, {"normalize": True}, ActionSpec(3, ())),
    "everything_discrete": Case(EVERYTHING, {"memory": MEMORY}, ActionSpec(0, (2, 5, 3))),
}


def make_encoder(case: Case) -> ObservationEncoder:
    """An encoder that has seen something."""
    encoder = ObservationEncoder("Ball", case.specs, normalize=case.settings.get("normalize", False))
    rng = np.random.default_rng(3)
    encoder.fold([rng.normal(2.0, 1.5, (300, *spec.shape)).astype(np.float32) for spec in case.specs])
    return encoder


def make_general(case: Case) -> tuple[GeneralActorCritic, ObservationEncoder]:
    """A network with random weights and biases everywhere."""
    encoder = make_encoder(case)
    network = make_actor_critic(
        encoder,
        BehaviorSpec(case.specs, case.actions),
        network_settings(**case.settings),
        2,
        generator(),
        case.shared_critic,
    )
    assert isinstance(network, GeneralActorCritic)
    randomize(network, seed=1, scale=1.2)
    spread_out(network, encoder, case)
    return network, encoder


def make_squashed(case: Case) -> tuple[SquashedActor, ObservationEncoder]:
    """The same for an actor whose spread depends on what it observes."""
    encoder = make_encoder(case)
    flat = encoder.is_flat and "memory" not in case.settings
    settings = network_settings(**case.settings)
    network = SquashedActor(encoder.input_specs, case.actions, settings, generator(), flat=flat)
    randomize(network, seed=1, scale=1.2)
    spread_out(network, encoder, case)
    return network, encoder


def spread_out(network: GeneralActorCritic | SquashedActor, encoder: ObservationEncoder, case: Case) -> None:
    """Scale the head so that its outputs vary by about 1: saturated or constant ones are always equal."""
    inputs = make_inputs(case, 64, np.random.default_rng(9))
    columns = [inputs[f"obs_{index}"] for index in range(len(case.specs))]
    tensors = [torch.from_numpy(column) for column in encoder.encode(columns)]
    layers = policy_layers(network)
    head = head_layer(layers)
    with torch.no_grad():
        outputs = layers(tensors[0]) if isinstance(layers, Mlp) else layers(tensors, None, 1)[0]
        scale = 1.0 / outputs.std(dim=0)
        head.weight.mul_(scale.unsqueeze(1))
        head.bias.sub_(outputs.mean(dim=0)).mul_(scale)


class Player:
    """A model in ONNX Runtime, all outputs."""

    def __init__(self, source: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(source) if isinstance(source, Path) else source, options, providers=["CPUExecutionProvider"]
        )
        self.names = [output.name for output in self.session.get_outputs()]

    def __call__(self, inputs: Inputs) -> Inputs:
        return dict(zip(self.names, self.session.run(self.names, inputs), strict=True))


def make_inputs(case: Case, batch: int, rng: np.random.Generator, memory_size: int = 0) -> Inputs:
    """Inputs of a model; some entities are padding, some nearly."""
    inputs: Inputs = {}
    for index, spec in enumerate(case.specs):
        x = rng.normal(1.0, 1.5, (batch, *spec.shape))
        if len(spec.shape) == 2:
            x *= rng.choice([0.0, 0.03, 1.0], (batch, spec.shape[0], 1))
        if len(spec.shape) == 3:
            x = rng.random((batch, *spec.shape)) * rng.uniform(0.0, 1.0, (batch, 1, 1, 1))  # some are dark
        inputs[f"obs_{index}"] = x.astype(np.float32)
    if case.actions.discrete_branches:
        masks = rng.integers(0, 2, (batch, sum(case.actions.discrete_branches)))
        start = 0
        for size in case.actions.discrete_branches:
            masks[np.arange(batch), start + rng.integers(0, size, batch)] = 1
            start += size
        inputs["action_masks"] = masks.astype(np.float32)
    if memory_size:
        inputs["recurrent_in"] = rng.uniform(-1, 1, (batch, 1, memory_size)).astype(np.float32)
    return inputs


def zeros(inputs: Inputs) -> Inputs:
    return {name: np.zeros_like(value) for name, value in inputs.items()}


def torch_outputs(
    network: GeneralActorCritic | SquashedActor, encoder: ObservationEncoder, inputs: Inputs
) -> Inputs:
    """What the network computes in float32: outputs of the model, and the masked logits."""
    columns = encoder.encode([inputs[f"obs_{index}"] for index in range(len(encoder.specs))])
    memory = torch.from_numpy(inputs["recurrent_in"][:, 0]) if "recurrent_in" in inputs else None
    tensors = [torch.from_numpy(column) for column in columns]
    with torch.no_grad():
        if isinstance(network, SquashedActor):
            outputs, _, after = network(tensors, memory)
        else:
            outputs, after = network.act(tensors, memory)
    spec = network.action_spec
    mean, logits = outputs[:, : spec.continuous_size], outputs[:, spec.continuous_size :]
    expected: Inputs = {}
    if spec.continuous_size:
        actions = torch.tanh(mean) if isinstance(network, SquashedActor) else mean.clamp(-3, 3) / 3
        expected["deterministic_continuous_actions"] = actions.numpy()
    if spec.discrete_branches:
        expected["logits"] = np.where(inputs["action_masks"] > 0, logits.numpy(), -1e8).astype(np.float64)
    if memory is not None:
        expected["recurrent_out"] = after.numpy()[:, None]
    return expected


def worst_difference(played: Inputs, expected: Inputs, spec: ActionSpec) -> float:
    """Largest difference of actions, memory, and of the chosen logits from the best ones.

    Relative to values above 1, since a cell state is the sum of up to as many numbers as there were steps.
    """
    worst = 0.0
    for name, value in expected.items():
        if name != "logits":
            assert played[name].shape == value.shape
            difference = np.abs(played[name] - value) / np.maximum(1.0, np.abs(value))
            worst = max(worst, float(difference.max()))
    start = 0
    for branch, size in enumerate(spec.discrete_branches):
        logits = expected["logits"][:, start : start + size]
        chosen = np.take_along_axis(logits, played["deterministic_discrete_actions"][:, [branch]], 1)
        worst = max(worst, float((logits.max(axis=1, keepdims=True) - chosen).max()))
        start += size
    assert math.isfinite(worst)
    return worst
