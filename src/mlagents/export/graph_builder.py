"""A thin layer over ``onnx.helper``: tensors are names, operators are method calls.

Opset 9 and IR version 4 are what models of the original toolkit carry and every loader reads. With IR 4,
constants need not be listed among the inputs, where a loader would take them for sensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from mlagents import __version__

OPSET = 9
IR_VERSION = 4
BATCH = "batch"
"""Name of the dynamic axis 0 of every input and output that has one."""

# fmt: off
ALLOWED_OPERATORS = frozenset({
    "Add", "ArgMax", "Cast", "Clip", "Concat", "Constant", "Conv", "Div", "Exp", "Gemm", "Identity", "LSTM",
    "LeakyRelu", "Less", "Log", "MatMul", "MaxPool", "Mul", "Multinomial", "Pow", "RandomNormalLike",
    "ReduceMean", "ReduceSum", "Relu", "Reshape", "Sigmoid", "Slice", "Softmax", "Sqrt", "Squeeze", "Sub",
    "Tanh", "Transpose",
})
# fmt: on
"""Operators that the loaders of game engines are known to handle."""


class GraphBuilder:
    """Collects nodes, constants, inputs and outputs, and makes a model of them.

    Every method that adds something returns the name of the resulting tensor.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int]) -> str:
        """Declare a float32 input ``[batch, *shape]``."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [BATCH, *shape]))
        return name

    def output(self, name: str, source: str, shape: Sequence[int | str], integer: bool = False) -> None:
        """Declare the tensor ``source`` as output ``name``, float32 or int64."""
        self.node("Identity", [source], output=name)
        kind = TensorProto.INT64 if integer else TensorProto.FLOAT
        self._outputs.append(helper.make_tensor_value_info(name, kind, list(shape)))

    def constant(self, name: str, value: ArrayLike) -> str:
        """Store a float32 constant; the same name again means the same constant."""
        if name not in self._constants:
            array = np.ascontiguousarray(value, dtype=np.float32)
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def integers(self, values: Sequence[int]) -> str:
        """Store an int64 constant, such as a shape; equal values are stored once."""
        name = "integers_" + "_".join(map(str, values))
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.array(values, dtype=np.int64), name)
        return name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str = "",
        **attributes: int | float | Sequence[int],
    ) -> str:
        """Add an operator with one output.

        Args:
            operator: ONNX operator of opset 9.
            inputs: names of its inputs.
            output: name of its output; made up if empty.
            attributes: as the operator defines them.

        Raises:
            ValueError: loaders are not known to handle the operator.
        """
        return self.nodes(operator, inputs, [output or f"{operator}_{len(self._nodes)}"], **attributes)[0]

    def nodes(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        **attributes: int | float | Sequence[int],
    ) -> list[str]:
        """Add an operator with several outputs, whose names are returned.

        Args:
            operator: ONNX operator of opset 9.
            inputs: names of its inputs; an empty one stands for an optional input that is left out.
            outputs: names of its outputs.
            attributes: as the operator defines them.

        Raises:
            ValueError: loaders are not known to handle the operator.
        """
        if operator not in ALLOWED_OPERATORS:
            raise ValueError(f"{operator} is not among the operators that loaders are known to handle.")
        node = helper.make_node(operator, list(inputs), list(outputs), name=f"node_{outputs[0]}")
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return list(outputs)

    def linear(self, name: str, x: str, weight: ArrayLike, bias: ArrayLike) -> str:
        """``x Wᵀ + b`` for ``x [batch, in]``, ``weight [out, in]``, ``bias [out]``."""
        parameters = [self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self.node("Gemm", [x, *parameters], alpha=1.0, beta=1.0, transB=1)

    def swish(self, x: str) -> str:
        """``x · sigmoid(x)``."""
        return self.node("Mul", [x, self.node("Sigmoid", [x])])

    def concat(self, tensors: Sequence[str]) -> str:
        """Tensors ``[batch, …]`` side by side along axis 1; a single one is returned as it is."""
        return tensors[0] if len(tensors) == 1 else self.node("Concat", tensors, axis=1)

    def columns(self, x: str, start: int, end: int, axis: int = 1) -> str:
        """Columns ``start`` to ``end`` (exclusive) of ``x [batch, n]``, or of another axis."""
        return self.node("Slice", [x], axes=[axis], starts=[start], ends=[end])

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """``x`` in another shape; -1 stands for the batch."""
        return self.node("Reshape", [x, self.integers(shape)])

    def transpose(self, x: str, permutation: Sequence[int]) -> str:
        """``x`` with its axes in another order."""
        return self.node("Transpose", [x], perm=permutation)

    def layer_norm(self, x: str, axis: int, epsilon: float) -> str:
        """``(x - mean) / √(variance + epsilon)`` over one axis, the last, without learned scale.

        Of elementary operators: loaders of opset 9 have none for the whole.
        """
        centred = self.node("Sub", [x, self.node("ReduceMean", [x], axes=[axis], keepdims=1)])
        variance = self.node("ReduceMean", [self.node("Mul", [centred, centred])], axes=[axis], keepdims=1)
        summand = self.constant(f"epsilon_{epsilon:g}", [epsilon])
        return self.node("Div", [centred, self.node("Sqrt", [self.node("Add", [variance, summand])])])

    def build(self, name: str) -> onnx.ModelProto:
        """Make the model."""
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, list(self._constants.values())
        )
        return helper.make_model(
            graph,
            producer_name="open-mlagents",
            producer_version=__version__,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
