"""Recurrent cells that are computed step by step."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.task import Carry
from dlcli.nn.recurrent.network import RecurrentLayer, StackedLayers

TensorTuple = tuple[Tensor, ...]


class RecurrentCell(nn.Module, ABC):
    """One step of a recurrence; whatever does not depend on the state is computed for all steps at once.

    Args:
        hidden: units of the state.
    """

    parts = 1
    """Number of state tensors (batch, unit); the first is the output."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    @abstractmethod
    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        """State-independent terms of all steps, each with the time axis first."""

    @abstractmethod
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        """Next state; `now` is the slice of `project` that belongs to this step."""


class UnrolledLayer(RecurrentLayer):
    """Layer that runs a cell along time: one matrix product for all inputs, then an eager loop over the steps.

    Scripted and compiled loops are slower (benchmarks/cells.py).
    """

    def __init__(self, cell: RecurrentCell) -> None:
        super().__init__()
        self.cell = cell
        self.width = cell.hidden

    def start(self, batch: int) -> Carry:
        return (next(self.parameters()).new_zeros(batch, self.width),) * self.cell.parts

    def forward(
        self, x: Float[Tensor, "time batch channel"], carry: Carry
    ) -> tuple[Float[Tensor, "time batch unit"], Carry]:
        states = []
        for now in zip(*(part.unbind() for part in self.cell.project(x)), strict=True):
            carry = self.cell.step(now, carry)
            states.append(carry[0])
        return torch.stack(states), carry


def stack_cells(
    cell: Callable[[int, int], RecurrentCell], width: int, *, hidden: int, layers: int, dropout: float
) -> StackedLayers:
    """Stack of unrolled layers; `cell` is called with (input width, hidden)."""
    return StackedLayers(
        width, lambda inputs, units: UnrolledLayer(cell(inputs, units)), hidden=hidden, layers=layers, dropout=dropout
    )


def recurrent_weight(hidden: int, gates: int) -> nn.Parameter:
    """Uninitialized recurrent matrix (hidden, gates x hidden)."""
    return nn.Parameter(torch.empty(hidden, gates * hidden))


def init_uniform_(cell: RecurrentCell) -> None:
    """Initialize every parameter from U(-1/sqrt(hidden), 1/sqrt(hidden)), as PyTorch's recurrent cells do."""
    bound = cell.hidden**-0.5
    for parameter in cell.parameters():
        nn.init.uniform_(parameter, -bound, bound)
