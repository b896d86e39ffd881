"""Memory against the equations of the cell, and sequences in pieces."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_helpers import generator, parameters, randomize, without_gradient
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from mlagents.networks.recurrent import RecurrentMemory


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(inputs: int = 3, memory_size: int = 8) -> RecurrentMemory:
    memory = RecurrentMemory(inputs, memory_size, generator())
    randomize(memory, scale=1.5)
    return memory


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))


def expected(
    module: RecurrentMemory, x: torch.Tensor, memory: torch.Tensor, length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The cell's equations, one sequence and step at a time."""
    p = parameters(module)
    size = module.output_size
    outputs, after = [], []
    for sequence, start in zip(x.reshape(-1, length, x.shape[1]).numpy(), memory.numpy(), strict=True):
        h, c = start[:size].astype(np.float64), start[size:].astype(np.float64)
        for step in sequence.astype(np.float64):
            z = p["lstm.weight_ih_l0"] @ step + p["lstm.bias_ih_l0"]
            z = z + p["lstm.weight_hh_l0"] @ h + p["lstm.bias_hh_l0"]
            i, f, g, o = (z[gate * size : (gate + 1) * size] for gate in range(4))
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        after.append(np.concatenate([h, c]))
    return np.stack(outputs), np.stack(after)


@pytest.mark.parametrize("length", [1, 5])
def test_outputs_and_memory_equal_the_equations(length: int) -> None:
    module = make()
    x = torch.randn(3 * length, 3, generator=generator(1))
    memory = torch.randn(3, 8, generator=generator(2))
    outputs, after = module(x, memory, length)
    expected_outputs, expected_after = expected(module, x, memory, length)
    assert_allclose(outputs.detach(), expected_outputs, rtol=1e-4, atol=1e-5)
    assert_allclose(after.detach(), expected_after, rtol=1e-4, atol=1e-5)


def test_no_memory_means_zeros() -> None:
    module = make()
    x = torch.randn(6, 3, generator=generator(1))
    for given, zeros in zip(module(x, None, 3), module(x, torch.zeros(2, 8), 3), strict=True):
        assert torch.equal(given, zeros)


@pytest.mark.parametrize("pieces", [[6], [1] * 6, [2, 4], [5, 1]])
def test_sequence_in_pieces_equals_the_whole(pieces: list[int]) -> None:
    module = make()
    x = torch.randn(4, 6, 3, generator=generator(1))  # [B, L, inputs]
    memory = torch.randn(4, 8, generator=generator(2))
    whole, after = module(x.reshape(24, 3), memory, 6)
    outputs = []
    begin = 0
    for length in pieces:
        part = x[:, begin : begin + length].reshape(4 * length, 3)
        output, memory = module(part, memory, length)
        outputs.append(output.view(4, length, 4))
        begin += length
    torch.testing.assert_close(torch.cat(outputs, dim=1).reshape(24, 4), whole)
    torch.testing.assert_close(memory, after)


def test_sequences_do_not_see_each_other() -> None:
    module = make()
    x = torch.randn(2, 4, 3, generator=generator(1))
    outputs, _ = module(x.view(8, 3), None, 4)
    x[0] += 1.0
    changed, _ = module(x.view(8, 3), None, 4)
    assert torch.equal(changed[4:], outputs[4:])
    assert not torch.isclose(changed[:4], outputs[:4]).any()


def test_gradients_reach_every_parameter_and_the_start() -> None:
    module = make()
    memory = torch.randn(2, 8, generator=generator(2), requires_grad=True)
    outputs, _ = module(torch.randn(8, 3, generator=generator(1)), memory, 4)
    assert without_gradient(module, outputs[3::4].square().sum()) == set()  # from the last step alone
    assert memory.grad is not None
    assert memory.grad.all()


def test_nobody_remembers_nothing() -> None:
    outputs, after = make()(torch.zeros(0, 3), torch.zeros(0, 8), 1)
    assert outputs.shape == (0, 4)
    assert after.shape == (0, 8)


def test_initial_weights() -> None:
    module = RecurrentMemory(100, 400, generator())
    lstm = module.lstm
    for weight, inputs in ((lstm.weight_ih_l0, 100), (lstm.weight_hh_l0, 200)):
        for gate in weight.detach().split(200):
            bound = math.sqrt(6 / (inputs + 200))
            assert 0.999 * bound < gate.abs().max().item() <= bound
            assert gate.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    for bias in (lstm.bias_ih_l0, lstm.bias_hh_l0):
        ingate, forget, cell, outgate = bias.detach().split(200)
        assert (forget == 1.0).all()
        assert not torch.cat([ingate, cell, outgate]).any()


def test_making_one_leaves_the_global_source_alone() -> None:
    torch.manual_seed(3)
    expected_draw = torch.rand(1)
    torch.manual_seed(3)
    first, second = (RecurrentMemory(4, 6, generator(1)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(torch.rand(1), expected_draw)
