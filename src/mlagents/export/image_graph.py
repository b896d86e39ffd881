"""Image encoders as graphs; what they compute is in :mod:`mlagents.networks.encoders`."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from mlagents.export.graph_builder import GraphBuilder
from mlagents.export.parameters import array, linear_layer
from mlagents.networks.encoders import ConvolutionalEncoder, ResidualBlock, ResidualEncoder

LEAK = 0.01
"""Slope of leaky rectifiers below zero."""


def image_code(graph: GraphBuilder, name: str, encoder: nn.Module, image: str) -> str:
    """The code ``[batch, h]`` of images ``[batch, C, H, W]``.

    Args:
        graph: gets the nodes.
        name: prefix of the names of constants.
        encoder: on the CPU.
        image: name of the images.

    Raises:
        TypeError: the encoder is of a kind without a graph.
    """
    if isinstance(encoder, ConvolutionalEncoder):
        x = image
        for index, layer in enumerate(_convolutions(encoder.convolutions)):
            x = graph.node("LeakyRelu", [_convolution(graph, f"{name}.{index}", x, layer)], alpha=LEAK)
        return graph.node("LeakyRelu", [_linear_of_flat(graph, name, x, encoder.linear)], alpha=LEAK)
    if isinstance(encoder, ResidualEncoder):
        x = image
        for index, stack in enumerate(encoder.stacks):
            x = _stack(graph, f"{name}.{index}", x, stack)
        return graph.node("Relu", [_linear_of_flat(graph, name, graph.swish(x), encoder.linear)])
    raise TypeError(f"an image encoder of the kind {type(encoder).__name__} has no graph")


def _stack(graph: GraphBuilder, name: str, x: str, stack: nn.Module) -> str:
    """A convolution, pooling that halves the sides, and residual blocks."""
    (entry,) = _convolutions(stack.children())
    x = _convolution(graph, name, x, entry)
    x = graph.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 0, 0])
    blocks = [module for module in stack.modules() if isinstance(module, ResidualBlock)]
    for index, block in enumerate(blocks):
        inner = _convolution(graph, f"{name}.{index}.first", graph.swish(x), block.first)
        change = _convolution(graph, f"{name}.{index}.second", graph.swish(inner), block.second)
        x = graph.node("Add", [x, change])
    return x


def _convolution(graph: GraphBuilder, name: str, x: str, layer: nn.Conv2d) -> str:
    assert isinstance(layer.padding, tuple)
    assert layer.bias is not None
    weight = graph.constant(f"{name}.weight", array(layer.weight))
    bias = graph.constant(f"{name}.bias", array(layer.bias))
    return graph.node(
        "Conv",
        [x, weight, bias],
        dilations=list(layer.dilation),
        group=layer.groups,
        kernel_shape=list(layer.kernel_size),
        pads=[*layer.padding, *layer.padding],
        strides=list(layer.stride),
    )


def _linear_of_flat(graph: GraphBuilder, name: str, x: str, layer: nn.Linear) -> str:
    return graph.linear(f"{name}.linear", graph.reshape(x, [-1, layer.in_features]), *linear_layer(layer))


def _convolutions(modules: nn.ModuleList | Iterator[nn.Module]) -> list[nn.Conv2d]:
    return [module for module in modules if isinstance(module, nn.Conv2d)]
