"""Attention over entities against the equations written out, and what padding and order do."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_helpers import generator, layer_norm, parameters, randomize, swish, without_gradient
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from mlagents.networks.attention import EntityEncoder, SelfAttention

SIZES = (5, 3)  # features of two variable-length observations
COUNTS = (4, 6)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(self_size: int = 7, *, random: bool = True, padding_norm: float = 0.0) -> EntityEncoder:
    encoder = EntityEncoder(self_size, SIZES, generator(), padding_norm=padding_norm)
    if random:
        randomize(encoder, scale=2.0)
    return encoder


def make_inputs(batch: int = 3, self_size: int = 7, seed: int = 1) -> tuple[torch.Tensor, list[torch.Tensor]]:
    rng = np.random.default_rng(seed)
    own = torch.from_numpy(rng.normal(size=(batch, self_size)).astype(np.float32))
    others = []
    for count, size in zip(COUNTS, SIZES, strict=True):
        x = rng.normal(size=(batch, count, size)).astype(np.float32)
        x[rng.random((batch, count)) < 0.4] = 0.0
        others.append(torch.from_numpy(x))
    assert (others[0] == 0).all(dim=2).any()
    return own, others


def expected_code(
    encoder: EntityEncoder, own: torch.Tensor, others: list[torch.Tensor]
) -> NDArray[np.float64]:
    """The equations for one agent, head and query at a time; padding is left out instead of masked."""
    p = parameters(encoder)
    codes = []
    for agent in range(len(own)):
        embedded = []
        s = own[agent].numpy().astype(np.float64)
        for index, each in enumerate(others):
            for entity in each[agent].numpy().astype(np.float64):
                if not entity.any():
                    continue
                row = entity
                if len(s):
                    x_s = swish(p["self_embedding.weight"] @ s + p["self_embedding.bias"])
                    row = np.concatenate([x_s, entity])
                embedded.append(swish(p[f"embeddings.{index}.weight"] @ row + p[f"embeddings.{index}.bias"]))
        if not embedded:
            codes.append(np.zeros(128))
            continue
        x = layer_norm(np.stack(embedded))
        q, k, v = (
            x @ p[f"attention.{name}.weight"].T + p[f"attention.{name}.bias"]
            for name in ("query", "key", "value")
        )
        heads = []
        for head in range(4):
            part = slice(32 * head, 32 * head + 32)
            logits = np.einsum("id,jd->ij", q[:, part], k[:, part]) / math.sqrt(128)
            weights = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            heads.append(np.einsum("ij,jd->id", weights, v[:, part]))
        attended = np.concatenate(heads, axis=1)
        out = attended @ p["attention.out.weight"].T + p["attention.out.bias"]
        codes.append(layer_norm(out + x).mean(axis=0))
    return np.stack(codes)


@pytest.mark.parametrize("self_size", [7, 0])
def test_code_equals_the_equations(self_size: int) -> None:
    encoder = make(self_size)
    own, others = make_inputs(8, self_size)
    for each in others:
        each[2] = 0.0  # an agent that sees nobody
    code = encoder(own, others).detach()
    assert code.shape == (8, 128)
    assert_allclose(code, expected_code(encoder, own, others), rtol=1e-3, atol=1e-4)
    assert code[[0, 1, 3]].abs().mean() > 0.1


@pytest.mark.parametrize("self_size", [7, 0])
def test_agent_without_entities_gets_zeros(self_size: int) -> None:
    own, others = make_inputs(3, self_size)
    code = make(self_size)(own, [torch.zeros_like(each) for each in others])
    assert torch.equal(code, torch.zeros(3, 128))


def test_padding_has_no_effect_wherever_it_is() -> None:
    encoder = make()
    own, others = make_inputs()
    code = encoder(own, others)
    more = [
        torch.cat([torch.zeros_like(each[:, :2]), each, torch.zeros_like(each[:, :3])], 1) for each in others
    ]
    torch.testing.assert_close(encoder(own, more), code, rtol=1e-4, atol=1e-5)
    # without the mask, padding would count: it is embedded like any entity
    entity = torch.full_like(others[1][:, :1], 1e-3)
    assert not torch.allclose(encoder(own, [others[0], torch.cat([others[1], entity], 1)]), code, atol=1e-3)


def test_order_of_entities_has_no_effect() -> None:
    encoder = make()
    own, others = make_inputs()
    code = encoder(own, others)
    shuffled = [each[:, torch.randperm(each.shape[1], generator=generator(2))] for each in others]
    assert not torch.equal(shuffled[0], others[0])
    torch.testing.assert_close(encoder(own, shuffled), code, rtol=1e-4, atol=1e-5)


def test_entities_near_the_origin_are_no_padding() -> None:
    own = torch.ones(1, 7)
    others = [torch.zeros(1, count, size) for count, size in zip(COUNTS, SIZES, strict=True)]
    others[0][0, 2, 1] = 0.05
    encoder = make()
    assert encoder.is_padding(others[0]).tolist() == [[True, True, False, True]]
    assert encoder(own, others).abs().max() > 0.1
    like_the_original = make(padding_norm=0.1)
    assert like_the_original.is_padding(others[0]).all()
    assert torch.equal(like_the_original(own, others), torch.zeros(1, 128))
    others[0][0, 2, 0] = 0.0999  # together with 0.05 a norm of 0.11
    assert like_the_original.is_padding(others[0]).tolist() == [[True, True, False, True]]


def test_padding_gets_no_gradient_and_entities_do() -> None:
    encoder = make()
    own, others = make_inputs()
    own.requires_grad_()
    for each in others:
        each.requires_grad_()
    encoder(own, others).square().sum().backward()
    assert own.grad is not None
    assert own.grad.any()
    for each in others:
        padding = encoder.is_padding(each.detach())
        assert each.grad is not None
        assert not each.grad[padding].any()
        assert each.grad[~padding].abs().sum(dim=1).all()


@pytest.mark.parametrize("self_size", [7, 0])
def test_gradients_reach_every_parameter(self_size: int) -> None:
    encoder = make(self_size)
    own, others = make_inputs(5, self_size)
    loss = (encoder(own, others) * torch.randn(5, 128, generator=generator(4))).sum()
    missing = without_gradient(encoder, loss)
    # a bias of the keys adds the same to all logits of a query, which the softmax takes away again
    assert missing <= {"attention.key.bias"}
    gradient = encoder.attention.key.bias.grad
    assert gradient is not None
    assert gradient.abs().max() < 1e-4


def test_initial_weights_are_those_of_t_fixup() -> None:
    encoder = EntityEncoder(300, [200], generator())
    layers = [module for module in encoder.modules() if isinstance(module, torch.nn.Linear)]
    assert len(layers) == 6
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(math.sqrt(0.125 / 128), rel=0.03)
        assert not layer.bias.any()
    assert encoder.embeddings[0].in_features == 128 + 200


def test_width_follows_the_embedding() -> None:
    attention = SelfAttention(16, generator())
    assert attention.query.weight.std().item() == pytest.approx(math.sqrt(0.125 / 16), rel=0.2)
    x = torch.randn(2, 3, 16, generator=generator())
    assert attention(x, torch.zeros(2, 3, dtype=torch.bool)).shape == (2, 16)
    with pytest.raises(ValueError, match="multiple of 4, not 18"):
        SelfAttention(18, generator())
