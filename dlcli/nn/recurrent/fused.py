"""ATen's fused recurrent kernels as memory."""

from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.task import Carry
from dlcli.nn.checks import at_least, probability
from dlcli.nn.recurrent.network import RecurrentLayer

Cells = TypeVar("Cells", bound=nn.RNNBase)


def build_rnn(
    kind: Callable[..., Cells],
    width: int,
    *,
    hidden: int,
    layers: int,
    dropout: float,
    bidirectional: bool = False,
) -> Cells:
    """Layers of nn.RNN, nn.LSTM or nn.GRU with dropout between them.

    Raises:
        UsageError: a number is out of range.
    """
    at_least(1, hidden=hidden, layers=layers)
    probability("model.dropout", dropout)
    between = dropout if layers > 1 else 0.0  # ATen warns about dropout that lies between nothing
    return kind(width, hidden, num_layers=layers, dropout=between, bidirectional=bidirectional)


def set_forget_bias(cells: nn.LSTM, value: float) -> None:
    """The forget gate's bias in every layer and direction.

    ATen adds an input's and a state's bias, and its gates come as i, f, g, o: the value goes on the input's,
    the state's is zero, so the gate gets the value once.
    """
    forget = slice(cells.hidden_size, 2 * cells.hidden_size)
    with torch.no_grad():
        for name, parameter in cells.named_parameters():
            if name.startswith("bias_ih"):
                parameter[forget] = value
            elif name.startswith("bias_hh"):
                parameter[forget] = 0.0


class FusedLayers(RecurrentLayer):
    """One direction of nn.RNN, nn.LSTM or nn.GRU.

    The carry is a tuple, (h,) or the LSTM's (h, c), each (batch, layer, unit).

    Args:
        cells: the layers, time axis first.
    """

    def __init__(self, cells: nn.RNNBase) -> None:
        super().__init__()
        self.cells = cells
        self.width = cells.hidden_size
        self.parts = 2 if isinstance(cells, nn.LSTM) else 1

    def start(self, batch: int) -> Carry:
        zero = next(self.parameters()).new_zeros(batch, self.cells.num_layers, self.width)
        return (zero,) * self.parts

    def forward(
        self, x: Float[Tensor, "time batch channel"], carry: Carry
    ) -> tuple[Float[Tensor, "time batch unit"], Carry]:
        # ATen wants the layer axis first, in memory too
        begin = tuple(part.transpose(0, 1).contiguous() for part in carry)
        states, after = self.cells(x, begin if self.parts == 2 else begin[0])
        parts = after if self.parts == 2 else (after,)
        return states, tuple(part.transpose(0, 1) for part in parts)
