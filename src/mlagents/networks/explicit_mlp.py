"""Multilayer perceptron with forward and backward pass written out over preallocated arrays.

For small networks on the CPU, bookkeeping around the matrix products costs more than the products. Here a
layer is two calls forward and four backward, nothing is allocated, and no graph is recorded. The test
beside it compares every gradient with autograd.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mlagents.networks.actor_critic import Mlp

_silu_out = torch.ops.aten.silu.out
_silu_backward_out = torch.ops.aten.silu_backward.grad_input
_MAX_WORKSPACES = 32


@dataclass(slots=True)
class _Workspace:
    """Arrays for one batch size, B: per layer, pre-activations, activations and their gradients."""

    pre_activations: list[Tensor]
    activations: list[Tensor]
    output: Tensor
    grad_hidden: list[Tensor] = field(default_factory=list)
    grad_hidden_t: list[Tensor] = field(default_factory=list)


class ExplicitMlp:
    """Computes what an :class:`~mlagents.networks.actor_critic.Mlp` computes, and its gradients.

    Reads the module's parameters and writes into their ``.grad``, in place; both must keep their storage
    (see :class:`~mlagents.networks.flat_parameters.FlatParameters`). Not thread-safe: results live in
    workspaces that the next call with the same batch size overwrites.

    Args:
        mlp: the module, on the CPU.
    """

    def __init__(self, mlp: Mlp) -> None:
        layers = mlp.linear_layers()
        self._weights = [layer.weight.data for layer in layers]
        self._weights_t = [layer.weight.data.t() for layer in layers]
        self._biases = [layer.bias.data for layer in layers]
        self._weight_grads = [layer.weight.grad for layer in layers]
        self._bias_grads = [layer.bias.grad for layer in layers]
        self._widths = [layer.out_features for layer in layers]
        self._workspaces: dict[int, _Workspace] = {}
        self._input = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` ``[B, inputs]`` to ``[B, outputs]``; the result is overwritten by the next call.

        ``z = x Wᵀ + b`` per layer, ``h = z σ(z)`` between layers (Swish, arXiv 1710.05941).
        """
        work = self._workspace(x.shape[0])
        self._input = x
        last = len(self._weights) - 1
        for layer in range(last):
            z = work.pre_activations[layer]
            torch.addmm(self._biases[layer], x, self._weights_t[layer], out=z)
            x = work.activations[layer]
            _silu_out(z, out=x)
        return torch.addmm(self._biases[last], x, self._weights_t[last], out=work.output)

    def backward(self, grad_output: Tensor) -> None:
        """Overwrite the parameters' gradients, for the batch of the last :meth:`forward`.

        Args:
            grad_output: ``[B, outputs]``, derivative of the loss by the output.
        """
        work = self._workspace(grad_output.shape[0])
        grad = grad_output
        grad_t = grad.t()
        for layer in range(len(self._weights) - 1, 0, -1):
            torch.mm(grad_t, work.activations[layer - 1], out=self._weight_grads[layer])
            torch.sum(grad, 0, out=self._bias_grads[layer])
            below = work.grad_hidden[layer - 1]
            torch.mm(grad, self._weights[layer], out=below)
            _silu_backward_out(below, work.pre_activations[layer - 1], grad_input=below)
            grad, grad_t = below, work.grad_hidden_t[layer - 1]
        torch.mm(grad_t, self._input, out=self._weight_grads[0])
        torch.sum(grad, 0, out=self._bias_grads[0])

    def input_gradient(self, grad_output: Tensor, first: int = 0) -> Tensor:
        """Derivative by the input of the last :meth:`forward`; parameters' gradients stay as they are.

        Args:
            grad_output: ``[B, outputs]``, derivative of the loss by the output.
            first: leave out the columns of the input before this one.

        Returns:
            ``[B, inputs - first]``.
        """
        work = self._workspace(grad_output.shape[0])
        grad = grad_output
        for layer in range(len(self._weights) - 1, 0, -1):
            below = work.grad_hidden[layer - 1]
            torch.mm(grad, self._weights[layer], out=below)
            _silu_backward_out(below, work.pre_activations[layer - 1], grad_input=below)
            grad = below
        return torch.mm(grad, self._weights[0][:, first:])

    def _workspace(self, batch: int) -> _Workspace:
        work = self._workspaces.get(batch)
        if work is None:
            if len(self._workspaces) >= _MAX_WORKSPACES:  # batch sizes that vary a lot must not pile up
                self._workspaces.clear()
            hidden = self._widths[:-1]
            grads = [torch.empty(batch, width) for width in hidden]
            work = self._workspaces[batch] = _Workspace(
                pre_activations=[torch.empty(batch, width) for width in hidden],
                activations=[torch.empty(batch, width) for width in hidden],
                output=torch.empty(batch, self._widths[-1]),
                grad_hidden=grads,
                grad_hidden_t=[grad.t() for grad in grads],
            )
        return work
