"""The gated recurrent unit."""

from torch import nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.fused import FusedLayers, build_rnn
from dlcli.nn.recurrent.network import RecurrentNetwork


class GRU(RecurrentNetwork):
    """Gated recurrent unit on ATen's fused kernels, gates r, z, n.

    n_t = tanh(W x_t + b + r_t * (U h_{t-1} + b')), h_t = (1 - z_t) * n_t + z_t * h_{t-1}.

    Paper: Cho et al. 2014, arXiv:1406.1078, section 2.3. Differs: the reset gate is outside of the matmul, r
    * (U h), where the paper has it inside, U (r * h); that is cuDNN's form, and what most published GRUs ran.

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
            return FusedLayers(build_rnn(nn.GRU, width, hidden=hidden, layers=layers, dropout=dropout))

        super().__init__(
            spec,
            memory,
            model_name="GRU",
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )
