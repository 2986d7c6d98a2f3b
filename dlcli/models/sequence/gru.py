"""Gated recurrent unit."""

from torch import nn

from dlcli.nn.recurrent.fused import FusedLayers, build_rnn
from dlcli.nn.recurrent.network import RecurrentNetwork


class GRU(RecurrentNetwork):
    """Gated recurrent unit on PyTorch's fused kernels, gates r, z, n.

    n_t = tanh(W x_t + b + r_t * (U h_{t-1} + b')), h_t = (1 - z_t) * n_t + z_t * h_{t-1}.

    Paper: Cho et al. 2014, arXiv:1406.1078, section 2.3. Differs: the reset gate is applied after the matrix product,
    r * (U h), as in cuDNN and most published implementations; the paper has U (r * h).
    Arguments: see `RecurrentNetwork`.
    """

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> FusedLayers:
        return FusedLayers(build_rnn(nn.GRU, width, hidden=hidden, layers=layers, dropout=dropout))
