"""A recurrent cell of ENAS's space, alone."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.space import check
from dlcli.core.spec import Spec
from dlcli.nn.supernet.cell_network import CellNetwork
from dlcli.nn.supernet.cell_space import CellSpace


class EnasCell(nn.Module):
    """One recurrent cell of the space of ENAS, with the weights that it uses and no others.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.1, as corrected in google-research, enas_lm. Differs: see
    `CellNetwork`; the default architecture is ours, made by hand, not a published one; no penalty on activations or on
    how fast they change.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        architecture: two numbers a node from node 2 on: which node it reads, from 0, and which function; `CellSpace`.
        hidden: units of every node.
        init_range: weights start from U(-init_range, init_range).
        embedding: width of a token's vector; not used for real inputs.
        tied: the embedding is also the output matrix; needs embedding = hidden.
        word_dropout: probability in [0, 1) that a word is zeroed wherever it stands; not used for real inputs.
        embedding_dropout: probability in [0, 1) that a channel of the embedding is; not used for real inputs.
        input_dropout: probability in [0, 1), of what enters node 1.
        layer_dropout: probability in [0, 1), of the state and the nodes where they meet a matrix.
        output_dropout: probability in [0, 1), before the head.

    Raises:
        UsageError: the architecture is none of the space, or a number is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        architecture: Sequence[int],
        hidden: int,
        init_range: float,
        embedding: int,
        tied: bool,
        word_dropout: float,
        embedding_dropout: float,
        input_dropout: float,
        layer_dropout: float,
        output_dropout: float,
    ) -> None:
        super().__init__()
        self.space = CellSpace(len(architecture) // 2 + 1)
        self.architecture = check(self.space, architecture)
        self.network = CellNetwork(
            spec,
            model_name="EnasCell",
            hidden=hidden,
            init_range=init_range,
            embedding=embedding,
            tied=tied,
            word_dropout=word_dropout,
            embedding_dropout=embedding_dropout,
            input_dropout=input_dropout,
            layer_dropout=layer_dropout,
            output_dropout=output_dropout,
        )
        self.matrices = nn.ParameterList(self.network.matrix() for _ in self.architecture[::2])

    def start(self, batch: int) -> Float[Tensor, "batch hidden"]:
        return self.network.start(batch)

    def forward(
        self, x: Shaped[Tensor, "batch *channel time"], carry: Float[Tensor, "batch hidden"] | None = None
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Any]:
        return self.network(x, carry, self.architecture, list(self.matrices))
