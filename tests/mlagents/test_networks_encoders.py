"""Image encoders against plain loops, their sizes, and their initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from network_helpers import convolve, generator, image, parameters, randomize, swish, without_gradient
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from torch import nn

from mlagents.networks.encoders import make_image_encoder
from mlagents.networks.initialization import convolution
from mlagents.networks.observation_kinds import (
    MINIMUM_IMAGE_SIDE,
    UnsupportedObservationError,
    check_specs,
)
from mlagents.networks.settings import EncoderType, NetworkSettings

# channels, window, stride of each convolution, as documented
LAYERS = {
    EncoderType.FULLY_CONNECTED: [],
    EncoderType.MATCH3: [(35, 3, 1), (144, 3, 1)],
    EncoderType.SIMPLE: [(16, 8, 4), (32, 4, 2)],
    EncoderType.NATURE_CNN: [(32, 8, 4), (64, 4, 2), (64, 3, 1)],
}
MINIMUM = {"fully_connected": 1, "match3": 5, "resnet": 15, "simple": 20, "nature_cnn": 36}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def leaky(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(x > 0, x, 0.01 * x)


def random_images(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(3))


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("extra", [(0, 0), (9, 13)])  # strides that do not divide a side lose its last pixels
def test_convolutions_equal_plain_loops(kind: EncoderType, extra: tuple[int, int]) -> None:
    least = MINIMUM[kind.value]
    shape = (2, least + extra[0], least + extra[1])
    encoder = make_image_encoder(shape, kind, 7, generator())
    randomize(encoder, scale=1.5)
    images = random_images(3, *shape)
    values = parameters(encoder)
    x = images.numpy().astype(np.float64)
    for index, (channels, window, stride) in enumerate(LAYERS[kind]):
        weight = values.pop(f"convolutions.{index}.weight")
        assert weight.shape == (channels, x.shape[1], window, window)
        x = leaky(convolve(x, weight, values.pop(f"convolutions.{index}.bias"), stride))
    expected = leaky(x.reshape(3, -1) @ values.pop("linear.weight").T + values.pop("linear.bias"))
    assert not values
    assert (expected < 0).any()
    assert_allclose(encoder(images).detach(), expected, rtol=1e-4, atol=1e-5)


def pool(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest value of windows of 3 at every second place."""
    rows, columns = ((side - 3) // 2 + 1 for side in x.shape[2:])
    out = np.empty((*x.shape[:2], rows, columns))
    for row in range(rows):
        for column in range(columns):
            out[:, :, row, column] = x[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3].max((2, 3))
    return out


@pytest.mark.parametrize("shape", [(1, 15, 16), (3, 24, 15)])
def test_residual_encoder_equals_plain_loops(shape: tuple[int, int, int]) -> None:
    encoder = make_image_encoder(shape, EncoderType.RESNET, 6, generator())
    randomize(encoder, scale=1.0)
    images = random_images(2, *shape)
    values = parameters(encoder)

    def conv(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return convolve(x, values.pop(f"{name}.weight"), values.pop(f"{name}.bias"), 1, 1)

    x = images.numpy().astype(np.float64)
    for stack, channels in enumerate([16, 32, 32]):
        x = pool(conv(x, f"stacks.{stack}.convolution"))
        assert x.shape[1] == channels
        for block in range(2):
            name = f"stacks.{stack}.blocks.{block}"
            x = x + conv(swish(conv(swish(x), f"{name}.first")), f"{name}.second")
    z = swish(x).reshape(2, -1) @ values.pop("linear.weight").T + values.pop("linear.bias")
    assert not values
    assert (z < 0).any()
    assert_allclose(encoder(images).detach(), np.maximum(z, 0), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", EncoderType)
def test_gradients_reach_every_parameter_and_the_image(kind: EncoderType) -> None:
    shape = (3, MINIMUM[kind.value], MINIMUM[kind.value])
    encoder = make_image_encoder(shape, kind, 32, generator())
    images = random_images(8, *shape).requires_grad_()
    assert (
        without_gradient(encoder, (encoder(images) * torch.randn(8, 32, generator=generator())).sum())
        == set()
    )
    assert images.grad is not None
    assert images.grad.any()


# -- minimum sizes -------------------------------------------------------------------------------------


def test_minimum_sizes_are_those_documented() -> None:
    assert {kind.value: side for kind, side in MINIMUM_IMAGE_SIDE.items()} == MINIMUM


@pytest.mark.parametrize("kind", EncoderType)
def test_smallest_images_are_encoded(kind: EncoderType) -> None:
    side = MINIMUM[kind.value]
    check_specs([image(3, side, side)], NetworkSettings(vis_encode_type=kind))
    code = make_image_encoder((3, side, side), kind, 5, generator())(torch.zeros(2, 3, side, side))
    assert code.shape == (2, 5)


@pytest.mark.parametrize("kind", [kind for kind in EncoderType if MINIMUM[kind.value] > 1])
@pytest.mark.parametrize("narrow", ["height", "width"])
def test_smaller_images_are_refused(kind: EncoderType, narrow: str) -> None:
    least = MINIMUM[kind.value]
    height, width = (least - 1, 200) if narrow == "height" else (200, least - 1)
    message = (
        rf"observation 0 \(camera\) is an image of height {height} and width {width}, but vis_encode_type "
        rf"{kind.value} needs at least {least} by {least}; set it to fully_connected"
    )
    with pytest.raises(UnsupportedObservationError, match=message):
        check_specs([image(3, height, width)], NetworkSettings(vis_encode_type=kind))


# -- initial weights -----------------------------------------------------------------------------------


def uniform_bound(parameter: torch.Tensor) -> float:
    """The bound of a uniform distribution, from its deviation."""
    return parameter.std().item() * math.sqrt(3)


@pytest.mark.parametrize("kind", EncoderType)
def test_initial_weights(kind: EncoderType) -> None:
    side = MINIMUM[kind.value]
    encoder = make_image_encoder((3, side, side), kind, 512, generator())
    linear = encoder.linear
    assert linear.weight.std().item() == pytest.approx(1.41 / math.sqrt(linear.in_features), rel=0.05)
    assert not linear.bias.any()
    convolutions = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    for layer in convolutions:
        bound = 1 / math.sqrt(layer.in_channels * layer.kernel_size[0] ** 2)
        assert uniform_bound(layer.weight) == pytest.approx(bound, rel=0.12)
        assert 0.8 * bound < layer.weight.abs().max().item() <= bound
        assert 0.5 * bound < layer.bias.abs().max().item() <= bound


def test_convolutions_start_as_those_of_torch() -> None:
    ours = convolution(16, 200, 4, generator(), stride=2)
    torch.manual_seed(0)
    theirs = nn.Conv2d(16, 200, 4, stride=2)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.shape == other.shape
        assert mine.std().item() == pytest.approx(other.std().item(), rel=0.1)
        assert mine.abs().max().item() == pytest.approx(other.abs().max().item(), rel=0.02)


def test_making_encoders_leaves_the_global_source_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    for kind in EncoderType:
        first, second = (make_image_encoder((1, 40, 40), kind, 4, generator(5)) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert torch.equal(torch.rand(1), expected)
