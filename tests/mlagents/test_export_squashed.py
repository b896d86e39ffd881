"""Squashed Gaussian policies, whose spread depends on what is observed, are exported as they act."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from export_networks import CASES, Case, Player, make_inputs, make_squashed, torch_outputs, worst_difference
from export_networks import zeros as all_zeros
from network_helpers import vector
from onnx import numpy_helper

from mlagents.export import ExportError
from mlagents.export.from_network import export_network, torch_policy
from mlagents.export.graph_builder import ALLOWED_OPERATORS
from mlagents.export.network_graph import build_network_model, network_interface
from mlagents.export.network_heads import head_layer, policy_layers
from mlagents.export.verify import verify_interface
from mlagents_envs.base_env import ActionSpec

TOLERANCE = 5e-5
FLAT = {
    "flat": Case([vector(4), vector(3)], {"normalize": True}),
    "flat_one_layer": Case([vector(4)], {"num_layers": 1}, ActionSpec(1, ())),
    "flat_discrete": Case([vector(4)], {}, ActionSpec(0, (3, 2))),
}
ALL = FLAT | {name: case for name, case in CASES.items() if not case.shared_critic}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", ALL)
def test_equals_torch(name: str, tmp_path: Path) -> None:
    case = ALL[name]
    network, encoder = make_squashed(case)
    path = tmp_path / "Ball.onnx"
    export_network(network, encoder, path)
    play, rng = Player(path), np.random.default_rng(0)
    assert {node.op_type for node in build_network_model(network, encoder).graph.node} <= ALLOWED_OPERATORS
    for batch in (1, 2, 9):
        inputs = make_inputs(case, batch, rng, network.actor_memory_size)
        for each in (inputs, all_zeros(inputs)):
            expected = torch_outputs(network, encoder, each)
            assert worst_difference(play(each), expected, case.actions) < TOLERANCE


def test_samples_have_the_spread_of_their_own_row(tmp_path: Path) -> None:
    """Mean and deviation before squashing, for two rows with different spreads."""
    case = Case([vector(4)], {}, ActionSpec(2, ()))
    network, encoder = make_squashed(case)
    head = head_layer(policy_layers(network))
    with torch.no_grad():
        head.weight[2:] *= 0.5
        head.bias[2:] -= 1.0
        head.weight[:2] *= 0.5
    path = tmp_path / "Ball.onnx"
    export_network(network, encoder, path)
    rows = make_inputs(case, 2, np.random.default_rng(4))["obs_0"]
    with torch.no_grad():
        mean, log_sigma, _ = network([torch.from_numpy(rows)])
    assert (log_sigma[0] - log_sigma[1]).abs().max() > 0.2
    play = Player(path)
    for row in range(2):
        actions = play({"obs_0": np.repeat(rows[[row]], 20_000, axis=0)})["continuous_actions"]
        raw = np.arctanh(actions.astype(np.float64))
        sigma = log_sigma[row].exp().numpy()
        np.testing.assert_allclose(raw.mean(axis=0), mean[row], atol=0.05)
        np.testing.assert_allclose(raw.std(axis=0) / sigma, 1.0, atol=0.03)


def test_spread_is_clamped_on_both_sides(tmp_path: Path) -> None:
    """The logarithm of the deviation stays within [-20, 2]."""
    case = Case([vector(4)], {}, ActionSpec(2, ()))
    network, encoder = make_squashed(case)
    head = head_layer(policy_layers(network))
    with torch.no_grad():
        head.weight[2:] = 0.0
        head.bias[2:] = torch.tensor([-90.0, 90.0])
    path = tmp_path / "Ball.onnx"
    export_network(network, encoder, path)
    row = make_inputs(case, 1, np.random.default_rng(4))["obs_0"]
    played = Player(path)({"obs_0": np.repeat(row, 20_000, axis=0)})
    actions, best = played["continuous_actions"], played["deterministic_continuous_actions"]
    assert np.abs(actions[:, 0] - best[:, 0]).max() < 1e-6
    saturated = float((np.abs(actions[:, 1]) > np.tanh(3.0)).mean())
    assert 0.6 < saturated < 0.75  # |u| > 3 with a deviation of e² = 7.39; near 1 if it were larger


@pytest.mark.parametrize(
    ("constant", "change", "message"),
    [
        ("continuous.bias", 0.01, "deterministic_continuous_actions differs"),
        ("continuous.log_sigma.bias", 0.7, "continuous_actions, dimension"),
        ("continuous.log_sigma.bias", -0.7, "continuous_actions, dimension"),
    ],
)
def test_verification_notices_a_wrong_constant(constant: str, change: float, message: str) -> None:
    network, encoder = make_squashed(FLAT["flat"])
    interface, reference = network_interface(network, encoder), {"it": torch_policy(network, encoder)}
    model = build_network_model(network, encoder)
    verify_interface(model, interface, reference)
    (tensor,) = [x for x in model.graph.initializer if x.name == constant]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(change), constant))
    with pytest.raises(ExportError, match=message):
        verify_interface(model, interface, reference)


def test_verification_notices_that_actions_are_not_squashed() -> None:
    network, encoder = make_squashed(FLAT["flat_one_layer"])
    model = build_network_model(network, encoder)
    for node in model.graph.node:
        if node.op_type == "Tanh":
            node.op_type = "Identity"
    with pytest.raises(ExportError, match="differs"):
        verify_interface(model, network_interface(network, encoder), {"it": torch_policy(network, encoder)})
