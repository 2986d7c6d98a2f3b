"""How a sequence enters a network and how its answer leaves."""

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec


class InputStem(nn.Module):
    """Inputs as (batch, channel, time): real channels as they are, tokens through an embedding.

    Args:
        spec: one input, Real (channel, time) or Classes (time,).
        embedding: width of a token's vector; not used for real inputs.
        dropout: probability that a component of an embedded token is zeroed.
        model_name: name of the model, for messages.

    Raises:
        Mismatch: the input is neither of the two, or there are several.
    """

    def __init__(self, spec: Spec, *, embedding: int, dropout: float, model_name: str) -> None:
        super().__init__()
        if len(spec.inputs) != 1:
            raise Mismatch(f"{model_name} reads one input, not {len(spec.inputs)}")
        (part,) = spec.inputs
        self.tokens: nn.Embedding | None = None
        if isinstance(part, Classes) and len(part.shape) == 1:
            if embedding < 1:
                raise UsageError(f"model.embedding is at least 1, not {embedding}")
            self.tokens = nn.Embedding(part.count, embedding)
            self.width = embedding
        elif isinstance(part, Real) and len(part.shape) == 2:
            self.width = part.width
        else:
            raise Mismatch(f"{model_name} reads (channel, time) or tokens (time), not {spec.describe()}")
        self.dropout = nn.Dropout(probability("model.embedding_dropout", dropout))

    def forward(self, x: Shaped[Tensor, "batch *channel time"]) -> Float[Tensor, "batch channel time"]:
        return x if self.tokens is None else self.dropout(self.tokens(x)).transpose(1, 2)


class OutputHead(nn.Module):
    """The answer from a network's channels: at every step when the target has one a step, else at the last step.

    Args:
        width: channels that come in.
        spec: whose target decides the units and whether there is an answer a step.
        tied: an embedding whose matrix is also the output matrix (Press & Wolf 2017, arXiv:1608.05859); its vectors
            are `width` long. None has a matrix of its own.

    Raises:
        UsageError: the tied embedding has another width, or other tokens than the target.
        Mismatch: the target has more positions than steps.
    """

    def __init__(self, width: int, spec: Spec, *, tied: nn.Embedding | None = None) -> None:
        super().__init__()
        if len(spec.target.positions) > 1:
            raise Mismatch(f"a sequence model answers once a sequence or once a step, not {spec.describe()}")
        self.per_step = spec.per_step
        self.linear = nn.Linear(width, spec.target.width)
        if tied is not None:
            if tied.weight.shape != self.linear.weight.shape:
                raise UsageError(
                    f"tied weights need an embedding of {spec.target.width} tokens x {width}, "
                    f"not {tied.num_embeddings} x {tied.embedding_dim}"
                )
            self.linear.weight = tied.weight

    def forward(self, x: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch unit *time"]:
        if self.per_step:
            return self.linear(x.transpose(1, 2)).transpose(1, 2)
        return self.linear(x[..., -1])


def probability(name: str, value: float) -> float:
    """The value when it is in [0, 1).

    Raises:
        UsageError: it is not.
    """
    if not 0 <= value < 1:
        raise UsageError(f"{name} is in [0, 1), not {value}")
    return value


def at_least(least: int, **numbers: int) -> None:
    """Check whole numbers against a lower bound.

    Raises:
        UsageError: one is below it.
    """
    for name, number in numbers.items():
        if number < least:
            raise UsageError(f"model.{name} is at least {least}, not {number}")
