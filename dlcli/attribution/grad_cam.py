"""Grad-CAM: where the channels are active that speak for a class."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def grad_cam(
    value: Float[Tensor, "batch channel *places"], gradient: Float[Tensor, "batch channel *places"]
) -> Float[Tensor, "batch *places"]:
    """The positive part of the map's channels, each weighted with its mean gradient.

    Paper: Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2.
    """
    weight = gradient.flatten(2).mean(2).view(*gradient.shape[:2], *[1] * (gradient.dim() - 2))
    return (weight * value).sum(1).relu()


def upsample(heat: Float[Tensor, "batch *places"], size: tuple[int, ...]) -> Float[Tensor, "batch *larger"]:
    """The map in the size of what went in, linear between the middles of its places."""
    return F.interpolate(heat[:, None], size, mode=_MODES[len(size)], align_corners=False)[:, 0]
