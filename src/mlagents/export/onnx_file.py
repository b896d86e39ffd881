"""From a policy to a file."""

from __future__ import annotations

import os

import onnx

from mlagents.export.description import ExportError, PolicyDescription
from mlagents.export.policy_graph import build_policy_model
from mlagents.export.reference import PolicyFunction
from mlagents.export.verify import verify_model
from mlagents_envs.files import atomic_writer


def export_policy(
    description: PolicyDescription, path: str | os.PathLike[str], original: PolicyFunction | None = None
) -> None:
    """Write a policy as an ONNX model, after checking that the model computes the same.

    The file appears whole or not at all; what was at ``path`` before is replaced only by a good model.

    Args:
        description: the policy.
        path: file to write, usually ``<Behavior>.onnx``.
        original: the policy that the description was made from, to compare the model with as well; a
            mistake in the description itself shows only there.

    Raises:
        ExportError: the policy cannot be exported, the model is invalid or computes something else, or the
            file cannot be written.
    """
    model = build_policy_model(description)
    check_model(model)
    verify_model(model, description, original)
    write_model(model, path)


def check_model(model: onnx.ModelProto) -> None:
    """Check a model against the definition of the format, shapes included.

    Raises:
        ExportError: it violates it.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ExportError(f"The exported model is not valid ONNX: {error}") from error


def write_model(model: onnx.ModelProto, path: str | os.PathLike[str]) -> None:
    """Write a model; the file appears whole or not at all.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        with atomic_writer(path) as file:
            file.write(model.SerializeToString())
    except OSError as error:
        raise ExportError(
            f"Cannot write the model to {os.fspath(path)}: {error.strerror or error}"
        ) from error
