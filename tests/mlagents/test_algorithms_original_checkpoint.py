"""Runs start from weights that the original trained."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from network_helpers import entities, image, network_settings, randomize, vector
from original_checkpoints import (
    BODY,
    BRANCHES,
    HIDDEN,
    LOG_SIGMA,
    MEAN,
    OBSERVATIONS,
    VALUES,
    Shapes,
    actions,
    checkpoint,
    hidden,
    layer,
    normalizer,
    values,
)
from torch import Tensor, nn

from mlagents.algorithms.policy_weights import PolicyWeights
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.factory import make_actor_critic
from mlagents.networks.general_actor_critic import GeneralActorCritic
from mlagents.networks.observations import ObservationEncoder
from mlagents.run.checkpoint_file import first_reason, load_checkpoint
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, ObservationSpec
from mlagents_envs.logging_util import get_logger

HYBRID = ActionSpec(2, (3, 2))
STREAMS = ["extrinsic", "gail"]
Made = tuple[ActorCritic | GeneralActorCritic, ObservationEncoder, PolicyWeights]


def make(
    specs: list[ObservationSpec],
    action_spec: ActionSpec = HYBRID,
    streams: list[str] = STREAMS,
    *,
    shared_critic: bool = False,
    **settings: Any,  # noqa: ANN401
) -> Made:
    network_config = network_settings(**settings)
    encoder = ObservationEncoder("Ball", specs, normalize=network_config.normalize)
    behavior = BehaviorSpec(specs, action_spec)
    network = make_actor_critic(
        encoder, behavior, network_config, len(streams), torch.Generator().manual_seed(0), shared_critic
    )
    randomize(network)
    return network, encoder, PolicyWeights(network, encoder, streams)


def check_layers(module: nn.Module, theirs: dict[str, Tensor], names: dict[str, str]) -> None:
    """Compare weights and biases of layers, ours by their path and theirs by name."""
    for mine, other in names.items():
        found = module.get_submodule(mine)
        assert torch.equal(found.weight, theirs[f"{other}.weight"]), mine
        assert torch.equal(found.bias, theirs[f"{other}.bias"]), mine


def check_heads(network: ActorCritic | GeneralActorCritic, state: dict[str, Any], head: str = "head") -> None:
    """Heads of hybrid actions and of two streams."""
    names = [MEAN, f"{BRANCHES}0", f"{BRANCHES}1"]
    for part, theirs, parts in (
        (network.actor, state["Policy"], names),
        (network.critic, state["Optimizer:critic"], [VALUES + stream for stream in STREAMS]),
    ):
        found = part.get_submodule(head)
        assert torch.equal(found.weight, torch.cat([theirs[f"{name}.weight"] for name in parts]))
        assert torch.equal(found.bias, torch.cat([theirs[f"{name}.bias"] for name in parts]))
    assert torch.equal(network.log_sigma, state["Policy"][LOG_SIGMA][0])


def flat_checkpoint(*, normalized: bool = True, branches: tuple[int, ...] = (3, 2)) -> dict[str, Any]:
    body = hidden(6, 8, 8) | (normalizer(0, 4) | normalizer(1, 2) if normalized else {})
    return checkpoint(body, actions(8, 2, branches), values(8, STREAMS))


def test_vectors() -> None:
    network, _, weights = make([vector(4), vector(2)], normalize=True)
    state = flat_checkpoint()
    assert weights.take_over(state) == {}
    assert isinstance(network, ActorCritic)
    names = {f"layers.{i}": f"{HIDDEN}seq_layers.{2 * i}" for i in (0, 1)}
    check_layers(network.actor, state["Policy"], names)
    check_layers(network.critic, state["Optimizer:critic"], names)
    check_heads(network, state, "layers.2")


def test_normalizers_compute_the_same() -> None:
    """Clamped difference from the mean by the root of the second moment over the count."""
    _, encoder, weights = make([vector(4), vector(2)], normalize=True)
    state = flat_checkpoint()
    assert weights.take_over(state) == {}
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=(5, size)).astype(np.float32) for size in (4, 2)]
    (found,) = encoder.encode(columns)
    expected = []
    for index, column in enumerate(columns):
        prefix = f"{OBSERVATIONS}processors.{index}.normalizer.running_"
        mean, squares = (state["Policy"][prefix + name].numpy() for name in ("mean", "variance"))
        expected.append(np.clip((column - mean) / np.sqrt(squares / 37.0), -5.0, 5.0))
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-5)


IMAGE_LAYERS: dict[str, tuple[tuple[int, int, int], Shapes, dict[str, str]]] = {
    "fully_connected": ((1, 5, 5), layer("dense.0", 8, 25), {"linear": "dense.0"}),
    "match3": (
        (1, 5, 6),
        layer("conv_layers.0", 35, 1, 3, 3)
        | layer("conv_layers.2", 144, 35, 3, 3)
        | layer("dense.0", 8, 144 * 1 * 2),
        {"convolutions.0": "conv_layers.0", "convolutions.1": "conv_layers.2", "linear": "dense.0"},
    ),
    "simple": (
        (3, 20, 20),
        layer("conv_layers.0", 16, 3, 8, 8) | layer("conv_layers.2", 32, 16, 4, 4) | layer("dense.0", 8, 32),
        {"convolutions.0": "conv_layers.0", "convolutions.1": "conv_layers.2", "linear": "dense.0"},
    ),
    "nature_cnn": (
        (1, 36, 36),
        layer("conv_layers.0", 32, 1, 8, 8)
        | layer("conv_layers.2", 64, 32, 4, 4)
        | layer("conv_layers.4", 64, 64, 3, 3)
        | layer("dense.0", 8, 64),
        {
            "convolutions.0": "conv_layers.0",
            "convolutions.1": "conv_layers.2",
            "convolutions.2": "conv_layers.4",
            "linear": "dense.0",
        },
    ),
    "resnet": (
        (2, 15, 15),
        layer("sequential.0", 16, 2, 3, 3)
        | layer("sequential.2.layers.1", 16, 16, 3, 3)
        | layer("sequential.2.layers.3", 16, 16, 3, 3)
        | layer("sequential.3.layers.1", 16, 16, 3, 3)
        | layer("sequential.3.layers.3", 16, 16, 3, 3)
        | layer("sequential.4", 32, 16, 3, 3)
        | layer("sequential.6.layers.1", 32, 32, 3, 3)
        | layer("sequential.6.layers.3", 32, 32, 3, 3)
        | layer("sequential.7.layers.1", 32, 32, 3, 3)
        | layer("sequential.7.layers.3", 32, 32, 3, 3)
        | layer("sequential.8", 32, 32, 3, 3)
        | layer("sequential.10.layers.1", 32, 32, 3, 3)
        | layer("sequential.10.layers.3", 32, 32, 3, 3)
        | layer("sequential.11.layers.1", 32, 32, 3, 3)
        | layer("sequential.11.layers.3", 32, 32, 3, 3)
        | layer("dense", 8, 32),
        {
            "stacks.0.convolution": "sequential.0",
            "stacks.0.blocks.0.first": "sequential.2.layers.1",
            "stacks.0.blocks.0.second": "sequential.2.layers.3",
            "stacks.0.blocks.1.first": "sequential.3.layers.1",
            "stacks.1.convolution": "sequential.4",
            "stacks.1.blocks.1.second": "sequential.7.layers.3",
            "stacks.2.convolution": "sequential.8",
            "stacks.2.blocks.0.second": "sequential.10.layers.3",
            "stacks.2.blocks.1.first": "sequential.11.layers.1",
            "linear": "dense",
        },
    ),
}


@pytest.mark.parametrize("kind", IMAGE_LAYERS)
def test_images(kind: str) -> None:
    shape, layers, names = IMAGE_LAYERS[kind]
    network, _, weights = make([vector(4), image(*shape)], vis_encode_type=kind)
    prefix = f"{OBSERVATIONS}processors.1."
    body = {prefix + name: size for name, size in layers.items()} | hidden(12, 8, 8)
    state = checkpoint(body, actions(8, 2, (3, 2)), values(8, STREAMS))
    assert weights.take_over(state) == {}
    for part, theirs in ((network.actor, "Policy"), (network.critic, "Optimizer:critic")):
        encoder = part.get_submodule("body.inputs.image_encoders.1")
        check_layers(encoder, state[theirs], {mine: prefix + other for mine, other in names.items()})
    check_heads(network, state)


def everything() -> tuple[list[ObservationSpec], dict[str, Any], dict[str, Any]]:
    """Two lists of entities, a goal, memory: specs, network settings, checkpoint."""
    specs = [entities(5, 3), vector(4), vector(3, goal=True), entities(2, 6)]
    entity = f"{OBSERVATIONS}processors.%d.self_ent_encoder.seq_layers.0"
    body = layer(entity % 0, 128, 131) | layer(entity % 3, 128, 134)
    body |= normalizer(1, 4) | normalizer(2, 3) | layer(f"{OBSERVATIONS}x_self_encoder.seq_layers.0", 128, 7)
    for name in ("q", "k", "v", "out"):
        body |= layer(f"{OBSERVATIONS}rsa.fc_{name}", 128, 128)
    body |= layer(f"{HIDDEN}layers.0", 8, 135) | layer(f"{HIDDEN}layers.2", 8, 8)
    hyper = f"{HIDDEN}layers.4.hypernet."
    body |= layer(f"{hyper}0", 8, 3) | layer(f"{hyper}2", 8, 8) | layer(f"{hyper}5", 64, 8)
    body |= {f"{HIDDEN}layers.4.bias": (8,)}
    lstm = f"{BODY}lstm.lstm."
    body |= {f"{lstm}weight_ih_l0": (12, 8), f"{lstm}weight_hh_l0": (12, 3)}
    body |= {f"{lstm}bias_ih_l0": (12,), f"{lstm}bias_hh_l0": (12,)}
    settings = {"normalize": True, "num_layers": 3, "memory": {"memory_size": 6, "sequence_length": 4}}
    return specs, settings, checkpoint(body, actions(3, 2, (3, 2)), values(3, STREAMS))


def test_entities_goals_and_memory() -> None:
    specs, settings, state = everything()
    network, _, weights = make(specs, padding_norm=0.1, **settings)
    assert weights.take_over(state) == {}
    names = {
        "inputs.entity_encoder.embeddings.0": f"{OBSERVATIONS}processors.0.self_ent_encoder.seq_layers.0",
        "inputs.entity_encoder.embeddings.1": f"{OBSERVATIONS}processors.3.self_ent_encoder.seq_layers.0",
        "inputs.entity_encoder.self_embedding": f"{OBSERVATIONS}x_self_encoder.seq_layers.0",
        "inputs.entity_encoder.attention.query": f"{OBSERVATIONS}rsa.fc_q",
        "inputs.entity_encoder.attention.key": f"{OBSERVATIONS}rsa.fc_k",
        "inputs.entity_encoder.attention.value": f"{OBSERVATIONS}rsa.fc_v",
        "inputs.entity_encoder.attention.out": f"{OBSERVATIONS}rsa.fc_out",
        "layers.0": f"{HIDDEN}layers.0",
        "layers.1": f"{HIDDEN}layers.2",
        "goal_layer.first": f"{HIDDEN}layers.4.hypernet.0",
        "goal_layer.second": f"{HIDDEN}layers.4.hypernet.2",
        "goal_layer.weights": f"{HIDDEN}layers.4.hypernet.5",
    }
    for part, theirs in ((network.actor, state["Policy"]), (network.critic, state["Optimizer:critic"])):
        body = part.get_submodule("body")
        check_layers(body, theirs, names)
        assert torch.equal(body.get_parameter("goal_layer.bias"), theirs[f"{HIDDEN}layers.4.bias"])
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            mine = body.get_parameter(f"recurrent.lstm.{name}")
            assert torch.equal(mine, theirs[f"{BODY}lstm.lstm.{name}"])
    check_heads(network, state)


def test_every_weight_is_replaced() -> None:
    specs, settings, state = everything()
    network, _, weights = make(specs, **settings)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    weights.take_over(state)
    assert not [name for name, value in network.state_dict().items() if torch.equal(value, before[name])]


def test_another_norm_of_padding_is_told(caplog: pytest.LogCaptureFixture) -> None:
    specs, settings, state = everything()
    logger = get_logger("mlagents.algorithms.policy_weights")
    logger.addHandler(caplog.handler)
    try:
        for norm, told in ((0.0, True), (0.1, False)):
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                make(specs, padding_norm=norm, **settings)[2].take_over(state)
            assert ("padding_norm" in caplog.text) == told
    finally:
        logger.removeHandler(caplog.handler)


def shared_checkpoint() -> dict[str, Any]:
    state = checkpoint(hidden(4, 8, 8), actions(8, 2, (3, 2)) | values(8, STREAMS), values(8, STREAMS))
    state["Optimizer:critic"] = state["Policy"]
    return state


def test_shared_critic() -> None:
    network, _, weights = make([vector(4)], shared_critic=True)
    state = shared_checkpoint()
    assert weights.take_over(state) == {}
    assert isinstance(network.critic, nn.Linear)
    heads = [state["Policy"][f"{VALUES}{stream}.weight"] for stream in STREAMS]
    assert torch.equal(network.critic.weight, torch.cat(heads))
    check_layers(network.actor, state["Policy"], {"body.layers.1": f"{HIDDEN}seq_layers.2"})


def test_a_critic_of_its_own_gives_no_shared_one() -> None:
    network, _, weights = make([vector(4)], shared_critic=True)
    before = network.critic.weight.clone()
    state = checkpoint(hidden(4, 8, 8), actions(8, 2, (3, 2)), values(8, STREAMS))
    misfits = weights.take_over(state)
    assert list(misfits) == ["critic"]
    assert "set shared_critic to false" in first_reason(misfits["critic"])
    assert torch.equal(network.critic.weight, before)


def test_unknown_reward_signals_start_with_fresh_heads() -> None:
    network, _, weights = make([vector(4)], streams=["curiosity", "gail"])
    state = checkpoint(hidden(4, 8, 8), actions(8, 2, (3, 2)), values(8, STREAMS))
    fresh = network.critic.get_submodule("layers.2").weight.clone()
    misfits = weights.take_over(state)
    assert list(misfits) == ["value of the reward signal curiosity"]
    heads = network.critic.get_submodule("layers.2").weight
    assert torch.equal(heads[0], fresh[0])
    assert torch.equal(heads[1], state["Optimizer:critic"][f"{VALUES}gail.weight"][0])
    check_layers(network.critic, state["Optimizer:critic"], {"layers.0": f"{HIDDEN}seq_layers.0"})


@pytest.mark.parametrize(
    ("change", "part", "reason"),
    [
        ({"hidden_units": 16}, ["actor", "critic"], "size mismatch"),
        ({"num_layers": 3}, ["actor", "critic"], "seq_layers.4.weight' is missing"),
        ({"normalize": False}, ["normalizer"], "set normalize to true"),
    ],
)
def test_parts_that_do_not_fit_are_named_and_stay(
    change: dict[str, Any], part: list[str], reason: str
) -> None:
    network, _, weights = make([vector(4), vector(2)], **{"normalize": True, **change})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    misfits = weights.take_over(flat_checkpoint())
    assert list(misfits) == part
    assert reason in first_reason(misfits[part[0]])
    for name, value in network.state_dict().items():
        if name.split(".")[0] in part:
            assert torch.equal(value, before[name]), f"{name} was taken over in part"


def test_other_actions_leave_the_actor_whole() -> None:
    """The hidden layers would fit, but a policy is taken over as a whole."""
    network, _, weights = make([vector(4), vector(2)], normalize=True)
    before = {name: value.clone() for name, value in network.actor.state_dict().items()}
    assert list(weights.take_over(flat_checkpoint(branches=(3, 4)))) == ["actor"]
    assert all(torch.equal(value, before[name]) for name, value in network.actor.state_dict().items())


def test_normalizers_of_another_size_and_missing_ones_are_named() -> None:
    _, encoder, weights = make([vector(2), vector(4)], normalize=True)
    misfits = weights.take_over(flat_checkpoint())
    assert "observation 0 has shape (4,) there, not (2,)" in str(misfits["normalizer"])
    assert encoder.normalizers[0].count == 1
    assert "is missing" in first_reason(weights.take_over(flat_checkpoint(normalized=False))["normalizer"])


def test_sac_spread_and_missing_critic_are_named() -> None:
    _, _, weights = make([vector(4), vector(2)], normalize=True)
    state = flat_checkpoint()
    state["Policy"] |= {f"{LOG_SIGMA}.weight": torch.zeros(2, 8), f"{LOG_SIGMA}.bias": torch.zeros(2)}
    del state["Optimizer:critic"], state["Policy"][LOG_SIGMA]
    misfits = weights.take_over(state)
    assert list(misfits) == ["spread of the actions", "critic"]
    assert "SAC" in str(misfits["spread of the actions"])


def test_values_that_are_no_tensors_are_named() -> None:
    _, _, weights = make([vector(4), vector(2)], normalize=True)
    state = flat_checkpoint()
    state["Policy"][f"{MEAN}.bias"] = "zero"
    assert "is no tensor" in str(weights.take_over(state)["actor"])


def test_nobody_can_go_on_from_it() -> None:
    _, _, weights = make([vector(4), vector(2)], normalize=True)
    with pytest.raises(ValueError, match="--initialize-from"):
        weights.set(flat_checkpoint())


def test_read_from_a_file_as_data_only(tmp_path: Path) -> None:
    network, _, weights = make([vector(4), vector(2)], normalize=True)
    state = flat_checkpoint()
    torch.save(state, tmp_path / "checkpoint.pt")
    assert weights.take_over(load_checkpoint(tmp_path / "checkpoint.pt").state) == {}
    check_heads(network, state, "layers.2")


def test_our_own_checkpoints_are_taken_over_as_before() -> None:
    _, _, source = make([vector(4), vector(2)], normalize=True)
    network, _, weights = make([vector(4), vector(2)], normalize=True)
    randomize(network, seed=5)
    assert weights.take_over(source.get()) == {}
    assert all(
        torch.equal(value, source.get()["Policy"]["actor"][name])
        for name, value in network.actor.state_dict().items()
    )
