"""PyTorch's fused recurrent kernels (nn.RNN, nn.LSTM, nn.GRU) as recurrent layers."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.task import Carry
from dlcli.nn.checks import at_least, probability
from dlcli.nn.recurrent.network import RecurrentLayer

RNN = TypeVar("RNN", bound=nn.RNNBase)


def build_rnn(
    kind: Callable[..., RNN],
    width: int,
    *,
    hidden: int,
    layers: int,
    dropout: float,
    bidirectional: bool = False,
) -> RNN:
    """nn.RNN, nn.LSTM or nn.GRU with `layers` layers and dropout between them.

    Raises:
        UsageError: a hyper-parameter is out of range.
    """
    at_least(1, hidden=hidden, layers=layers)
    probability("model.dropout", dropout)
    between = dropout if layers > 1 else 0.0  # PyTorch warns about dropout with a single layer
    return kind(width, hidden, num_layers=layers, dropout=between, bidirectional=bidirectional)


def set_forget_bias(cells: nn.LSTM, value: float) -> None:
    """Set the forget-gate bias of every layer and direction.

    PyTorch adds two bias vectors (input and recurrent) with gates in the order i, f, g, o: the value is written to the
    input bias and the recurrent one is zeroed, so that their sum is `value`.
    """
    forget = slice(cells.hidden_size, 2 * cells.hidden_size)
    with torch.no_grad():
        for name, parameter in cells.named_parameters():
            if name.startswith("bias_ih"):
                parameter[forget] = value
            elif name.startswith("bias_hh"):
                parameter[forget] = 0.0


def run_rnn(cells: nn.RNNBase, x: Tensor, initial: Any = None) -> tuple[Tensor, Any]:
    """Run fused layers with kernels that the processor has.

    oneDNN has no reduced-precision LSTM for processors without bfloat16 instructions and raises an error there;
    PyTorch's own kernels are used instead.
    """
    reduced = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    if reduced and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        with torch.backends.mkldnn.flags(enabled=False):
            return cells(x, initial)
    return cells(x, initial)


class FusedLayers(RecurrentLayer):
    """Unidirectional nn.RNN, nn.LSTM or nn.GRU.

    The carry is a tuple, (h,) or (h, c) for the LSTM, each of shape (batch, layer, unit).

    Args:
        cells: the PyTorch module, time axis first.
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
        # PyTorch requires contiguous states with the layer axis first.
        initial = tuple(part.transpose(0, 1).contiguous() for part in carry)
        states, after = run_rnn(self.cells, x, initial if self.parts == 2 else initial[0])
        parts = after if self.parts == 2 else (after,)
        return states, tuple(part.transpose(0, 1) for part in parts)
