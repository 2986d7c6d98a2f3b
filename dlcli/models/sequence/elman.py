"""Elman network."""

from torch import nn

from dlcli.nn.recurrent.fused import FusedLayers, build_rnn
from dlcli.nn.recurrent.network import RecurrentNetwork


class Elman(RecurrentNetwork):
    """Simple recurrent network, h_t = tanh(W x_t + U h_{t-1} + b), on PyTorch's fused kernels.

    Paper: Elman 1990, Cognitive Science 14(2). Differs: tanh units; gradients are propagated through all steps.
    Arguments: see `RecurrentNetwork`.
    """

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> FusedLayers:
        return FusedLayers(build_rnn(nn.RNN, width, hidden=hidden, layers=layers, dropout=dropout))
