"""What convolutional architectures are put together from: branches, reductions, batch norms."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]
"""Makes the normalisation of so many channels."""


def running_batch_norm(channels: int) -> nn.Module:
    """Batch norm that scores with running averages: for a network that stays the same."""
    return nn.BatchNorm2d(channels)


def current_batch_norm(channels: int) -> nn.Module:
    """Batch norm with the batch's own statistics, also when scoring: averages over many networks fit none of them."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def non_affine_batch_norm(channels: int) -> nn.Module:
    """As `current_batch_norm`, with nothing to learn: a scale would undo the weights of a mixture."""
    return nn.BatchNorm2d(channels, affine=False, track_running_stats=False)


def pointwise(inputs: int, width: int, norm: Norm) -> list[nn.Module]:
    """A 1x1 convolution and its norm."""
    return [nn.Conv2d(inputs, width, 1, bias=False), norm(width)]


def convolution(width: int, size: int, norm: Norm) -> list[nn.Module]:
    """A convolution that keeps width and size, and its norm."""
    return [nn.Conv2d(width, width, size, padding=size // 2, bias=False), norm(width)]


def separable(width: int, size: int, norm: Norm) -> list[nn.Module]:
    """A filter a channel, then a 1x1 convolution, and one norm."""
    depthwise = nn.Conv2d(width, width, size, padding=size // 2, groups=width, bias=False)
    return [depthwise, *pointwise(width, width, norm)]


def average_pooling() -> nn.Module:
    """3x3, one apart; what lies outside of the image does not count."""
    return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)


def max_pooling() -> nn.Module:
    """3x3, one apart."""
    return nn.MaxPool2d(3, 1, padding=1)


class FactorizedReduction(nn.Module):
    """Half the height and width: every second pixel, and those between, each to half of the channels.

    As in Pham et al. 2018, arXiv:1802.03268 (their published code): no pixel is dropped as a whole.

    Args:
        inputs: channels that come in.
        width: channels that go out, at least 2.
        norm: of the result.
    """

    def __init__(self, inputs: int, width: int, norm: Norm) -> None:
        super().__init__()
        self.even = nn.Conv2d(inputs, width // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, width - width // 2, 1, stride=2, bias=False)
        self.norm = norm(width)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit half_h half_w"]:
        shifted = F.pad(x, (0, 1, 0, 1))[..., 1:, 1:]
        return self.norm(torch.cat((self.even(x), self.odd(shifted)), 1))


def reduction_positions(layers: int, reductions: int) -> tuple[int, ...]:
    """How many layers come before each reduction: parts of equal length, the last one longer if it must."""
    apart = layers // (reductions + 1)
    return tuple(apart * number for number in range(1, reductions + 1))


def pooled_classifier(width: int, units: int, dropout: float) -> nn.Module:
    """The mean over all places, noise, and scores."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(width, units))
