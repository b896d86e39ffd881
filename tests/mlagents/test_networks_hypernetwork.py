"""The layer whose weights come from the goal, against matrix products written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_helpers import generator, layer_norm, parameters, randomize, swish, without_gradient
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from mlagents.networks.hypernetwork import GoalLayer


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(inputs: int = 5, outputs: int = 6, goal_size: int = 3) -> GoalLayer:
    layer = GoalLayer(inputs, outputs, goal_size, generator())
    randomize(layer, scale=1.5)
    return layer


def expected_output(layer: GoalLayer, x: torch.Tensor, goal: torch.Tensor) -> NDArray[np.float64]:
    """One row at a time: weights from the goal, then the product."""
    p = parameters(layer)
    rows = []
    for each, g in zip(x.detach().numpy(), goal.detach().numpy(), strict=True):
        u = swish(p["first.weight"] @ g + p["first.bias"])
        u = layer_norm(swish(p["second.weight"] @ u + p["second.bias"]))
        weights = (p["weights.weight"] @ u + p["weights.bias"]).reshape(layer.inputs, layer.outputs)
        rows.append(each @ weights + p["bias"])
    return np.stack(rows)


def test_output_equals_the_products() -> None:
    layer = make()
    x, goal = torch.randn(9, 5, generator=generator(1)), torch.randn(9, 3, generator=generator(2))
    output = layer(x, goal).detach()
    assert_allclose(output, expected_output(layer, x, goal), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(output, layer(x, goal.flip(0)), atol=0.1)


@pytest.mark.parametrize("num_goals", [1, 2, 3])
def test_few_goals_among_many_rows_give_the_same(num_goals: int) -> None:
    layer = make()
    goals = torch.eye(3)[:num_goals]
    goal = goals[torch.randint(num_goals, (20,), generator=generator(3))]
    assert layer._distinct(goal) is not None
    x = torch.randn(20, 5, generator=generator(1), requires_grad=True)
    output = layer(x, goal)
    assert_allclose(output.detach(), expected_output(layer, x, goal), rtol=1e-4, atol=1e-5)

    def gradients(output: torch.Tensor) -> list[torch.Tensor]:
        weight = torch.randn(20, 6, generator=generator(4))
        return list(torch.autograd.grad((output * weight).sum(), [x, *layer.parameters()]))

    row_by_row = torch.cat([layer(x[row : row + 1], goal[row : row + 1]) for row in range(20)])
    for few, every in zip(gradients(output), gradients(row_by_row), strict=True):
        torch.testing.assert_close(few, every, rtol=1e-4, atol=1e-5)


def test_goals_that_are_learned_get_their_gradient_row_by_row() -> None:
    layer = make()
    goal = torch.eye(3)[torch.arange(20) % 2].requires_grad_()
    layer(torch.randn(20, 5, generator=generator(1)), goal).sum().backward()
    assert goal.grad is not None
    assert goal.grad.abs().sum(dim=1).all()


@pytest.mark.parametrize("rows", [4, 20])
def test_gradients_reach_every_parameter(rows: int) -> None:
    layer = make()
    x = torch.randn(rows, 5, generator=generator(1))
    goal = torch.eye(3)[torch.arange(rows) % 3]
    assert without_gradient(layer, layer(x, goal).square().sum()) == set()


def test_initial_weights() -> None:
    layer = GoalLayer(40, 200, 60, generator())
    assert layer.first.weight.std().item() == pytest.approx(1 / math.sqrt(60), rel=0.03)
    assert layer.second.weight.std().item() == pytest.approx(1 / math.sqrt(200), rel=0.03)
    bound = math.sqrt(1 / (40 * 200))
    weight = layer.weights.weight
    assert weight.shape == (40 * 200, 200)
    assert 0.999 * bound < weight.abs().max().item() <= bound
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    for bias in (layer.first.bias, layer.second.bias, layer.weights.bias, layer.bias):
        assert not bias.any()
