"""A step of shared weights of the recurrent cell, written as it is defined, for benchmarks/shared_cell.py."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FUNCTIONS = (torch.tanh, torch.relu, torch.sigmoid, nn.Identity())


class PlainCell(nn.Module):
    """A loop over steps and nodes, one matmul for each.

    Args:
        width: channels that come in.
        units: values of an answer.
        hidden: units of every node.
        architecture: which node each node from 2 on reads, and through which function.
    """

    def __init__(self, width: int, units: int, hidden: int, architecture: Sequence[int]) -> None:
        super().__init__()
        self.hidden = hidden
        self.choices = list(zip(architecture[::2], architecture[1::2], strict=True))
        self.first = nn.Parameter(torch.empty(width + hidden, 2 * hidden))
        self.matrices = nn.ParameterList(nn.Parameter(torch.empty(hidden, 2 * hidden)) for _ in self.choices)
        self.head = nn.Linear(hidden, units)

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = x.new_zeros(len(x), self.hidden), []
        for now in x.unbind(2):
            state = self.step(now, state)
            outputs.append(state)
        return self.head(torch.stack(outputs, 1)).transpose(1, 2)

    def step(self, now: Tensor, state: Tensor) -> Tensor:
        nodes = [highway(state, torch.cat([now, state], 1) @ self.first, 0)]
        for (previous, function), matrix in zip(self.choices, self.matrices, strict=True):
            nodes.append(highway(nodes[previous], nodes[previous] @ matrix, function))
        return sum(nodes[1:]) / len(self.choices)


def highway(read: Tensor, made: Tensor, function: int) -> Tensor:
    h, t = made.chunk(2, 1)
    return read + t.sigmoid() * (FUNCTIONS[function](h) - read)
