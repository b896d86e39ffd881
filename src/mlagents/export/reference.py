"""What a policy computes, in NumPy: the yardstick of its ONNX model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.export.action_graph import ACTION_LIMIT, MASK_PENALTY
from mlagents.export.description import PolicyDescription
from mlagents.export.policy_graph import OBSERVATION_LIMIT

_NO_MEMORY: NDArray[np.float64] = np.zeros((0, 0))


class ReferenceOutput(NamedTuple):
    """Distribution of the actions.

    Attributes:
        mean: of the raw continuous actions, ``[batch, n]``; n is 0 without continuous actions.
        masked_logits: of each branch, ``[batch, branch_size]``.
        log_sigma: natural logarithm of the standard deviation of the raw continuous actions, ``[n]`` or
            ``[batch, n]``.
        memory: after this step, ``[batch, m]``; m is 0 without memory.
        squashed: whether the environment gets the hyperbolic tangent of raw continuous actions.
    """

    mean: NDArray[Any]
    masked_logits: list[NDArray[Any]]
    log_sigma: NDArray[Any]
    memory: NDArray[Any] = _NO_MEMORY
    squashed: bool = False

    def environment_actions(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Raw continuous actions as the environment gets them, in [-1, 1]."""
        if self.squashed:
            actions: NDArray[Any] = np.tanh(raw)
            return actions
        clamped: NDArray[Any] = np.clip(raw, -ACTION_LIMIT, ACTION_LIMIT)
        return clamped / ACTION_LIMIT

    @property
    def deterministic_continuous(self) -> NDArray[Any]:
        """Mean as the environment gets it, ``[batch, n]`` in [-1, 1]."""
        return self.environment_actions(self.mean)

    @property
    def probabilities(self) -> list[NDArray[Any]]:
        """Probability of each action of each branch, ``[batch, branch_size]``."""
        weights = [np.exp(logits - logits.max(axis=1, keepdims=True)) for logits in self.masked_logits]
        return [w / w.sum(axis=1, keepdims=True) for w in weights]


PolicyFunction = Callable[[dict[str, NDArray[Any]], type], ReferenceOutput]
"""A policy to compare with: inputs as in :func:`reference_policy`, and the precision to compute in."""


def reference_policy(
    description: PolicyDescription, inputs: dict[str, NDArray[np.float32]], dtype: type = np.float64
) -> ReferenceOutput:
    """Run a policy.

    Args:
        description: the policy.
        inputs: ``obs_i`` ``[batch, size]``, and ``action_masks`` ``[batch, sum of branch sizes]``, 1 for
            allowed, if there are discrete actions.
        dtype: precision of the arithmetic; parameters are rounded to float32 first, as in the model.
    """

    def parameter(array: NDArray[Any]) -> NDArray[Any]:
        rounded: NDArray[Any] = np.asarray(array, dtype=np.float32).astype(dtype)
        return rounded

    encoded = []
    for index, normalizer in enumerate(description.normalizers):
        x: NDArray[Any] = inputs[f"obs_{index}"].astype(dtype)
        if normalizer is not None:
            x = (x - parameter(normalizer.mean)) * parameter(normalizer.inv_std)
            x = np.clip(x, -OBSERVATION_LIMIT, OBSERVATION_LIMIT)
        encoded.append(x)
    hidden = np.concatenate(encoded, axis=1)
    for layer in description.body:
        x = hidden @ parameter(layer.weight).T + parameter(layer.bias)
        hidden = x * 0.5 * (1.0 + np.tanh(0.5 * x))  # x·sigmoid(x) in a form that cannot overflow

    mean: NDArray[Any] = np.zeros((len(hidden), 0), dtype=dtype)
    log_sigma: NDArray[Any] = np.zeros(0, dtype=dtype)
    if description.continuous is not None:
        head = description.continuous
        mean = hidden @ parameter(head.weight).T + parameter(head.bias)
        log_sigma = parameter(head.log_sigma)
    masked_logits, start = [], 0
    for layer in description.discrete:
        end = start + len(layer.bias)
        logits = hidden @ parameter(layer.weight).T + parameter(layer.bias)
        masked_logits.append(mask_logits(logits, inputs["action_masks"][:, start:end]))
        start = end
    return ReferenceOutput(mean, masked_logits, log_sigma)


def mask_logits(logits: NDArray[Any], allowed: NDArray[np.float32]) -> NDArray[Any]:
    """Logits of one branch with those of forbidden actions far below the others.

    Args:
        logits: ``[batch, branch_size]``.
        allowed: ``[batch, branch_size]``, 1 for allowed, 0 for forbidden.
    """
    mask: NDArray[Any] = allowed.astype(logits.dtype)
    masked: NDArray[Any] = logits * mask - MASK_PENALTY * (1.0 - mask)
    return masked
