"""Recurrent cells written out, one step at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.task import Carry
from dlcli.nn.recurrent.network import RecurrentLayer, StackedLayers

TensorTuple = tuple[Tensor, ...]


class RecurrentCell(nn.Module, ABC):
    """One step of a recurrence, split so that whatever needs no state is done for all steps at once.

    Args:
        hidden: units of the state.
    """

    parts = 1
    """Tensors (batch, unit) the state is made of; the first is the output."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    @abstractmethod
    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        """All that `step` needs of the input, time axis first in each part."""

    @abstractmethod
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        """The state after one step, `now` being that step of `project`."""


class UnrolledLayer(RecurrentLayer):
    """A cell along time: one large matmul for the inputs, then a loop over the steps.

    The loop is eager: scripted or compiled steps were slower (benchmarks/cells.py).
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


def stack_cells(cell: Callable[[int, int], RecurrentCell], *, hidden: int, layers: int, dropout: float) -> Callable[[int], StackedLayers]:
    """What makes a stack of the cell from the width of its input; the cell is made from (width, hidden)."""

    def layer(width: int, hidden: int) -> UnrolledLayer:
        return UnrolledLayer(cell(width, hidden))

    return lambda width: StackedLayers(width, layer, hidden=hidden, layers=layers, dropout=dropout)


def recurrent_weight(hidden: int, gates: int) -> nn.Parameter:
    """A matrix (hidden, gates x hidden) to multiply the state with."""
    return nn.Parameter(torch.empty(hidden, gates * hidden))


def init_uniform_(cell: RecurrentCell) -> None:
    """Draw every parameter from U(-1/sqrt(hidden), 1/sqrt(hidden)), as ATen's cells do."""
    bound = cell.hidden**-0.5
    for parameter in cell.parameters():
        nn.init.uniform_(parameter, -bound, bound)
