"""Initialization of the layer that regresses the parameters of a warp."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class WarpInit(Protocol):
    """Initialize the regression layer of a warp in place."""

    def __call__(self, layer: nn.Linear, identity: Tensor) -> None: ...


class IdentityWarpInit:
    """Identity warp for every input: weights 0, bias `identity`."""

    @torch.no_grad()
    def __call__(self, layer: nn.Linear, identity: Tensor) -> None:
        layer.weight.zero_()
        layer.bias.copy_(identity)


class DefaultWarpInit:
    """PyTorch's default, around 0: an affine warp then samples little more than the center of the image."""

    def __call__(self, layer: nn.Linear, identity: Tensor) -> None:
        pass
