"""Inputs on which a model is compared with its policy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mlagents.export.description import Normalizer, PolicyInterface

BATCH_SIZES = (1, 7)
_PADDED_SHARE = 0.3

Inputs = dict[str, NDArray[np.float32]]


def cases(interface: PolicyInterface, rng: np.random.Generator) -> Iterator[tuple[str, Inputs]]:
    """Inputs to try, with a name each: random ones and zeros, masks included, at each batch size."""
    for batch in BATCH_SIZES:
        inputs = random_inputs(interface, batch, rng)
        yield f"random inputs, batch {batch}", inputs
        yield f"zero inputs, batch {batch}", {name: np.zeros_like(x) for name, x in inputs.items()}


def random_inputs(interface: PolicyInterface, batch: int, rng: np.random.Generator) -> Inputs:
    """Observations as the policy knows them, masks that allow at least one action per branch, and memory."""
    inputs: Inputs = {}
    scale = rng.uniform(0.0, 1.0, (batch, 1))  # small ones too: large ones may saturate every action
    for index, (shape, normalizer) in enumerate(
        zip(interface.observation_shapes, interface.normalizers, strict=True)
    ):
        x = _random_observation(shape, normalizer, scale, rng)
        inputs[f"obs_{index}"] = x.astype(np.float32)
    if interface.branches:
        masks = []
        for size in interface.branches:
            mask = rng.integers(0, 2, (batch, size))
            mask[np.arange(batch), rng.integers(0, size, batch)] = 1
            masks.append(mask)
        inputs["action_masks"] = np.concatenate(masks, axis=1).astype(np.float32)
    if interface.memory_size:
        memory = rng.uniform(-1.0, 1.0, (batch, 1, interface.memory_size))
        inputs["recurrent_in"] = memory.astype(np.float32)
    return inputs


def _random_observation(
    shape: tuple[int, ...],
    normalizer: Normalizer | None,
    scale: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Numbers as sensors send them: vectors around their mean, images in [0, 1], lists with padding."""
    batch = len(scale)
    if len(shape) == 3:
        return rng.random((batch, *shape))
    x = rng.standard_normal((batch, *shape))
    if len(shape) == 2:
        x *= 10.0 ** rng.uniform(-3.0, 0.5, (batch, shape[0], 1))  # near the origin, where padding is told
        x[rng.random((batch, shape[0])) < _PADDED_SHARE] = 0.0
        return x
    x = x * scale
    if normalizer is not None:
        inv_std = np.asarray(normalizer.inv_std, dtype=np.float64)
        x = normalizer.mean + x / np.where(inv_std == 0.0, 1.0, inv_std)
    return x
