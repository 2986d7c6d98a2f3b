"""Long short-term memory."""

from torch import nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.fused import FusedLayers, set_forget_bias, build_rnn
from dlcli.nn.recurrent.network import RecurrentNetwork


class LSTM(RecurrentNetwork):
    """Long short-term memory with a forget gate, on ATen's fused kernels, gates i, f, g, o.

    c_t = f_t * c_{t-1} + i_t * g_t, h_t = o_t * tanh(c_t).

    Paper: Hochreiter & Schmidhuber 1997, Neural Computation 9(8); forget gate: Gers, Schmidhuber & Cummins
    2000, Neural Computation 12(10). Differs: gradients go through all steps, not truncated ones.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        hidden: units of every layer.
        layers: how many.
        dropout: probability in [0, 1), between layers and before the head.
        forget_bias: what the forget gates' bias starts at, in every layer; 1 is LSTM-b.
        embedding: width of a token's vector; not used for real inputs.
        embedding_dropout: probability in [0, 1).
        tied: the embedding is also the output matrix; needs embedding = hidden.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
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
        def memory(width: int) -> FusedLayers:
            cells = build_rnn(nn.LSTM, width, hidden=hidden, layers=layers, dropout=dropout)
            set_forget_bias(cells, forget_bias)
            return FusedLayers(cells)

        super().__init__(
            spec,
            memory,
            model_name="LSTM",
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )
