"""Dropout variants, which differ in the values that share one random draw."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError


class Dropout(nn.Module, ABC):
    """Zero values in training and rescale the others by 1 / (1 - rate); the identity in evaluation.

    Without parameters or state, so that one instance can be used at several places. Draws are independent per sample.

    Paper: Srivastava et al. 2014, Journal of Machine Learning Research 15. Differs: rescaled in training instead of
    evaluation (inverted dropout).

    Args:
        rate: probability in [0, 1] that a value is zeroed.

    Raises:
        UsageError: `rate` is not in [0, 1].
    """

    def __init__(self, *, rate: float) -> None:
        super().__init__()
        self.rate = check_rate(rate)

    @abstractmethod
    def mask_shape(self, x: Tensor) -> Sequence[int]:
        """Shape of the mask: that of x, with length 1 on axes that share a draw."""

    def forward(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch *shape"]:
        if not self.training or self.rate == 0:
            return x
        return x * dropout_mask(x, self.mask_shape(x), self.rate)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class ElementDropout(Dropout):
    """Independent draw for every value."""

    def mask_shape(self, x: Tensor) -> Sequence[int]:
        return x.shape


class ChannelDropout(Dropout):
    """One draw per channel of a sample (batch, channel, *positions), since neighboring values are correlated.

    Paper: Tompson et al. 2015, arXiv:1411.4280, section 3.2 (SpatialDropout).
    """

    def mask_shape(self, x: Tensor) -> Sequence[int]:
        return (*x.shape[:2], *[1] * (x.dim() - 2))


class TimeDropout(Dropout):
    """Variational dropout: one mask for all steps of (batch, channel, *positions, time).

    Equal to `ChannelDropout` for (batch, channel, time), but not for videos (batch, channel, height, width, time).

    Paper: Gal & Ghahramani 2016, arXiv:1512.05287, section 4.
    """

    def mask_shape(self, x: Tensor) -> Sequence[int]:
        return (*x.shape[:-1], 1) if x.dim() > 2 else x.shape


class DropPath(Dropout):
    """Drop the residual branch of a sample, so that the block reduces to its shortcut (stochastic depth).

    Paper: Huang et al. 2016, arXiv:1603.09382. Differs: drawn per sample instead of per batch, and rescaled in
        training.
    """

    def mask_shape(self, x: Tensor) -> Sequence[int]:
        return (len(x), *[1] * (x.dim() - 1))


class ResidualBranch(nn.Sequential):
    """Layers of a residual branch, to which `DropPath` can be applied in any model (see `select_modules`)."""


def dropout_mask(like: Tensor, shape: Sequence[int], rate: float) -> Tensor:
    """Mask with value 0 with probability `rate` and 1 / (1 - rate) otherwise; all 0 at a rate of 1."""
    if rate == 1:
        return like.new_zeros(shape)
    keep = torch.rand(shape, device=like.device) >= rate  # on a CPU three times as fast as bernoulli_
    return keep.to(like.dtype).div_(1 - rate)


def check_rate(rate: float) -> float:
    """Return the rate if it lies in [0, 1].

    Raises:
        UsageError: the rate is out of range.
    """
    if not 0 <= rate <= 1:
        raise UsageError("invalid_value", key="dropout.rate", must="in [0, 1]", got=rate)
    return rate
