"""Recurrent networks that read a sequence from both ends."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.sequence_io import InputStem, OutputHead
from dlcli.nn.recurrent.fused import set_forget_bias, build_rnn


class _Bidirectional(nn.Module):
    """Front, layers in two directions, head; without memory, because it needs the end of a sequence to begin.

    One target a step reads both directions there; one a sequence reads both directions at their ends: the
    forward states after the last step and the backward states after the first. Padding is read like anything
    else.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        cells: makes the layers from the width of the front.
        model_name: name of the model, for messages.
    """

    def __init__(
        self,
        spec: Spec,
        cells: Callable[[int], nn.RNNBase],
        *,
        model_name: str,
        dropout: float,
        embedding: int,
        embedding_dropout: float,
    ) -> None:
        super().__init__()
        self.front = InputStem(spec, embedding=embedding, dropout=embedding_dropout, model_name=model_name)
        self.cells = cells(self.front.width)
        self.dropout = nn.Dropout(dropout)
        self.head = OutputHead(2 * self.cells.hidden_size, spec)

    def forward(self, x: Shaped[Tensor, "batch *channel time"]) -> Float[Tensor, "batch unit *time"]:
        states, _ = self.cells(self.front(x).permute(2, 0, 1))
        read = states if self.head.per_step else self._ends(states)
        return self.head(self.dropout(read).permute(1, 2, 0))

    def _ends(self, states: Float[Tensor, "time batch unit"]) -> Float[Tensor, "1 batch unit"]:
        hidden = self.cells.hidden_size
        return torch.cat((states[-1:, :, :hidden], states[:1, :, hidden:]), dim=2)


class BiLSTM(_Bidirectional):
    """Bidirectional LSTM: one layer's input is both directions of the layer below.

    Paper: Graves & Schmidhuber 2005, Neural Networks 18(5-6). Differs: the cell is nn.LSTM's, without
    peepholes.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        hidden: units of every layer and direction.
        layers: how many.
        dropout: probability in [0, 1), between layers and before the head.
        forget_bias: what the forget gates' bias starts at, in every layer and direction.
        embedding: width of a token's vector; not used for real inputs.
        embedding_dropout: probability in [0, 1).

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
    ) -> None:
        def cells(width: int) -> nn.LSTM:
            both = build_rnn(nn.LSTM, width, hidden=hidden, layers=layers, dropout=dropout, bidirectional=True)
            set_forget_bias(both, forget_bias)
            return both

        super().__init__(
            spec,
            cells,
            model_name="BiLSTM",
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
        )


class BiGRU(_Bidirectional):
    """Bidirectional GRU: one layer's input is both directions of the layer below.

    Paper: Schuster & Paliwal 1997, IEEE Transactions on Signal Processing 45(11), with the cell of Cho et al.
    2014. Differs: the reset gate is outside of the matmul (cuDNN's form).

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        hidden: units of every layer and direction.
        layers: how many.
        dropout: probability in [0, 1), between layers and before the head.
        embedding: width of a token's vector; not used for real inputs.
        embedding_dropout: probability in [0, 1).

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
        embedding: int,
        embedding_dropout: float,
    ) -> None:
        def cells(width: int) -> nn.GRU:
            return build_rnn(nn.GRU, width, hidden=hidden, layers=layers, dropout=dropout, bidirectional=True)

        super().__init__(
            spec,
            cells,
            model_name="BiGRU",
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
        )
