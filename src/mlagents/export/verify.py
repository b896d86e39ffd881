"""Plays a model in ONNX Runtime and compares it with the policy that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from mlagents.export.action_graph import MODEL_VERSION
from mlagents.export.description import ExportError, PolicyDescription, PolicyInterface
from mlagents.export.reference import PolicyFunction, ReferenceOutput, reference_policy
from mlagents.export.verify_inputs import Inputs, cases, random_inputs
from mlagents.export.verify_samples import check_continuous_samples, check_discrete_samples, num_samples

TOLERANCE = 1e-5
"""Largest difference of a deterministic output or of memory that is not explained by float32 rounding."""
ROUNDING_FACTOR = 8.0
"""How much more than float32 arithmetic in torch the model may round differently."""
MEMORY_STEPS = 50
_MEMORY_BATCH = 2
_NEW_EPISODE_STEP = 20

Outputs = dict[str, NDArray[Any]]


def verify_model(
    model: onnx.ModelProto, description: PolicyDescription, original: PolicyFunction | None = None
) -> None:
    """Check every output of a model that was made from a description.

    Args:
        model: the model.
        description: what it was made from; its NumPy form is one reference.
        original: what the description was made from, a second reference.

    Raises:
        ExportError: as of :func:`verify_interface`.
    """
    references: dict[str, PolicyFunction] = {"its description": partial(reference_policy, description)}
    if original is not None:
        references["the network"] = original
    verify_interface(model, description.interface, references)


def verify_interface(
    model: onnx.ModelProto, interface: PolicyInterface, references: Mapping[str, PolicyFunction]
) -> None:
    """Check every output of a model.

    Deterministic outputs and memory must equal the references, sampled ones must be in range and follow
    their distribution; with zero inputs (masks included) and random ones, at batch sizes 1 and 7, and with
    memory carried on over 50 steps.

    Args:
        model: the model.
        interface: what it takes and gives.
        references: what it is compared with, by name.

    Raises:
        ExportError: names the output that differs, by how much, on which inputs and from which reference.
    """
    session = _session(model)
    rng = np.random.default_rng(0)
    for case, inputs in cases(interface, rng):
        outputs = _run(session, inputs)
        _check_constants(outputs, interface, case)
        _check_shapes(outputs, interface, len(inputs["obs_0"]), case)
        for name, policy in references.items():
            where = f"{case}, compared with {name}"
            # Next to the truth, what float32 arithmetic does to this policy, seen by doing it.
            _check_equal(outputs, policy(inputs, np.float64), policy(inputs, np.float32), where)
    _check_samples(session, interface, references, rng)
    if interface.memory_size:
        for name, policy in references.items():
            _check_sequence(session, interface, policy, name)


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


def _check_constants(outputs: Outputs, interface: PolicyInterface, case: str) -> None:
    expected: dict[str, list[Any]] = {
        "version_number": [MODEL_VERSION],
        "memory_size": [float(interface.memory_size)],
    }
    if interface.continuous_size:
        expected["continuous_action_output_shape"] = [float(interface.continuous_size)]
    if interface.branches:
        expected["discrete_action_output_shape"] = [list(map(float, interface.branches))]
    for name, value in expected.items():
        found = outputs.get(name)
        if found is None or found.dtype != np.float32 or not np.array_equal(found, np.array(value)):
            raise ExportError(f"{name} is {found}, expected float32 {value} ({case}).")


def _check_shapes(outputs: Outputs, interface: PolicyInterface, batch: int, case: str) -> None:
    expected: dict[str, tuple[tuple[int, ...], type]] = {}
    ranges: dict[str, tuple[float, Any]] = {}
    if interface.continuous_size:
        for name in ("continuous_actions", "deterministic_continuous_actions"):
            expected[name] = ((batch, interface.continuous_size), np.float32)
            ranges[name] = (-1.0, 1.0)
    if interface.branches:
        for name in ("discrete_actions", "deterministic_discrete_actions"):
            expected[name] = ((batch, len(interface.branches)), np.int64)
            ranges[name] = (0, np.array(interface.branches) - 1)
    if interface.memory_size:
        expected["recurrent_out"] = ((batch, 1, interface.memory_size), np.float32)
    for name, (shape, dtype) in expected.items():
        found = outputs.get(name)
        if found is None or found.shape != shape or found.dtype != dtype:
            what = "missing" if found is None else f"{found.dtype} {found.shape}"
            raise ExportError(f"{name} is {what}, expected {np.dtype(dtype)} {shape} ({case}).")
        low, high = ranges.get(name, (-np.inf, np.inf))
        if not bool(np.all((found >= low) & (found <= high))):
            raise ExportError(f"{name} leaves its range: {found.min()} to {found.max()} ({case}).")


def _check_equal(outputs: Outputs, exact: ReferenceOutput, rounded: ReferenceOutput, case: str) -> None:
    """Compare mean and most probable actions, and memory, with a reference in two precisions."""
    _check_sizes(outputs, exact, case)
    if exact.mean.shape[1]:
        name = "deterministic_continuous_actions"
        wanted, other = exact.deterministic_continuous, rounded.deterministic_continuous
        _check_close(name, outputs[name], wanted, other, case)
    for branch, logits in enumerate(exact.masked_logits):
        name = "deterministic_discrete_actions"
        chosen = outputs[name][:, branch : branch + 1]
        # Two logits may be so close that rounding decides; then either action is right.
        allowed = TOLERANCE + ROUNDING_FACTOR * np.abs(logits - rounded.masked_logits[branch]).max()
        distance = float((logits.max(axis=1, keepdims=True) - np.take_along_axis(logits, chosen, 1)).max())
        if not distance <= allowed:
            raise ExportError(f"{name} of branch {branch} is {distance:.3g} below the best logit ({case}).")
    if exact.memory.size:
        _check_close("recurrent_out", outputs["recurrent_out"][:, 0], exact.memory, rounded.memory, case)


def _check_close(
    name: str, found: NDArray[Any], exact: NDArray[Any], rounded: NDArray[Any], case: str
) -> None:
    allowed = TOLERANCE + ROUNDING_FACTOR * np.abs(exact - rounded).max()
    distance = float(np.abs(found - exact).max())
    if not distance <= allowed:
        raise ExportError(f"{name} differs from the policy by {distance:.3g} ({case}).")


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


def _check_samples(
    session: onnxruntime.InferenceSession,
    interface: PolicyInterface,
    references: Mapping[str, PolicyFunction],
    rng: np.random.Generator,
) -> None:
    """Compare many samples for the same observation with the references."""
    masked = random_inputs(interface, 1, rng)
    rows = [masked]
    if interface.branches:  # a mask may leave nothing to chance, so once more with everything allowed
        rows.append({**masked, "action_masks": np.ones_like(masked["action_masks"])})
    samples = num_samples(interface)
    for row in rows:
        outputs = _run(session, {name: np.repeat(value, samples, axis=0) for name, value in row.items()})
        for name, policy in references.items():
            reference = policy(row, np.float64)
            if interface.continuous_size:
                check_continuous_samples(outputs["continuous_actions"], reference, name)
            if interface.branches:
                check_discrete_samples(outputs["discrete_actions"], reference, name)


def _check_sequence(
    session: onnxruntime.InferenceSession, interface: PolicyInterface, policy: PolicyFunction, name: str
) -> None:
    """Let the model and the policy remember by themselves; one agent begins anew on the way."""
    rng = np.random.default_rng(1)
    nothing = np.zeros((_MEMORY_BATCH, 1, interface.memory_size), dtype=np.float32)
    played, exact, rounded = nothing.copy(), nothing.astype(np.float64), nothing.copy()
    for step in range(MEMORY_STEPS):
        inputs = random_inputs(interface, _MEMORY_BATCH, rng)
        if step == _NEW_EPISODE_STEP:
            for memory in (played, exact, rounded):
                memory[0] = 0.0
        outputs = _run(session, {**inputs, "recurrent_in": played})
        wanted = policy({**inputs, "recurrent_in": exact}, np.float64)
        other = policy({**inputs, "recurrent_in": rounded}, np.float32)
        _check_equal(outputs, wanted, other, f"step {step} of a sequence, compared with {name}")
        played = outputs["recurrent_out"]
        exact, rounded = wanted.memory[:, None].copy(), other.memory[:, None].copy()
