"""Dropout in its forms: which values of a signal are zeroed by one draw."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError


class Dropout(nn.Module, ABC):
    """Zeroes values while training and scales up the others, so that the mean stays; the identity when scoring.

    It has no parameters and remembers nothing, so one instance serves at any number of places. Every sample of a batch
    has draws of its own.

    Paper: Srivastava et al. 2014, Journal of Machine Learning Research 15. Differs: scaled while training instead of
    when scoring.

    Args:
        rate: probability in [0, 1] that a value is zeroed, not that it is kept.

    Raises:
        UsageError: the rate is no probability.
    """

    def __init__(self, *, rate: float) -> None:
        super().__init__()
        self.rate = check_rate(rate)

    @abstractmethod
    def draws(self, x: Tensor) -> Sequence[int]:
        """The shape of the draws: x's, with length 1 where one draw is for all."""

    def forward(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        if not self.training or self.rate == 0:
            return x
        return x * dropout_mask(x, self.draws(x), self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class ElementDropout(Dropout):
    """Every value by itself."""

    def draws(self, x: Tensor) -> Sequence[int]:
        return x.shape


class ChannelDropout(Dropout):
    """A channel of a sample as a whole, (batch, channel, *positions): neighbours tell what an element would hide.

    Paper: Tompson et al. 2015, arXiv:1411.4280, section 3.2.
    """

    def draws(self, x: Tensor) -> Sequence[int]:
        return (*x.shape[:2], *[1] * (x.dim() - 2))


class TimeDropout(Dropout):
    """One mask for all steps, (batch, channel, *positions, time): variational dropout.

    Of (batch, channel, time) it is `ChannelDropout`, of a film (batch, channel, height, width, time) it is not.

    Paper: Gal & Ghahramani 2016, arXiv:1512.05287, section 4.
    """

    def draws(self, x: Tensor) -> Sequence[int]:
        return (*x.shape[:-1], 1) if x.dim() > 2 else x.shape


class DropPath(Dropout):
    """A sample as a whole: what a residual branch adds, so that the block is its shortcut for that sample.

    Paper: Huang et al. 2016, arXiv:1603.09382 (stochastic depth). Differs: drawn by sample, not by batch, and scaled
    while training.
    """

    def draws(self, x: Tensor) -> Sequence[int]:
        return (len(x), *[1] * (x.dim() - 1))


def dropout_mask(like: Tensor, shape: Sequence[int], rate: float) -> Tensor:
    """0 with probability `rate`, else 1 / (1 - rate); all 0 at a rate of 1."""
    if rate == 1:
        return like.new_zeros(shape)
    drawn = torch.rand(shape, device=like.device) >= rate  # on a CPU three times as fast as bernoulli_
    return drawn.to(like.dtype).div_(1 - rate)


def check_rate(rate: float) -> float:
    """The rate when it is in [0, 1].

    Raises:
        UsageError: it is not.
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"rate of a dropout is in [0, 1], not {rate}")
    return rate
