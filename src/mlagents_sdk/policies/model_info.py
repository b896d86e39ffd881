"""What an ``.onnx`` file says of itself, without being run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlagents_envs.exception import UnityPolicyException

Shape = tuple[int | None, ...]
"""Sizes of the axes, the batch among them; None for one of any size."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Inputs, outputs and constants of a model.

    Attributes:
        inputs: shape of each input, by name.
        outputs: shape of each output, by name.
        constants: numbers of each output that is always the same, by name.
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape] = field(default_factory=dict)
    constants: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def constant(self, name: str) -> int | None:
        """First number of a constant, as an integer; None when there is no such constant."""
        numbers = self.constants.get(name)
        return int(numbers[0]) if numbers else None


def read_model_info(path: Path) -> ModelInfo:
    """Read what a model says of itself.

    Args:
        path: an ``.onnx`` file.

    Raises:
        UnityPolicyException: the file is missing, or no model.
    """
    import onnx  # slow to import, and most environments play no model

    if not path.is_file():
        raise UnityPolicyException(f"There is no model file {path}.")
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # the parser of protobuf has errors of its own
        raise UnityPolicyException(
            f"{path} cannot be read as an ONNX model: {error}. Check that it is the right file."
        ) from error
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    sources = {}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            stored[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity":
            sources[node.output[0]] = node.input[0]
    constants = {}
    for output in graph.output:
        name = output.name
        while name in sources:
            name = sources[name]
        if name in stored:
            constants[output.name] = tuple(np.ravel(stored[name]).astype(float).tolist())
    return ModelInfo(
        {one.name: _shape(one) for one in graph.input if one.name not in stored},
        {one.name: _shape(one) for one in graph.output},
        constants,
    )


def _shape(value: Any) -> Shape:  # noqa: ANN401 - onnx is not typed
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
