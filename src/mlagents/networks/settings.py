"""Settings of the networks that policies, critics and reward signals are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import field_validator

from mlagents.settings.base import Settings
from mlagents.settings.types import (
    Bool,
    LayerCount,
    LayerWidth,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt32,
    problem,
)


class EncoderType(StrEnum):
    """Encoder of image observations; the smallest image side that each accepts is in brackets."""

    FULLY_CONNECTED = "fully_connected"
    """No convolution, [1] pixel."""
    MATCH3 = "match3"
    """Two small convolutions for board games, [5] cells."""
    SIMPLE = "simple"
    """Two convolutions, [20] pixels."""
    NATURE_CNN = "nature_cnn"
    """Three convolutions (Mnih et al., Nature 2015), [36] pixels."""
    RESNET = "resnet"
    """Three residual stacks (Espeholt et al., arXiv:1802.01561), [15] pixels."""


class ConditioningType(StrEnum):
    """How goal observations act on the network."""

    HYPER = "hyper"
    """The goal generates the weights of the last hidden layer."""
    NONE = "none"
    """The goal is an ordinary input."""


class MemorySettings(Settings):
    """Recurrent memory (LSTM)."""

    tolerant: ClassVar[bool] = True

    sequence_length: PositiveInt32 = 64
    """Steps through which the update backpropagates, steps; 1 or more, at most ``batch_size``."""
    memory_size: LayerWidth = 128
    """Floats that an agent remembers, half hidden and half cell state; even, 2 to 65536."""
    burn_in: NonNegativeInt = 0
    """Steps before each sequence that the update replays without learning from them, so that the memory is
    that of the current weights (Kapturowski et al. 2019, "R2D2"), steps; 0 starts from the stored memory."""

    @field_validator("memory_size")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise problem("it must be even (half hidden state, half cell state)")
        return value


class NetworkSettings(Settings):
    """Shape of one network."""

    tolerant: ClassVar[bool] = True

    normalize: Bool = False
    """Whether vector observations are scaled by their running mean and deviation."""
    hidden_units: LayerWidth = 128
    """Width of every hidden layer, units; 1 to 65536."""
    num_layers: LayerCount = 2
    """Number of hidden layers, at most 128; 0 counts as 1."""
    vis_encode_type: EncoderType = EncoderType.SIMPLE
    """Encoder of image observations."""
    memory: MemorySettings | None = None
    """Recurrent memory; null means none."""
    goal_conditioning_type: ConditioningType = ConditioningType.HYPER
    """How goal observations act; without one it has no effect."""
    padding_norm: NonNegativeFloat = 0.0
    """Norm of an entity's features below which it counts as padding; 0 means that all are zero. The original
    took 0.1. Affects only observations of variable length."""
    deterministic: Bool = False
    """Whether the most probable action is taken instead of a sample, in training too."""
