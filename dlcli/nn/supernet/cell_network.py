"""The network around a recurrent cell of the space, whoever owns the cell's matrices."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.sequence_io import InputStem, OutputHead
from dlcli.nn.checks import at_least
from dlcli.nn.supernet.highway_tree import highway_tree
from dlcli.nn.stochastic.variational_dropout import VariationalDropout, WordDropout
from dlcli.nn.supernet.highway_tree import concatenate_matrices, group_siblings
from dlcli.nn.sequence_io import tied_embedding


class CellNetwork(nn.Module):
    """Embedding, node 1, dropout and head; the matrices of the other nodes come with every call.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.1, as in google-research, enas_lm: no biases in the cell, all
    matrices from U(-init_range, init_range), one mask a sequence for each dropout. Differs: the head has a bias.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        model_name: name of the model, for messages.
        hidden: units of every node.
        init_range: largest weight at the start.
        embedding: width of a token's vector; not used for real inputs.
        tied: the embedding is also the output matrix; needs embedding = hidden.
        word_dropout: probability in [0, 1) that a word is zeroed wherever it stands; not used for real inputs.
        embedding_dropout: probability in [0, 1) that a component of the embedding is; not used for real inputs.
        input_dropout: the same of what enters node 1, of any input.
        layer_dropout: the same of what each other matrix reads: the state, and nodes.
        output_dropout: the same of what the head reads.
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
        """What a node reads another through, (unit, candidate and gate of a unit)."""
        return nn.Parameter(torch.empty(self.hidden, 2 * self.hidden).uniform_(-self.init_range, self.init_range))

    def start(self, batch: int) -> Float[Tensor, "batch hidden"]:
        return self.recurrent.new_zeros(batch, self.hidden)

    def forward(
        self,
        x: Shaped[Tensor, "batch *channel time"],
        carry: Float[Tensor, "batch hidden"] | None,
        architecture: Sequence[int],
        matrices: Sequence[Tensor],
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Tensor]:
        """Args: as a model's, then an architecture and its matrices, one a node from node 2 on."""
        begin = self.start(len(x)) if carry is None else carry
        families = group_siblings(architecture[::2], architecture[1::2])
        drive = self.inputs(self._read(x).permute(2, 0, 1)).to(begin.dtype)
        side_by_side = [concatenate_matrices([matrices[node - 1] for node in family.nodes]) for family in families]
        states = highway_tree(families, drive, begin, self.between(begin), self.recurrent, side_by_side)
        read = states if self.head.per_step else states[-1:]
        output = self.head(_masked(read, self.leaving(begin)).permute(1, 2, 0))
        return output if carry is None else (output, states[-1])

    def _read(self, x: Shaped[Tensor, "batch *channel time"]) -> Float[Tensor, "batch channel time"]:
        tokens, read = self.front.tokens, self.front(x)
        if tokens is not None:
            kept = self.words(x, tokens)
            read = read if kept is None else read * kept.unsqueeze(1)
            read = _times(read, self.embedded(read[..., 0]))
        return _times(read, self.entering(read[..., 0]))


def _times(x: Float[Tensor, "batch channel time"], mask: Float[Tensor, "batch channel"] | None) -> Tensor:
    return x if mask is None else x * mask.unsqueeze(2)


def _masked(states: Float[Tensor, "time batch unit"], mask: Float[Tensor, "batch hidden"] | None) -> Tensor:
    return states if mask is None else states * mask
