"""Standalone recurrent cell of the ENAS space."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.space import check_architecture
from dlcli.core.spec import Spec
from dlcli.nn.supernet.cell_network import CellNetwork
from dlcli.nn.supernet.cell_space import CellSpace


class EnasCell(nn.Module):
    """Recurrent network with one cell of the ENAS space and the weights of that cell only.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.1, as corrected in google-research, enas_lm. Differs: see
    `CellNetwork`; the default architecture is hand-made, not a published one; no penalty on activations or on their
    temporal change.

    Args:
        spec: one input, (channel, time) or tokens (time); target with one value per sequence or per step.
        architecture: per node from node 2 on, the node that it reads (from 0) and its function; see `CellSpace`.
        hidden: units of every node.
        init_range: weights are initialized from U(-init_range, init_range).
        embedding, tied, word_dropout, embedding_dropout, input_dropout, layer_dropout, output_dropout: see
            `CellNetwork`.

    Raises:
        UsageError: the architecture is not in the space, or a hyper-parameter is out of range.
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
        self.architecture = check_architecture(self.space, architecture)
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
        """Initial carry of `batch` sequences: zeros."""
        return self.network.start(batch)

    def forward(
        self, x: Shaped[Tensor, "batch *channel time"], carry: Float[Tensor, "batch hidden"] | None = None
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Any]:
        return self.network(x, carry, self.architecture, list(self.matrices))
