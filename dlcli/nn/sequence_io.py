"""Input stem and output head of sequence models."""

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.nn.checks import at_least, probability


class InputStem(nn.Module):
    """Inputs as (batch, channel, time): real channels unchanged, tokens through an embedding.

    Args:
        spec: one input, Real (channel, time) or Classes (time,).
        embedding: width of the token embedding; unused for real inputs.
        dropout: probability in [0, 1) that a component of an embedded token is zeroed.
        model_name: for error messages.

    Raises:
        UsageError: `embedding` or `dropout` is out of range.
        Mismatch: the input is neither of the two, or there are several inputs.
    """

    def __init__(self, spec: Spec, *, embedding: int, dropout: float, model_name: str) -> None:
        super().__init__()
        part = spec.inputs[0]
        self.tokens: nn.Embedding | None = None
        if len(spec.inputs) == 1 and isinstance(part, Classes) and len(part.shape) == 1:
            at_least(1, embedding=embedding)
            self.tokens = nn.Embedding(part.count, embedding)
            self.width = embedding
        elif len(spec.inputs) == 1 and isinstance(part, Real) and len(part.shape) == 2:
            self.width = part.width
        else:
            requirement = "one input (channel, time) or tokens (time)"
            raise Mismatch("mismatch", subject=model_name, requirement=requirement, got=spec)
        self.dropout = nn.Dropout(probability("model.embedding_dropout", dropout))

    def forward(self, x: Shaped[Tensor, "batch *channel time"]) -> Float[Tensor, "batch channel time"]:
        return x if self.tokens is None else self.dropout(self.tokens(x)).transpose(1, 2)


class OutputHead(nn.Module):
    """Linear output layer: at every step if the target has one value per step, otherwise at the last step.

    Args:
        width: input channels.
        spec: its target sets the number of units and whether there is one output per step.
        tied: embedding whose matrix is also the output matrix (Press & Wolf 2017, arXiv:1608.05859), of width `width`;
            None for a separate matrix.

    Raises:
        UsageError: the shapes of the tied embedding and of the output matrix differ.
        Mismatch: the target has more than one axis of positions.
    """

    def __init__(self, width: int, spec: Spec, *, tied: nn.Embedding | None = None) -> None:
        super().__init__()
        if len(spec.target.positions) > 1:
            requirement = "a target with one value per sequence or per step"
            raise Mismatch("mismatch", subject="a sequence model", requirement=requirement, got=spec)
        self.per_step = spec.per_step
        self.linear = nn.Linear(width, spec.target.width)
        if tied is not None:
            if tied.weight.shape != self.linear.weight.shape:
                raise UsageError(
                    "requires",
                    key="model.tied=true",
                    requirement=f"an embedding of {spec.target.width} tokens x {width} "
                    f"(now {tied.num_embeddings} x {tied.embedding_dim})",
                    hint="set model.embedding to the width of the last layer",
                )
            self.linear.weight = tied.weight

    def forward(self, x: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch unit *time"]:
        if self.per_step:
            return self.linear(x.transpose(1, 2)).transpose(1, 2)
        return self.linear(x[..., -1])


def tied_embedding(front: InputStem, tied: bool) -> nn.Embedding | None:
    """Embedding of the stem to be shared with the output layer; None if `tied` is false.

    Initialized like an output matrix, U(-1/sqrt(width), 1/sqrt(width)): the N(0, 1) of an embedding would scale the
    initial logits by sqrt(width).

    Paper: Press & Wolf 2017, arXiv:1608.05859.

    Raises:
        UsageError: the input is not tokens.
    """
    if not tied:
        return None
    if front.tokens is None:
        raise UsageError(
            "requires", key="model.tied=true", requirement="tokens as input (real inputs have no embedding)"
        )
    bound = front.width**-0.5
    nn.init.uniform_(front.tokens.weight, -bound, bound)
    return front.tokens
