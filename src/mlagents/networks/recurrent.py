"""Memory: a long short-term memory cell (Hochreiter and Schmidhuber 1997) over sequences of steps."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from mlagents.networks.initialization import xavier_uniform

FORGET_BIAS = 1.0
"""Initial bias of the forget gate in each of the two bias vectors: so 2 in effect.

A cell that begins by remembering learns long dependencies sooner (Jozefowicz et al. 2015).
"""

# Weights live in one vector with all others (see flat_parameters), and cuDNN would rather have them apart.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")


class RecurrentMemory(nn.Module):
    """One LSTM layer whose state is one vector per agent, hidden state then cell state.

    ``i, f, g, o = W x + b + U h + c`` in blocks, ``c' = σ(f) c + σ(i) tanh(g)``, ``h' = σ(o) tanh(c')``.

    Args:
        inputs: width of the input.
        memory_size: floats that an agent remembers, m; even.
        generator: source of initial weights.

    Attributes:
        memory_size: m.
        output_size: width of the output, m / 2.
    """

    def __init__(self, inputs: int, memory_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.memory_size = memory_size
        self.output_size = memory_size // 2
        self.lstm = nn.LSTM(inputs, self.output_size, batch_first=True, device="meta")
        self.lstm.to_empty(device="cpu")
        for name, parameter in self.lstm.named_parameters():
            gates = torch.split(parameter.data, self.output_size)  # input, forget, cell, output
            if name.startswith("weight"):
                for gate in gates:
                    xavier_uniform(gate, generator)
            else:
                nn.init.zeros_(parameter)
                nn.init.constant_(gates[1], FORGET_BIAS)

    def forward(self, x: Tensor, memory: Tensor | None, sequence_length: int) -> tuple[Tensor, Tensor]:
        """Go through sequences.

        Args:
            x: ``[B · L, inputs]``, the L steps of each sequence in consecutive rows.
            memory: ``[B, m]`` at the start of each sequence; None means zeros.
            sequence_length: L.

        Returns:
            Outputs ``[B · L, m / 2]``, and memories after the last steps ``[B, m]``.
        """
        steps = x.reshape(len(x) // sequence_length, sequence_length, x.shape[1])  # [B, L, inputs]
        if memory is None:
            memory = x.new_zeros(len(steps), self.memory_size)
        hidden, cell = (
            state.unsqueeze(0).contiguous() for state in torch.split(memory, self.output_size, dim=1)
        )
        outputs, (hidden, cell) = self.lstm(steps, (hidden, cell))
        return outputs.reshape(len(x), self.output_size), torch.cat([hidden[0], cell[0]], dim=1)
