"""Long short-term memory."""

from typing import cast

from torch import nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.fused import FusedLayers, build_rnn, set_forget_bias
from dlcli.nn.recurrent.network import RecurrentNetwork


class LSTM(RecurrentNetwork):
    """Long short-term memory with a forget gate, on PyTorch's fused kernels, gates i, f, g, o.

    c_t = f_t * c_{t-1} + i_t * g_t, h_t = o_t * tanh(c_t).

    Paper: Hochreiter & Schmidhuber 1997, Neural Computation 9(8); forget gate: Gers, Schmidhuber & Cummins
    2000, Neural Computation 12(10). Differs: gradients are propagated through all steps, without truncation.

    Args:
        spec, hidden, layers, dropout, embedding, embedding_dropout, tied: see `RecurrentNetwork`.
        forget_bias: initial forget-gate bias of every layer; 1 gives LSTM-b.
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
        set_forget_bias(cast(nn.LSTM, self.memory.cells), forget_bias)

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> FusedLayers:
        return FusedLayers(build_rnn(nn.LSTM, width, hidden=hidden, layers=layers, dropout=dropout))
