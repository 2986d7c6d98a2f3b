"""LSTM without one of its gates."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, init_uniform_, recurrent_weight, stack_cells
from dlcli.nn.recurrent.network import RecurrentNetwork, StackedLayers


class _TwoGateCell(RecurrentCell):
    """LSTM cell with two of the three gates; the value of the removed gate is 1.

    Pre-activations are ordered (gate, gate, candidate), so that one kernel computes both sigmoids. One bias per gate.
    """

    parts = 2  # h and c

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.inputs = nn.Linear(width, 3 * hidden)
        self.recurrent = recurrent_weight(hidden, 3)
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        return (self.inputs(x),)

    def activations(self, now: TensorTuple, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """First gate, second gate and candidate."""
        gates, candidate = torch.addmm(now[0], h, self.recurrent).split((2 * self.hidden, self.hidden), 1)
        first, second = gates.sigmoid().chunk(2, 1)
        return first, second, candidate.tanh()


class _WithoutInputGate(_TwoGateCell):
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        h, c = state
        f, o, g = self.activations(now, h)
        c = torch.addcmul(g, f, c)
        return o * c.tanh(), c


class _WithoutForgetGate(_TwoGateCell):
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        h, c = state
        i, o, g = self.activations(now, h)
        c = torch.addcmul(c, i, g)
        return o * c.tanh(), c


class _WithoutOutputGate(_TwoGateCell):
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        h, c = state
        f, i, g = self.activations(now, h)
        c = torch.addcmul(f * c, i, g)
        return c.tanh(), c


class _AblatedLSTM(RecurrentNetwork):
    """LSTM without one gate.

    Paper: Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network Architectures", ICML.
    Differs: the remaining cell is that of nn.LSTM (sigmoid gates, no peepholes) with one bias per gate.
    """

    cell: ClassVar[type[RecurrentCell]]

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> StackedLayers:
        return stack_cells(self.cell, width, hidden=hidden, layers=layers, dropout=dropout)


class _WithForgetGate(_AblatedLSTM):
    """Ablated LSTM whose first gate is the forget gate.

    Args:
        spec, hidden, layers, dropout, embedding, embedding_dropout, tied: see `RecurrentNetwork`.
        forget_bias: initial forget-gate bias of every layer.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        forget_bias: float,
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        super().__init__(
            spec,
            hidden=hidden,
            layers=layers,
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )
        for cell in self.modules():
            if isinstance(cell, _TwoGateCell):
                nn.init.constant_(cell.inputs.bias[:hidden], forget_bias)


class LSTMWithoutInputGate(_WithForgetGate):
    """LSTM-i: c_t = f_t * c_{t-1} + g_t, h_t = o_t * tanh(c_t)."""

    cell = _WithoutInputGate


class LSTMWithoutOutputGate(_WithForgetGate):
    """LSTM-o: c_t = f_t * c_{t-1} + i_t * g_t, h_t = tanh(c_t)."""

    cell = _WithoutOutputGate


class LSTMWithoutForgetGate(_AblatedLSTM):
    """LSTM-f: c_t = c_{t-1} + i_t * g_t, h_t = o_t * tanh(c_t), as in Hochreiter & Schmidhuber 1997.

    Arguments: see `RecurrentNetwork`.
    """

    cell = _WithoutForgetGate
