"""Variational dropout: masks shared by all steps of a sequence, or by all occurrences of a word."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.nn.checks import probability
from dlcli.nn.stochastic.dropout import dropout_mask


class VariationalDropout(nn.Module):
    """Dropout masks that all steps of a sequence share.

    Paper: Gal & Ghahramani 2016, arXiv:1512.05287, section 4.

    Args:
        name: of the hyper-parameter, for error messages.
        rate: probability in [0, 1) that a channel of a sequence is zeroed.
    """

    def __init__(self, name: str, rate: float) -> None:
        super().__init__()
        self.rate = probability(f"model.{name}", rate)

    def forward(self, like: Float[Tensor, "batch channel"]) -> Float[Tensor, "batch channel"] | None:
        """Mask with values 0 and 1 / (1 - rate); None in evaluation or at rate 0."""
        if not self.training or self.rate == 0:
            return None
        return dropout_mask(like, like.shape, self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class WordDropout(nn.Module):
    """Word dropout: all occurrences of a vocabulary entry in the batch are zeroed together.

    Paper: Gal & Ghahramani 2016, arXiv:1512.05287, section 4.2.

    Args:
        rate: probability in [0, 1) that a word is zeroed.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = probability("model.word_dropout", rate)

    def forward(self, tokens: Int[Tensor, "batch time"], like: nn.Embedding) -> Float[Tensor, "batch time"] | None:
        """Mask with values 0 and 1 / (1 - rate) per token; None in evaluation or at rate 0."""
        if not self.training or self.rate == 0:
            return None
        return dropout_mask(like.weight, (like.num_embeddings,), self.rate)[tokens]

    def extra_repr(self) -> str:
        return f"rate={self.rate}"
