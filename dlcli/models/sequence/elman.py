"""Elman's simple recurrent network."""

from torch import nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.fused import FusedLayers, build_rnn
from dlcli.nn.recurrent.network import RecurrentNetwork


class Elman(RecurrentNetwork):
    """Simple recurrent network: h_t = tanh(W x_t + U h_{t-1} + b), on ATen's fused kernels.

    Paper: Elman 1990, Cognitive Science 14(2). Differs: tanh units, and gradients go through all steps.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        hidden: units of every layer.
        layers: how many.
        dropout: probability in [0, 1), between layers and before the head.
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
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        def memory(width: int) -> FusedLayers:
            return FusedLayers(build_rnn(nn.RNN, width, hidden=hidden, layers=layers, dropout=dropout))

        super().__init__(
            spec,
            memory,
            model_name="Elman",
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )
