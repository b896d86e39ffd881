"""Plays a model in ONNX Runtime and compares it with the policy that it was made from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from mlagents.export.description import ExportError, PolicyDescription
from mlagents.export.policy_graph import ACTION_LIMIT, MODEL_VERSION
from mlagents.export.reference import PolicyFunction, ReferenceOutput, reference_policy

TOLERANCE = 1e-5
"""Largest difference of a deterministic output that is not explained by float32 rounding."""
BATCH_SIZES = (1, 7)
_SAMPLES = 2048
_STANDARD_ERRORS = 6.0  # a correct model fails one check in 500 million

Inputs = dict[str, NDArray[np.float32]]
Outputs = dict[str, NDArray[Any]]


def verify_model(
    model: onnx.ModelProto, description: PolicyDescription, original: PolicyFunction | None = None
) -> None:
    """Check every output of a model.

    Deterministic outputs must equal the reference, sampled ones must be in range and follow its
    distribution; with zero inputs (masks included) and random ones, at batch sizes 1 and 7.

    Args:
        model: the model.
        description: what it was made from; its NumPy form is one reference.
        original: what the description was made from, a second reference.

    Raises:
        ExportError: names the output that differs, by how much, on which inputs and from which reference.
    """
    references: dict[str, PolicyFunction] = {"its description": partial(reference_policy, description)}
    if original is not None:
        references["the network"] = original
    session = _session(model)
    rng = np.random.default_rng(0)
    for case, inputs in _cases(description, rng):
        outputs = _run(session, inputs)
        _check_constants(outputs, description, case)
        _check_shapes(outputs, description, len(inputs["obs_0"]), case)
        for name, policy in references.items():
            _check_deterministic(outputs, policy, inputs, f"{case}, compared with {name}")
    masked = _random_inputs(description, 1, rng)
    rows = [masked]
    if description.discrete:  # a mask may leave nothing to chance, so once more with everything allowed
        rows.append({**masked, "action_masks": np.ones_like(masked["action_masks"])})
    for row in rows:
        outputs = _run(session, {name: np.repeat(value, _SAMPLES, axis=0) for name, value in row.items()})
        for name, policy in references.items():
            reference = policy(row, np.float64)
            if description.continuous is not None:
                _check_continuous_samples(outputs["continuous_actions"], reference, name)
            if description.discrete:
                _check_discrete_samples(outputs["discrete_actions"], reference, name)


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # leaves the other cores to the environments
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise ExportError(f"ONNX Runtime cannot load the model: {error}") from error


def _run(session: onnxruntime.InferenceSession, inputs: Inputs) -> Outputs:
    names = [output.name for output in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, inputs), strict=True))
    except Exception as error:
        raise ExportError(f"ONNX Runtime cannot run the model: {error}") from error


def _cases(description: PolicyDescription, rng: np.random.Generator) -> Iterator[tuple[str, Inputs]]:
    """Inputs to try, with a name each."""
    for batch in BATCH_SIZES:
        inputs = _random_inputs(description, batch, rng)
        yield f"random inputs, batch {batch}", inputs
        yield f"zero inputs, batch {batch}", {name: np.zeros_like(x) for name, x in inputs.items()}


def _random_inputs(description: PolicyDescription, batch: int, rng: np.random.Generator) -> Inputs:
    """Observations as the policy knows them, and masks that allow at least one action per branch."""
    inputs: Inputs = {}
    scale = rng.uniform(0.0, 1.0, (batch, 1))  # small ones too: large ones may saturate every action
    for index, (shape, normalizer) in enumerate(
        zip(description.observation_shapes, description.normalizers, strict=True)
    ):
        x = rng.standard_normal((batch, *shape)) * scale
        if normalizer is not None:
            inv_std = np.asarray(normalizer.inv_std, dtype=np.float64)
            x = normalizer.mean + x / np.where(inv_std == 0.0, 1.0, inv_std)
        inputs[f"obs_{index}"] = x.astype(np.float32)
    if description.discrete:
        masks = []
        for size in description.branches:
            mask = rng.integers(0, 2, (batch, size))
            mask[np.arange(batch), rng.integers(0, size, batch)] = 1
            masks.append(mask)
        inputs["action_masks"] = np.concatenate(masks, axis=1).astype(np.float32)
    return inputs


def _check_constants(outputs: Outputs, description: PolicyDescription, case: str) -> None:
    expected = {"version_number": [MODEL_VERSION], "memory_size": [0.0]}
    if description.continuous is not None:
        expected["continuous_action_output_shape"] = [float(description.continuous_size)]
    if description.discrete:
        expected["discrete_action_output_shape"] = [list(map(float, description.branches))]  # type: ignore[list-item]
    for name, value in expected.items():
        found = outputs.get(name)
        if found is None or found.dtype != np.float32 or not np.array_equal(found, np.array(value)):
            raise ExportError(f"{name} is {found}, expected float32 {value} ({case}).")


def _check_shapes(outputs: Outputs, description: PolicyDescription, batch: int, case: str) -> None:
    expected: dict[str, tuple[tuple[int, int], type]] = {}
    if description.continuous is not None:
        for name in ("continuous_actions", "deterministic_continuous_actions"):
            expected[name] = ((batch, description.continuous_size), np.float32)
    if description.discrete:
        for name in ("discrete_actions", "deterministic_discrete_actions"):
            expected[name] = ((batch, len(description.branches)), np.int64)
    for name, (shape, dtype) in expected.items():
        found = outputs.get(name)
        if found is None or found.shape != shape or found.dtype != dtype:
            what = "missing" if found is None else f"{found.dtype} {found.shape}"
            raise ExportError(f"{name} is {what}, expected {np.dtype(dtype)} {shape} ({case}).")
        low, high = (-1.0, 1.0) if dtype is np.float32 else (0, np.array(description.branches) - 1)
        if not bool(np.all((found >= low) & (found <= high))):
            raise ExportError(f"{name} leaves its range: {found.min()} to {found.max()} ({case}).")


def _check_deterministic(outputs: Outputs, policy: PolicyFunction, inputs: Inputs, case: str) -> None:
    """Compare mean and most probable actions with a reference."""
    exact = policy(inputs, np.float64)
    # What float32 arithmetic does to this policy on these inputs, seen by doing it.
    rounded = policy(inputs, np.float32)
    _check_sizes(outputs, exact, case)
    if exact.mean.shape[1]:
        name = "deterministic_continuous_actions"
        wanted = exact.deterministic_continuous
        allowed = TOLERANCE + 8.0 * np.abs(wanted - rounded.deterministic_continuous).max()
        distance = float(np.abs(outputs[name] - wanted).max())
        if not distance <= allowed:
            raise ExportError(f"{name} differs from the policy by {distance:.3g} ({case}).")
    for branch, logits in enumerate(exact.masked_logits):
        name = "deterministic_discrete_actions"
        chosen = outputs[name][:, branch : branch + 1]
        # Two logits may be so close that rounding decides; then either action is right.
        allowed = TOLERANCE + 8.0 * np.abs(logits - rounded.masked_logits[branch]).max()
        distance = float((logits.max(axis=1, keepdims=True) - np.take_along_axis(logits, chosen, 1)).max())
        if not distance <= allowed:
            raise ExportError(f"{name} of branch {branch} is {distance:.3g} below the best logit ({case}).")


def _check_sizes(outputs: Outputs, reference: ReferenceOutput, case: str) -> None:
    """Compare the numbers of actions with those of a reference."""
    found = len(outputs.get("continuous_actions", np.zeros((1, 0)))[0])
    branches = outputs.get("discrete_action_output_shape", np.zeros((1, 0)))[0].astype(int).tolist()
    wanted = [logits.shape[1] for logits in reference.masked_logits]
    if found != reference.mean.shape[1] or branches != wanted:
        raise ExportError(
            f"The model has {found} continuous actions and discrete branches of {branches}, expected "
            f"{reference.mean.shape[1]} and {wanted} ({case})."
        )


def _check_continuous_samples(
    actions: NDArray[np.float32], reference: ReferenceOutput, compared_with: str
) -> None:
    """Compare how many samples ``[samples, n]`` lie below mean - σ, mean and mean + σ with the normal law."""
    sigmas = np.exp(reference.log_sigma)
    for dimension, (mean, sigma) in enumerate(zip(reference.mean[0], sigmas, strict=True)):
        name = f"continuous_actions, dimension {dimension}, compared with {compared_with}"
        raw = actions[:, dimension].astype(np.float64) * ACTION_LIMIT
        for z in (-1.0, 0.0, 1.0):
            threshold = mean + z * sigma
            if abs(threshold) >= ACTION_LIMIT or sigma < 1e-3:  # clamped away, or lost in rounding
                continue
            _check_frequency(
                float((raw <= threshold).mean()),
                0.5 * (1.0 + math.erf(z / math.sqrt(2.0))),
                f"{name}: samples up to mean {z:+.0f} sigma",
            )
        spread = 8.0 * sigma + 1e-3  # for spreads that the frequencies cannot resolve
        furthest = float(np.abs(raw - np.clip(mean, -ACTION_LIMIT, ACTION_LIMIT)).max())
        if not furthest <= spread:
            raise ExportError(
                f"{name}: a sample is {furthest:.3g} away from the mean, with a standard deviation of "
                f"{sigma:.3g}."
            )


def _check_discrete_samples(
    actions: NDArray[np.int64], reference: ReferenceOutput, compared_with: str
) -> None:
    """Compare how often each action was drawn, of ``[samples, branches]``, with its probability."""
    for branch, probabilities in enumerate(reference.probabilities):
        counts = np.bincount(actions[:, branch], minlength=probabilities.shape[1])
        for action, probability in enumerate(probabilities[0]):
            what = (
                f"discrete_actions, branch {branch}: draws of action {action}, compared with {compared_with}"
            )
            _check_frequency(float(counts[action]) / len(actions), float(probability), what)


def _check_frequency(found: float, wanted: float, what: str) -> None:
    # The second term keeps rare events, where counts are Poisson and not normal, from false alarms.
    error = _STANDARD_ERRORS * math.sqrt(wanted * (1.0 - wanted) / _SAMPLES)
    allowed = error + (6.0 / _SAMPLES if wanted > 0.0 else 0.0)
    if not abs(found - wanted) <= allowed:
        raise ExportError(f"{what}: {found:.4f} of all, expected {wanted:.4f} ± {allowed:.4f}.")
