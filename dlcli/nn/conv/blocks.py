"""Building blocks of convolutional networks: convolutions, pooling, reductions, batch norms, classifier."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]
"""Factory of a normalization layer, called with the number of channels."""

NORMS: dict[str, Norm] = {"batch": nn.BatchNorm2d, "none": nn.Identity}
"""Normalization layers by the name that models take: batch norm (Ioffe & Szegedy 2015), or none."""


def running_batch_norm(channels: int) -> nn.Module:
    """Batch norm that evaluates with running averages, for a fixed architecture."""
    return nn.BatchNorm2d(channels)


def current_batch_norm(channels: int) -> nn.Module:
    """Batch norm with batch statistics, also in evaluation: running averages would mix child networks."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


def non_affine_batch_norm(channels: int) -> nn.Module:
    """`current_batch_norm` without scale and offset: a learned scale would undo the weights of a mixture."""
    return nn.BatchNorm2d(channels, affine=False, track_running_stats=False)


def pointwise(inputs: int, width: int, norm: Norm) -> list[nn.Module]:
    """1x1 convolution and normalization."""
    return [nn.Conv2d(inputs, width, 1, bias=False), norm(width)]


def convolution(width: int, size: int, norm: Norm) -> list[nn.Module]:
    """Convolution that preserves width and size, and normalization."""
    return [nn.Conv2d(width, width, size, padding=size // 2, bias=False), norm(width)]


def separable(width: int, size: int, norm: Norm) -> list[nn.Module]:
    """Depthwise-separable convolution: depthwise, 1x1, one normalization."""
    depthwise = nn.Conv2d(width, width, size, padding=size // 2, groups=width, bias=False)
    return [depthwise, *pointwise(width, width, norm)]


def average_pooling() -> nn.Module:
    """3x3 average pooling, stride 1; padding is not counted."""
    return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)


def max_pooling() -> nn.Module:
    """3x3 max pooling, stride 1."""
    return nn.MaxPool2d(3, 1, padding=1)


class FactorizedReduction(nn.Module):
    """Factorized reduction to half the height and width: two 1x1 convolutions of stride 2, one shifted by a pixel.

    Each convolution produces half of the channels, so that no pixel is discarded. As in the published code of Pham et
    al. 2018, arXiv:1802.03268.

    Args:
        inputs: input channels.
        width: output channels, at least 2.
        norm: factory of the normalization of the result.
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
    """Number of layers before each reduction: segments of equal length, the last one longer if there is a remainder."""
    segment = layers // (reductions + 1)
    return tuple(segment * number for number in range(1, reductions + 1))


def pooled_classifier(width: int, units: int, dropout: float) -> nn.Module:
    """Global average pooling, dropout and a linear layer."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(width, units))
