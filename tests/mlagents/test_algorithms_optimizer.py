"""Adam on a flat vector: against torch's, with clipping, and with gradients that are not finite."""

from __future__ import annotations

import math

import pytest
import torch

from mlagents.algorithms.optimizer import FlatAdam


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(size: int = 37, max_norm: float = 0.0, compiled: bool = True, seed: int = 0) -> FlatAdam:
    generator = torch.Generator().manual_seed(seed)
    optimizer = FlatAdam(torch.randn(size, generator=generator), torch.zeros(size), max_norm)
    optimizer._on_cpu = compiled  # the form for other devices works on the CPU as well
    return optimizer


def gradients(step: int, size: int = 37) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1000 + step)
    scale = 10.0 ** (torch.arange(size) % 7 - 4.0)
    return torch.randn(size, generator=generator) * scale


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("max_norm", [0.0, 0.5])
def test_twenty_steps_equal_torch(compiled: bool, max_norm: float) -> None:
    optimizer = make(max_norm=max_norm, compiled=compiled)
    parameter = torch.nn.Parameter(optimizer.values.clone())
    reference = torch.optim.Adam([parameter], lr=0.01)
    for step in range(20):
        learning_rate = 0.01 / (1 + step)
        reference.param_groups[0]["lr"] = learning_rate
        parameter.grad = gradients(step)
        if max_norm:
            torch.nn.utils.clip_grad_norm_([parameter], max_norm)
        reference.step()
        optimizer.gradients.copy_(gradients(step))
        norm = optimizer.step(learning_rate)
        assert norm == pytest.approx(gradients(step).norm().item(), rel=1e-5)
        torch.testing.assert_close(optimizer.gradients, gradients(step))
    torch.testing.assert_close(optimizer.values, parameter.detach(), rtol=1e-5, atol=2e-6)
    assert optimizer.num_steps == 20


@pytest.mark.parametrize("compiled", [True, False])
def test_first_step_worked_by_hand(compiled: bool) -> None:
    optimizer = make(2, max_norm=1.0, compiled=compiled)
    optimizer.values.zero_()
    optimizer.gradients.copy_(torch.tensor([3.0, -4.0]))
    assert optimizer.step(0.1) == pytest.approx(5.0)
    # clipped to (0.6, -0.8); the first step of Adam is the learning rate along each sign
    assert optimizer.first_moment.tolist() == pytest.approx([0.06, -0.08])
    assert optimizer.second_moment.tolist() == pytest.approx([0.00036, 0.00064])
    assert optimizer.values.tolist() == pytest.approx([-0.1, 0.1])


@pytest.mark.parametrize("compiled", [True, False])
def test_gradient_within_the_limit_is_left_alone(compiled: bool) -> None:
    free, limited = make(compiled=compiled), make(max_norm=1e6, compiled=compiled)
    for optimizer in (free, limited):
        optimizer.gradients.copy_(gradients(0))
        optimizer.step(0.01)
    assert torch.equal(free.values, limited.values)


@pytest.mark.parametrize("compiled", [True, False])
def test_zero_gradient_moves_nothing(compiled: bool) -> None:
    optimizer = make(max_norm=0.5, compiled=compiled)
    before = optimizer.values.clone()
    assert optimizer.step(0.01) == 0.0
    assert torch.equal(optimizer.values, before)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_gradient_that_is_not_finite_is_skipped_and_counted(compiled: bool, bad: float) -> None:
    optimizer, undisturbed = make(compiled=compiled), make(compiled=compiled)
    for step in range(3):
        if step == 1:
            optimizer.gradients.copy_(gradients(7))
            optimizer.gradients[36] = bad
            assert not math.isfinite(optimizer.step(0.01))
        for each in (optimizer, undisturbed):
            each.gradients.copy_(gradients(step))
            each.step(0.01)
    assert torch.equal(optimizer.values, undisturbed.values)
    assert torch.equal(optimizer.second_moment, undisturbed.second_moment)
    assert (optimizer.num_steps, optimizer.num_skipped) == (3, 1)


@pytest.mark.parametrize("compiled", [True, False])
def test_state_round_trip_continues_identically(compiled: bool) -> None:
    optimizer = make(max_norm=0.5, compiled=compiled)
    for step in range(4):
        optimizer.gradients.copy_(gradients(step))
        optimizer.step(0.01)
    other = make(max_norm=0.5, compiled=compiled, seed=1)
    other.values.copy_(optimizer.values)
    other.set_state({key: torch.clone(torch.as_tensor(v)) for key, v in optimizer.get_state().items()})
    for each in (optimizer, other):
        each.gradients.copy_(gradients(4))
        each.step(0.01)
    assert torch.equal(other.values, optimizer.values)
    assert other.num_steps == 5
