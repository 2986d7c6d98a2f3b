"""Dropout whose mask is drawn once for a whole sequence, or for a whole batch."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.nn.stochastic.dropout import dropout_mask
from dlcli.nn.checks import probability


class VariationalDropout(nn.Module):
    """Dropout masks that every step of a sequence shares.

    Paper: Gal & Ghahramani 2016, arXiv:1512.05287, section 4.

    Args:
        name: of the option, for messages.
        rate: probability in [0, 1) that a channel of a sequence is zeroed.
    """

    def __init__(self, name: str, rate: float) -> None:
        super().__init__()
        self.rate = probability(f"model.{name}", rate)

    def forward(self, like: Float[Tensor, "batch channel"]) -> Float[Tensor, "batch channel"] | None:
        """0 or 1 / (1 - rate); None where nothing is dropped."""
        if not self.training or self.rate == 0:
            return None
        return dropout_mask(like, like.shape, self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class WordDropout(nn.Module):
    """Dropout of words: a word of the vocabulary is zeroed wherever it stands in the batch.

    Paper: Gal & Ghahramani 2016, arXiv:1512.05287, section 4.2.

    Args:
        rate: probability in [0, 1) of a word.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = probability("model.word_dropout", rate)

    def forward(self, tokens: Int[Tensor, "batch time"], like: nn.Embedding) -> Float[Tensor, "batch time"] | None:
        """0 or 1 / (1 - rate) by token; None where nothing is dropped."""
        if not self.training or self.rate == 0:
            return None
        return dropout_mask(like.weight, (like.num_embeddings,), self.rate)[tokens]

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
