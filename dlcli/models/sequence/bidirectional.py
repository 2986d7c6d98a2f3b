"""Bidirectional recurrent networks."""

from abc import ABC, abstractmethod
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.fused import build_rnn, run_rnn, set_forget_bias
from dlcli.nn.sequence_io import InputStem, OutputHead


class _Bidirectional(nn.Module, ABC):
    """Input stem, layers in both directions, output head; no carry, because the backward pass needs the whole sequence.

    With one target per step the head reads both directions at that step; with one target per sequence it reads the
    forward state of the last step and the backward state of the first step. Padding is not masked.

    Args:
        spec: one input, (channel, time) or tokens (time); target with one value per sequence or per step.
        hidden: units of each layer and direction.
        layers: number of layers.
        dropout: probability in [0, 1), between layers and before the head.
        embedding: width of the token embedding; unused for real inputs.
        embedding_dropout: probability in [0, 1) that a component of an embedded token is zeroed.

    Raises:
        UsageError: a hyper-parameter is out of range.
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
        super().__init__()
        self.front = InputStem(spec, embedding=embedding, dropout=embedding_dropout, model_name=type(self).__name__)
        self.cells = self.build_layers(self.front.width, hidden=hidden, layers=layers, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = OutputHead(2 * self.cells.hidden_size, spec)

    @abstractmethod
    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> nn.RNNBase:
        """Bidirectional layers for inputs of `width` channels, time axis first."""

    def forward(self, x: Shaped[Tensor, "batch *channel time"]) -> Float[Tensor, "batch unit *time"]:
        states, _ = run_rnn(self.cells, self.front(x).permute(2, 0, 1))
        selected = states if self.head.per_step else self._final_states(states)
        return self.head(self.dropout(selected).permute(1, 2, 0))

    def _final_states(self, states: Float[Tensor, "time batch unit"]) -> Float[Tensor, "1 batch unit"]:
        hidden = self.cells.hidden_size
        return torch.cat((states[-1:, :, :hidden], states[:1, :, hidden:]), dim=2)


class BiLSTM(_Bidirectional):
    """Bidirectional LSTM; each layer reads both directions of the layer below.

    Paper: Graves & Schmidhuber 2005, Neural Networks 18(5-6). Differs: the cell is that of nn.LSTM, without peepholes.

    Args:
        spec, hidden, layers, dropout, embedding, embedding_dropout: as for `BiGRU`; `hidden` counts one direction.
        forget_bias: initial forget-gate bias of every layer and direction.
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
        super().__init__(
            spec,
            hidden=hidden,
            layers=layers,
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
        )
        set_forget_bias(cast(nn.LSTM, self.cells), forget_bias)

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> nn.LSTM:
        return build_rnn(nn.LSTM, width, hidden=hidden, layers=layers, dropout=dropout, bidirectional=True)


class BiGRU(_Bidirectional):
    """Bidirectional GRU; each layer reads both directions of the layer below.

    Paper: Schuster & Paliwal 1997, IEEE Transactions on Signal Processing 45(11), with the cell of Cho et al. 2014.
    Differs: the reset gate is applied after the matrix product (cuDNN's form).
    """

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> nn.GRU:
        return build_rnn(nn.GRU, width, hidden=hidden, layers=layers, dropout=dropout, bidirectional=True)
