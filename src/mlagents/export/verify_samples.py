"""Do sampled actions follow the distribution of the policy?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.export.action_graph import ACTION_LIMIT
from mlagents.export.description import ExportError, PolicyInterface
from mlagents.export.reference import ReferenceOutput

_MOST_SAMPLES, _FEWEST_SAMPLES = 2048, 128
_SAMPLED_FLOATS = 2**22
_STANDARD_ERRORS = 6.0  # a correct model fails one check in 500 million


def num_samples(interface: PolicyInterface) -> int:
    """How many actions to draw from a model: 2048, fewer where that is much work, at least 128."""
    floats = interface.generated_size + sum(math.prod(shape) for shape in interface.observation_shapes)
    return min(_MOST_SAMPLES, max(_FEWEST_SAMPLES, _SAMPLED_FLOATS // max(1, floats)))


def check_continuous_samples(
    actions: NDArray[np.float32], reference: ReferenceOutput, compared_with: str
) -> None:
    """Compare how many samples ``[samples, n]`` lie below mean - σ, mean and mean + σ with the normal law."""
    mean = reference.mean[0]
    sigmas = np.broadcast_to(np.exp(reference.log_sigma), reference.mean.shape)[0]
    best = reference.deterministic_continuous[0]
    slope = 1.0 if reference.squashed else 1.0 / ACTION_LIMIT  # the steepest, of action to raw action
    for dimension, sigma in enumerate(sigmas):
        name = f"continuous_actions, dimension {dimension}, compared with {compared_with}"
        found = actions[:, dimension].astype(np.float64)
        for z in (-1.0, 0.0, 1.0):
            threshold = mean[dimension] + z * sigma
            if abs(threshold) >= ACTION_LIMIT or sigma < 1e-3:  # saturated, or lost in rounding
                continue
            _check_frequency(
                found <= reference.environment_actions(threshold),
                0.5 * (1.0 + math.erf(z / math.sqrt(2.0))),
                f"{name}: samples up to mean {z:+.0f} sigma",
            )
        spread = (8.0 * sigma + 1e-3) * slope  # for spreads that the frequencies cannot resolve
        furthest = float(np.abs(found - best[dimension]).max())
        if not furthest <= spread:
            raise ExportError(
                f"{name}: a sample is {furthest:.3g} away from the mean, with a standard deviation of "
                f"{sigma * slope:.3g}."
            )


def check_discrete_samples(
    actions: NDArray[np.int64], reference: ReferenceOutput, compared_with: str
) -> None:
    """Compare how often each action was drawn, of ``[samples, branches]``, with its probability."""
    for branch, probabilities in enumerate(reference.probabilities):
        for action, probability in enumerate(probabilities[0]):
            what = (
                f"discrete_actions, branch {branch}: draws of action {action}, compared with {compared_with}"
            )
            _check_frequency(actions[:, branch] == action, float(probability), what)


def _check_frequency(happened: NDArray[Any], wanted: float, what: str) -> None:
    """Compare how often something happened, bool ``[samples]``, with its probability."""
    samples, found = len(happened), float(happened.mean())
    # The second term keeps rare events, where counts are Poisson and not normal, from false alarms.
    error = _STANDARD_ERRORS * math.sqrt(wanted * (1.0 - wanted) / samples)
    allowed = error + (6.0 / samples if wanted > 0.0 else 0.0)
    if not abs(found - wanted) <= allowed:
        raise ExportError(f"{what}: {found:.4f} of all, expected {wanted:.4f} ± {allowed:.4f}.")
