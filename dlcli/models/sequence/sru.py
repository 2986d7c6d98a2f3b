"""The simple recurrent unit."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.core.task import Carry
from dlcli.nn.recurrent.network import RecurrentLayer, RecurrentNetwork, StackedLayers
from dlcli.models.sequence.sru import scan


class _Layer(RecurrentLayer):
    """f, r = s(W x + b); c_t = f_t * c_{t-1} + (1 - f_t) * (W x_t); h_t = r_t * tanh(c_t) + (1 - r_t) * x_t.

    Args:
        width: channels that come in; where it is not `hidden`, the highway's x_t goes through a matrix of its
            own.
        hidden: units of the state.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.width = hidden
        self.inputs = nn.Linear(width, 3 * hidden, bias=False)
        self.bias = nn.Parameter(torch.zeros(2 * hidden))
        self.highway = nn.Identity() if width == hidden else nn.Linear(width, hidden, bias=False)

    def start(self, batch: int) -> Carry:
        return self.bias.new_zeros(batch, self.width)

    def forward(
        self, x: Float[Tensor, "time batch channel"], carry: Carry
    ) -> tuple[Float[Tensor, "time batch unit"], Carry]:
        gates, candidate = self.inputs(x).split((2 * self.width, self.width), dim=2)
        f, r = (gates + self.bias).sigmoid().chunk(2, 2)
        c = scan(f, torch.addcmul(candidate, f, candidate, value=-1), carry)
        x = self.highway(x)
        return torch.addcmul(x, r, c.tanh() - x), c[-1]


class SRU(RecurrentNetwork):
    """Simple recurrent unit: gates and candidate see the input alone, so time is left to an elementwise scan.

    Paper: Lei et al. 2017, arXiv:1709.02755v1; later versions let the gates see c. Differs: where the input
    is not `hidden` wide, the highway has a matrix.

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
        super().__init__(
            spec,
            lambda width: StackedLayers(width, _Layer, hidden=hidden, layers=layers, dropout=dropout),
            model_name="SRU",
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )
