"""Policies to export, inputs for them, and ONNX Runtime to play the models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from mlagents.export import ContinuousHead, Linear, Normalizer, PolicyDescription

CASES: dict[str, dict[str, Any]] = {
    "continuous": {"obs": [8], "continuous": 2},
    "normalised": {"obs": [8], "continuous": 2, "normalised": [True]},
    "discrete": {"obs": [5], "branches": [7]},
    "branches": {"obs": [4, 3], "branches": [3, 2, 4], "layers": 3},
    "hybrid": {"obs": [6, 1, 3], "continuous": 3, "branches": [2, 3], "normalised": [True, False, True]},
    "one_layer": {"obs": [2], "continuous": 1, "layers": 1},
}


def make_description(
    obs: Sequence[int],
    continuous: int = 0,
    branches: Sequence[int] = (),
    normalised: Sequence[bool] = (),
    layers: int = 2,
    width: int = 16,
) -> PolicyDescription:
    rng = np.random.default_rng(1)

    def linear(out: int, inputs: int) -> Linear:
        weight = rng.normal(size=(out, inputs)) * 1.5 / np.sqrt(inputs)
        return Linear(weight.astype(np.float32), rng.normal(scale=0.3, size=out).astype(np.float32))

    normalizers = [
        Normalizer(rng.normal(size=size) * 3, 1.0 / rng.uniform(0.2, 4.0, size)) if on else None
        for size, on in zip(obs, list(normalised) or [False] * len(obs), strict=True)
    ]
    sizes = [sum(obs)] + [width] * layers
    body = [linear(out, inputs) for inputs, out in pairwise(sizes)]
    head = None
    if continuous:
        head = ContinuousHead(*linear(continuous, width), rng.uniform(-1.5, 0.3, continuous))
    return PolicyDescription(
        [(size,) for size in obs], normalizers, body, head, [linear(size, width) for size in branches]
    )


def run(model: onnx.ModelProto | Path, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def random_inputs(description: PolicyDescription, batch: int, seed: int = 5) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    inputs = {
        f"obs_{i}": rng.normal(scale=1.5, size=(batch, *shape)).astype(np.float32)
        for i, shape in enumerate(description.observation_shapes)
    }
    if description.discrete:
        masks = []
        for size in description.branches:
            mask = rng.integers(0, 2, (batch, size))
            mask[:, rng.integers(size)] = 1
            masks.append(mask)
        inputs["action_masks"] = np.concatenate(masks, axis=1).astype(np.float32)
    return inputs
