"""Checkpoints as the original writes them: its names and shapes, with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from network_helpers import generator
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]

BODY = "network_body."
OBSERVATIONS = f"{BODY}observation_encoder."
HIDDEN = f"{BODY}_body_endoder."
MEAN = "action_model._continuous_distribution.mu"
BRANCHES = "action_model._discrete_distribution.branches."
LOG_SIGMA = "action_model._continuous_distribution.log_sigma"
VALUES = "value_heads.value_heads."


def layer(name: str, *weight: int) -> Shapes:
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}


def normalizer(index: int, size: int) -> Shapes:
    prefix = f"{OBSERVATIONS}processors.{index}.normalizer."
    return {
        f"{prefix}normalization_steps": (),
        f"{prefix}running_mean": (size,),
        f"{prefix}running_variance": (size,),
    }


def hidden(*sizes: int) -> Shapes:
    shapes: Shapes = {}
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        shapes |= layer(f"{HIDDEN}seq_layers.{2 * index}", outputs, inputs)
    return shapes


def actions(width: int, continuous: int, branches: Sequence[int]) -> Shapes:
    shapes: Shapes = {}
    if continuous:
        shapes |= layer(MEAN, continuous, width) | {LOG_SIGMA: (1, continuous)}
    for index, size in enumerate(branches):
        shapes |= layer(f"{BRANCHES}{index}", size, width)
    return shapes


def values(width: int, streams: Sequence[str]) -> Shapes:
    shapes: Shapes = {}
    for stream in streams:
        shapes |= layer(f"{VALUES}{stream}", 1, width)
    return shapes


CONSTANTS: Shapes = {
    "version_number": (1,),
    "is_continuous_int_deprecated": (1,),
    "continuous_act_size_vector": (1,),
    "discrete_act_size_vector": (1, 2),
    "act_size_vector_deprecated": (1,),
    "memory_size_vector": (1,),
}


def fill(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Random tensors; encoders are stored a second time under another name, as in the files."""
    source = generator(seed)
    state: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        state[name] = torch.randn(shape, generator=source)
        if name.endswith("normalization_steps"):
            state[name] = torch.tensor(37)
        if name.endswith("running_variance"):
            state[name] = 20.0 + 10.0 * state[name].abs()
    for name in list(state):
        if name.startswith(f"{OBSERVATIONS}processors."):
            state[name.replace(OBSERVATIONS, BODY)] = state[name]
    return state


def checkpoint(body: Shapes, head: Shapes, critic: Shapes) -> dict[str, Any]:
    """The content of a file: the actor and the critic have bodies of the same shape."""
    return {
        "Policy": fill(CONSTANTS | body | head, 1),
        "Optimizer:value_optimizer": {"state": {}, "param_groups": [{"lr": 3e-4}]},
        "Optimizer:critic": fill(body | critic, 2),
        "global_step": {"_GlobalSteps__global_step": torch.tensor([640])},
    }
