"""Network around a recurrent cell of the ENAS space, independent of the owner of the cell's matrices."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least
from dlcli.nn.sequence_io import InputStem, OutputHead, tied_embedding
from dlcli.nn.stochastic.variational_dropout import VariationalDropout, WordDropout
from dlcli.nn.supernet.highway_tree import concatenate_matrices, group_siblings, highway_tree


class CellNetwork(nn.Module):
    """Embedding, node 1, dropout and output head; the matrices of the other nodes are arguments of every call.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.1, as in google-research, enas_lm: no biases in the cell, all
    matrices from U(-init_range, init_range), one mask per sequence for each dropout. Differs: the head has a bias.

    Args:
        spec: one input, (channel, time) or tokens (time); target with one value per sequence or per step.
        model_name: for error messages.
        hidden: units of every node.
        init_range: weights are initialized from U(-init_range, init_range).
        embedding: width of the token embedding; unused for real inputs.
        tied: share the embedding matrix with the output layer; requires embedding = hidden.
        word_dropout: probability in [0, 1) that all occurrences of a word are zeroed; unused for real inputs.
        embedding_dropout: probability in [0, 1), of the channels of the embedding; unused for real inputs.
        input_dropout: probability in [0, 1), of the input of node 1.
        layer_dropout: probability in [0, 1), of the state and the nodes where they are multiplied by a matrix.
        output_dropout: probability in [0, 1), of the input of the head.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        model_name: str,
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
        at_least(1, hidden=hidden)
        self.hidden, self.init_range = hidden, init_range
        self.front = InputStem(spec, embedding=embedding, dropout=0.0, model_name=model_name)
        self.inputs = nn.Linear(self.front.width, 2 * hidden, bias=False)
        self.recurrent = self.matrix()
        self.head = OutputHead(hidden, spec, tied=tied_embedding(self.front, tied))
        self.words = WordDropout(word_dropout)
        self.embedded = VariationalDropout("embedding_dropout", embedding_dropout)
        self.entering = VariationalDropout("input_dropout", input_dropout)
        self.between = VariationalDropout("layer_dropout", layer_dropout)
        self.leaving = VariationalDropout("output_dropout", output_dropout)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -init_range, init_range)
        nn.init.zeros_(self.head.linear.bias)

    def matrix(self) -> nn.Parameter:
        """Matrix of an edge, (unit, candidate and gate of a unit)."""
        return nn.Parameter(torch.empty(self.hidden, 2 * self.hidden).uniform_(-self.init_range, self.init_range))

    def start(self, batch: int) -> Float[Tensor, "batch hidden"]:
        """Initial carry of `batch` sequences: zeros."""
        return self.recurrent.new_zeros(batch, self.hidden)

    def forward(
        self,
        x: Shaped[Tensor, "batch *channel time"],
        carry: Float[Tensor, "batch hidden"] | None,
        architecture: Sequence[int],
        matrices: Sequence[Tensor],
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Tensor]:
        """Output of an architecture.

        Args:
            x: real inputs or tokens.
            carry: state before the first step; None for zeros and no returned carry.
            architecture: see `CellSpace`.
            matrices: one per node from node 2 on.
        """
        initial = self.start(len(x)) if carry is None else carry
        groups = group_siblings(architecture[::2], architecture[1::2])
        drive = self.inputs(self._embed(x).permute(2, 0, 1)).to(initial.dtype)
        joint = [concatenate_matrices([matrices[node - 1] for node in group.nodes]) for group in groups]
        states = highway_tree(groups, drive, initial, self.between(initial), self.recurrent, joint)
        selected = states if self.head.per_step else states[-1:]
        output = self.head(_masked(selected, self.leaving(initial)).permute(1, 2, 0))
        return output if carry is None else (output, states[-1])

    def _embed(self, x: Shaped[Tensor, "batch *channel time"]) -> Float[Tensor, "batch channel time"]:
        tokens, inputs = self.front.tokens, self.front(x)
        if tokens is not None:
            word_mask = self.words(x, tokens)
            inputs = inputs if word_mask is None else inputs * word_mask.unsqueeze(1)
            inputs = _mask_channels(inputs, self.embedded(inputs[..., 0]))
        return _mask_channels(inputs, self.entering(inputs[..., 0]))


def _mask_channels(x: Float[Tensor, "batch channel time"], mask: Float[Tensor, "batch channel"] | None) -> Tensor:
    return x if mask is None else x * mask.unsqueeze(2)


def _masked(states: Float[Tensor, "time batch unit"], mask: Float[Tensor, "batch hidden"] | None) -> Tensor:
    return states if mask is None else states * mask
