"""Networks are exported by way of a description, and compared with what torch computes from the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from export_helpers import run
from trainer_helpers import ACTION_SPECS, observation_spec

from mlagents.export import (
    ContinuousHead,
    ExportError,
    Linear,
    Normalizer,
    PolicyDescription,
    export_policy,
    from_network,
)
from mlagents.export.from_network import describe_policy, export_network, torch_policy
from mlagents.export.policy_graph import build_policy_model
from mlagents.export.verify import verify_model
from mlagents.networks.actor_critic import ActorCritic
from mlagents.networks.flat_parameters import FlatParameters
from mlagents.networks.observations import ObservationEncoder
from mlagents_envs.base_env import ActionSpec

SIZES = (5, 3)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(actions: ActionSpec, *, normalize: bool, layers: int = 2) -> tuple[ActorCritic, ObservationEncoder]:
    """A network whose outputs are not all near zero, and an encoder that has seen something."""
    specs = [observation_spec(size, f"sensor{size}") for size in SIZES]
    encoder = ObservationEncoder("Ball", specs, normalize=normalize)
    rng = np.random.default_rng(3)
    encoder.fold([rng.normal(4.0, 2.5, (500, size)).astype(np.float32) for size in SIZES])
    network = ActorCritic(encoder.size, actions, 16, layers, 1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        network.actor.linear_layers()[-1].weight.mul_(4.0)
        generator = torch.Generator().manual_seed(2)
        for layer in network.actor.linear_layers():
            layer.bias.normal_(0.0, 0.3, generator=generator)
        network.log_sigma.fill_(-0.4)
    return network, encoder


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("actions", ACTION_SPECS)
def test_every_kind_of_network_is_exported(
    actions: str, normalize: bool, layers: int, tmp_path: Path
) -> None:
    network, encoder = make(ACTION_SPECS[actions], normalize=normalize, layers=layers)
    path = tmp_path / "Ball.onnx"
    export_network(network, encoder, path)
    rng = np.random.default_rng(0)
    observations = [rng.normal(4.0, 2.5, (9, size)).astype(np.float32) for size in SIZES]
    inputs = {f"obs_{index}": column for index, column in enumerate(observations)}
    spec = network.action_spec
    branches = sum(spec.discrete_branches)
    if branches:
        inputs["action_masks"] = np.ones((9, branches), dtype=np.float32)
    with torch.no_grad():
        outputs = network.actor(torch.from_numpy(encoder.encode(observations)[0])).numpy()
    played = run(path, inputs)
    if spec.continuous_size:
        wanted = np.clip(outputs[:, : spec.continuous_size], -3, 3) / 3
        np.testing.assert_allclose(played["deterministic_continuous_actions"], wanted, atol=1e-5)
    start = spec.continuous_size
    for branch, size in enumerate(spec.discrete_branches):
        wanted = outputs[:, start : start + size].argmax(axis=1)
        np.testing.assert_array_equal(played["deterministic_discrete_actions"][:, branch], wanted)
        start += size


def scaled_normalizer(description: PolicyDescription) -> PolicyDescription:
    changed = [n and Normalizer(n.mean, n.inv_std * n.inv_std) for n in description.normalizers]
    return replace(description, normalizers=changed)


def shifted_normalizer(description: PolicyDescription) -> PolicyDescription:
    changed = [n and Normalizer(n.mean + 0.2, n.inv_std) for n in description.normalizers]
    return replace(description, normalizers=changed)


def no_normalizer(description: PolicyDescription) -> PolicyDescription:
    return replace(description, normalizers=[None] * len(description.normalizers))


def scaled_mean(description: PolicyDescription) -> PolicyDescription:
    head = description.continuous
    assert head is not None
    return replace(description, continuous=ContinuousHead(head.weight / 3, head.bias / 3, head.log_sigma))


def spread_not_as_logarithm(description: PolicyDescription) -> PolicyDescription:
    head = description.continuous
    assert head is not None
    return replace(description, continuous=head._replace(log_sigma=np.exp(head.log_sigma)))


def swapped_layers(description: PolicyDescription) -> PolicyDescription:
    first, second = description.body
    return replace(description, body=[Linear(first.weight, second.bias), Linear(second.weight, first.bias)])


def shifted_logits(description: PolicyDescription) -> PolicyDescription:
    first, *rest = description.discrete
    return replace(
        description, discrete=[Linear(np.roll(first.weight, 1, axis=0), np.roll(first.bias, 1)), *rest]
    )


def swapped_branches(description: PolicyDescription) -> PolicyDescription:
    return replace(description, discrete=list(description.discrete)[::-1])


def fewer_actions(description: PolicyDescription) -> PolicyDescription:
    head = description.continuous
    assert head is not None
    fewer = ContinuousHead(head.weight[:1], head.bias[:1], head.log_sigma[:1])
    return replace(description, continuous=fewer)


Change = Callable[[PolicyDescription], PolicyDescription]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (scaled_normalizer, "differs"),
        (shifted_normalizer, "differs"),
        (no_normalizer, "differs"),
        (scaled_mean, "deterministic_continuous_actions differs"),
        (spread_not_as_logarithm, "continuous_actions, dimension 0"),
        (swapped_layers, "differs"),
        (shifted_logits, "below the best logit"),
        (swapped_branches, r"branches of \[4, 2\], expected 2 and \[2, 4\]"),
        (fewer_actions, "1 continuous actions .* expected 2"),
    ],
)
def test_a_wrong_description_never_reaches_the_disk(
    change: Change, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, encoder = make(ACTION_SPECS["hybrid"], normalize=True)
    wrong = change(describe_policy(network, encoder))
    path = tmp_path / "Ball.onnx"
    export_policy(wrong, path)  # what the description says is what the graph computes
    path.unlink()

    def describe(_network: ActorCritic, _encoder: ObservationEncoder) -> PolicyDescription:
        return wrong

    monkeypatch.setattr(from_network, "describe_policy", describe)
    with pytest.raises(ExportError, match=f"{message}.*the network|compared with the network.*{message}"):
        export_network(network, encoder, path)
    assert not path.exists()


def test_compared_with_zeros_and_single_rows_too() -> None:
    network, encoder = make(ACTION_SPECS["hybrid"], normalize=True)
    policy = torch_policy(network, encoder)
    seen = set()

    def spy(inputs: dict[str, np.ndarray], dtype: type) -> object:
        seen.add((len(inputs["obs_0"]), bool(inputs["obs_0"].any()), bool(inputs["action_masks"].any())))
        return policy(inputs, dtype)

    description = describe_policy(network, encoder)
    verify_model(build_policy_model(description), description, spy)  # type: ignore[arg-type]
    assert {(1, True, True), (1, False, False), (7, True, True), (7, False, False)} <= seen


def test_network_and_encoder_stay_as_they_are(tmp_path: Path) -> None:
    network, encoder = make(ACTION_SPECS["hybrid"], normalize=True)
    flat = FlatParameters(network)
    before, state = flat.values.clone(), [dict(part) for part in encoder.get_state()]
    export_network(network, encoder, tmp_path / "Ball.onnx")
    assert torch.equal(flat.values, before)
    assert next(network.parameters()).dtype == torch.float32
    flat.values.zero_()
    assert not next(network.actor.parameters()).any(), "parameters are no longer views of the flat vector"
    for part, earlier in zip(encoder.get_state(), state, strict=True):
        np.testing.assert_array_equal(part["mean"], earlier["mean"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_network_on_a_gpu(tmp_path: Path) -> None:
    network, encoder = make(ACTION_SPECS["hybrid"], normalize=True)
    export_network(network.to("cuda"), encoder, tmp_path / "Ball.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "Ball.onnx"))
    assert next(network.parameters()).device.type == "cuda"


def test_broken_weights_and_surprises_are_export_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, encoder = make(ACTION_SPECS["continuous"], normalize=False)

    def fail(*_: object) -> None:
        raise MemoryError("3 GB")

    monkeypatch.setattr("mlagents.export.onnx_file.build_policy_model", fail)
    with pytest.raises(ExportError, match=r"MemoryError: 3 GB"):
        export_network(network, encoder, tmp_path / "Ball.onnx")
    monkeypatch.undo()
    with torch.no_grad():
        network.actor.linear_layers()[0].weight[0, 0] = float("nan")
    with pytest.raises(ExportError, match="body layer 0 holds NaN"):
        export_network(network, encoder, tmp_path / "Ball.onnx")
