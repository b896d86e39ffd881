"""The body of networks: how encoders, hidden layers, goals and memory are put together."""

from __future__ import annotations

import math

import pytest
import torch
from network_helpers import (
    entities,
    generator,
    image,
    network_settings,
    observations,
    randomize,
    vector,
    without_gradient,
)
from torch import Tensor, nn
from torch.nn import functional

from mlagents.networks.body import Body
from mlagents.networks.observations import UnsupportedObservationError
from mlagents_envs.base_env import ObservationSpec

ALL_KINDS = [
    entities(4, 3),
    vector(2),
    image(1, 20, 21),
    vector(3, goal=True),
    entities(2, 5),
    image(2, 24, 20),
]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(specs: list[ObservationSpec], *, extra_size: int = 0, **settings: object) -> Body:
    body = Body(specs, network_settings(**settings), generator(), extra_size=extra_size)
    randomize(body, scale=1.5)
    return body


def encode(body: Body, inputs: list[Tensor], **arguments: object) -> Tensor:
    encoding, _ = body(inputs, **arguments)
    result: Tensor = encoding
    return result


# -- what is put together, and in which order ----------------------------------------------------------


def test_vectors_go_through_swish_layers() -> None:
    body = make([vector(2), vector(3)])
    a, b = observations([vector(2), vector(3)], 4)
    x = torch.cat([a, b], dim=1)
    first, second = body.layers
    for layer in (first, second):
        z = x @ layer.weight.T + layer.bias
        x = z * torch.sigmoid(z)
    torch.testing.assert_close(encode(body, [a, b]), x)


@pytest.mark.parametrize("shuffled", [False, True])
def test_any_mix_in_any_order(shuffled: bool) -> None:
    specs = ALL_KINDS[::-1] if shuffled else ALL_KINDS
    body = make(specs, goal_conditioning_type="none")
    inputs = observations(specs, 4)
    parts, lists = [], []
    for index, (each, x) in enumerate(zip(specs, inputs, strict=True)):
        if len(each.shape) == 1:
            parts.append(x)
        elif len(each.shape) == 3:
            parts.append(body.inputs.image_encoders[str(index)](x))
        else:
            lists.append(x)
    own = torch.cat(parts, dim=1)
    assert own.shape[1] == 2 + 8 + 3 + 8
    assert body.inputs.entity_encoder is not None
    x = torch.cat([own, body.inputs.entity_encoder(own, lists)], dim=1)
    assert body.inputs.output_size == x.shape[1]
    for layer in body.layers:
        x = functional.silu(layer(x))
    torch.testing.assert_close(encode(body, inputs), x)


def test_extra_input_comes_last() -> None:
    body = make([vector(2), entities(3, 2)], extra_size=4, num_layers=1)
    inputs = observations([vector(2), entities(3, 2)], 5)
    extra = torch.randn(5, 4, generator=generator(7))
    before = encode(body, inputs, extra=extra)
    with torch.no_grad():
        body.layers[0].weight[:, -4:] = 0.0
    after = encode(body, inputs, extra=extra)
    assert not torch.allclose(before, after, atol=1e-2)
    torch.testing.assert_close(encode(body, inputs, extra=-extra), after)


@pytest.mark.parametrize("num_layers", [0, 1, 2, 3])
def test_last_layer_comes_from_the_goal(num_layers: int) -> None:
    specs = [vector(2), vector(3, goal=True), vector(1), vector(2, goal=True)]
    body = make(specs, num_layers=num_layers)
    inputs = observations(specs, 5)
    assert len(body.layers) == max(1, num_layers) - 1
    assert body.goal_layer is not None
    x = torch.cat(inputs, dim=1)  # goals are inputs too
    for layer in body.layers:
        x = functional.silu(layer(x))
    x = functional.silu(body.goal_layer(x, torch.cat([inputs[1], inputs[3]], dim=1)))
    torch.testing.assert_close(encode(body, inputs), x)


def test_image_as_goal() -> None:
    specs = [vector(2), image(1, 20, 20, goal=True)]
    body = make(specs)
    inputs = observations(specs, 3)
    goal = body.inputs.image_encoders["1"](inputs[1])
    assert body.goal_layer is not None
    x = functional.silu(body.layers[0](torch.cat([inputs[0], goal], dim=1)))
    torch.testing.assert_close(encode(body, inputs), functional.silu(body.goal_layer(x, goal)))


def test_goal_is_an_ordinary_input_where_asked() -> None:
    body = make([vector(2), vector(3, goal=True)], goal_conditioning_type="none")
    assert body.goal_layer is None
    assert len(body.layers) == 2


def test_memory_comes_last() -> None:
    body = make([vector(2)], memory={"memory_size": 10})
    (x,) = inputs = observations([vector(2)], 6)
    memory = torch.randn(2, 10, generator=generator(3))
    encoding, after = body(inputs, memory, sequence_length=3)
    for layer in body.layers:
        x = functional.silu(layer(x))
    assert body.recurrent is not None
    expected, expected_after = body.recurrent(x, memory, 3)
    torch.testing.assert_close(encoding, expected)
    torch.testing.assert_close(after, expected_after)
    assert (body.output_size, body.memory_size) == (5, 10)


def test_without_memory_nothing_is_remembered() -> None:
    body = make([vector(2)])
    encoding, after = body(observations([vector(2)], 6), sequence_length=3)
    assert (body.output_size, body.memory_size) == (8, 0)
    assert encoding.shape == (6, 8)
    assert after.shape == (2, 0)


@pytest.mark.parametrize("memory", [None, {"memory_size": 4}])
def test_rows_are_independent_and_there_may_be_none(memory: dict[str, int] | None) -> None:
    body = make(ALL_KINDS, memory=memory)
    inputs = observations(ALL_KINDS, 12)
    encoding = encode(body, inputs)
    for rows in (slice(0, 1), slice(3, 6), slice(0, 0)):
        part = encode(body, [x[rows] for x in inputs])
        torch.testing.assert_close(part, encoding[rows], rtol=1e-4, atol=1e-5)


def test_near_entities_vanish_only_where_the_setting_says_so() -> None:
    inputs = [torch.full((1, 1, 2), 0.05)]
    specs = [entities(1, 2)]
    assert make(specs).inputs(inputs)[0].abs().max() > 0.1
    assert not make(specs, padding_norm=0.1).inputs(inputs)[0].any()


# -- gradients and initial weights ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fully_connected", "match3", "simple", "resnet"])
@pytest.mark.parametrize("conditioning", ["hyper", "none"])
def test_gradients_reach_every_parameter_and_input(kind: str, conditioning: str) -> None:
    body = make(
        ALL_KINDS,
        extra_size=2,
        vis_encode_type=kind,
        goal_conditioning_type=conditioning,
        memory={"memory_size": 6},
    )
    inputs = [x.requires_grad_() for x in observations(ALL_KINDS, 12)]
    encoding = encode(body, inputs, extra=torch.ones(12, 2), sequence_length=4)
    missing = without_gradient(body, (encoding * torch.randn(12, 3, generator=generator(8))).sum())
    assert missing <= {"inputs.entity_encoder.attention.key.bias"}  # see the test of attention
    assert all(x.grad is not None and x.grad.any() for x in inputs)


def test_frozen_parts_stay_without_gradient() -> None:
    specs = [vector(2), image(1, 20, 20)]
    body = make(specs)
    for parameter in body.inputs.parameters():
        parameter.requires_grad_(False)
    missing = without_gradient(body, encode(body, observations(specs, 4)).sum())
    assert missing == {name for name, _ in body.named_parameters() if name.startswith("inputs.")}
    assert missing


def test_initial_hidden_layers() -> None:
    body = Body([vector(100)], network_settings(hidden_units=300, num_layers=3), generator())
    assert [layer.in_features for layer in body.layers] == [100, 300, 300]
    for layer in body.layers:
        assert isinstance(layer, nn.Linear)
        assert layer.weight.std().item() == pytest.approx(1 / math.sqrt(layer.in_features), rel=0.03)
        assert not layer.bias.any()


def test_same_generator_same_weights_and_none_from_the_global_source() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    settings = network_settings(memory={})
    first, second = (Body(ALL_KINDS, settings, generator(4), extra_size=2) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert all(p.isfinite().all() for p in first.parameters())
    assert torch.equal(torch.rand(1), expected)


def test_small_image_is_refused() -> None:
    with pytest.raises(UnsupportedObservationError, match=r"observation 0 \(camera\).*at least 36 by 36"):
        Body([image(3, 35, 84)], network_settings(vis_encode_type="nature_cnn"), generator())
