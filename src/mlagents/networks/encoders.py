"""Image encoders: convolutions, then one linear layer of ``hidden_units``.

An image is float32 ``[B, C, H, W]``, as the game sends it and never normalised; its code is ``[B, h]``.

| type | convolutions (channels, window, stride) |
|---|---|
| fully_connected | none |
| match3 | 35, 3, 1; 144, 3, 1 |
| simple | 16, 8, 4; 32, 4, 2 |
| nature_cnn | 32, 8, 4; 64, 4, 2; 64, 3, 1 (Mnih et al. 2015, Nature 518) |
| resnet | residual stacks of 16, 32, 32 channels (Espeholt et al. 2018, arXiv:1802.01561, fig. 3) |
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlagents.networks.initialization import convolution, linear
from mlagents.networks.settings import EncoderType

LINEAR_GAIN = 1.41
"""Gain of the linear layer after the convolutions, about √2 as for rectifiers."""

CONVOLUTIONS: dict[EncoderType, tuple[tuple[int, int, int], ...]] = {
    EncoderType.FULLY_CONNECTED: (),
    EncoderType.MATCH3: ((35, 3, 1), (144, 3, 1)),
    EncoderType.SIMPLE: ((16, 8, 4), (32, 4, 2)),
    EncoderType.NATURE_CNN: ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
}
"""Channels, window and stride of each convolution."""

RESIDUAL_CHANNELS = (16, 32, 32)
"""Channels of each stack of the residual encoder."""

BLOCKS_PER_STACK = 2


def make_image_encoder(
    shape: Sequence[int], encoder_type: EncoderType, hidden_units: int, generator: torch.Generator
) -> ConvolutionalEncoder | ResidualEncoder:
    """An encoder for images of one shape.

    Args:
        shape: channels, height and width, the last two no smaller than
            :data:`~mlagents.networks.observation_kinds.MINIMUM_IMAGE_SIDE`.
        encoder_type: which architecture.
        hidden_units: width of the code, h.
        generator: source of initial weights.
    """
    if encoder_type is EncoderType.RESNET:
        return ResidualEncoder(shape, hidden_units, generator)
    return ConvolutionalEncoder(shape, CONVOLUTIONS[encoder_type], hidden_units, generator)


class ConvolutionalEncoder(nn.Module):
    """Convolutions without padding, then a linear layer, each followed by a leaky rectifier (slope 0.01).

    Args:
        shape: channels, height and width of the image.
        layers: channels, window and stride of each convolution; none makes it a single linear layer.
        hidden_units: width of the code, h.
        generator: source of initial weights.
    """

    def __init__(
        self,
        shape: Sequence[int],
        layers: Sequence[tuple[int, int, int]],
        hidden_units: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        self.convolutions = nn.ModuleList()
        for outputs, window, stride in layers:
            self.convolutions.append(convolution(channels, outputs, window, generator, stride=stride))
            channels = outputs
            height, width = ((side - window) // stride + 1 for side in (height, width))
        self.linear = linear(channels * height * width, hidden_units, LINEAR_GAIN, generator)

    def forward(self, image: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]`` to codes ``[B, h]``."""
        x = image
        for layer in self.convolutions:
            x = functional.leaky_relu(layer(x))  # [B, c, height, width]
        return functional.leaky_relu(self.linear(x.flatten(1)))


class ResidualBlock(nn.Module):
    """``x + conv(swish(conv(swish(x))))``, windows of 3 with padding.

    Args:
        channels: number of channels.
        generator: source of initial weights.
    """

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = convolution(channels, channels, 3, generator, padding=1)
        self.second = convolution(channels, channels, 3, generator, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, c, height, width]`` to the same shape."""
        inner = self.first(functional.silu(x))
        out: Tensor = x + self.second(functional.silu(inner))
        return out


class ResidualStack(nn.Module):
    """A convolution, a pooling that halves the sides, and residual blocks.

    Args:
        inputs: channels in.
        channels: channels out.
        generator: source of initial weights.
    """

    def __init__(self, inputs: int, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution = convolution(inputs, channels, 3, generator, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(channels, generator) for _ in range(BLOCKS_PER_STACK))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, inputs, H, W]`` to ``[B, channels, (H - 1) // 2, (W - 1) // 2]``."""
        x = functional.max_pool2d(self.convolution(x), kernel_size=3, stride=2)
        for block in self.blocks:
            x = block(x)
        return x


class ResidualEncoder(nn.Module):
    """Three residual stacks, Swish, then a linear layer with a rectifier.

    Args:
        shape: channels, height and width of the image.
        hidden_units: width of the code, h.
        generator: source of initial weights.
    """

    def __init__(self, shape: Sequence[int], hidden_units: int, generator: torch.Generator) -> None:
        super().__init__()
        channels, height, width = shape
        self.stacks = nn.ModuleList()
        for outputs in RESIDUAL_CHANNELS:
            self.stacks.append(ResidualStack(channels, outputs, generator))
            channels = outputs
            height, width = (height - 1) // 2, (width - 1) // 2
        self.linear = linear(channels * height * width, hidden_units, LINEAR_GAIN, generator)

    def forward(self, image: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]`` to codes ``[B, h]``."""
        x = image
        if x.device.type == "cpu":  # there, convolutions of a few channels are several times faster so
            x = x.contiguous(memory_format=torch.channels_last)
        for stack in self.stacks:
            x = stack(x)
        return functional.relu(self.linear(functional.silu(x).flatten(1)))
