"""What a warp is before anything is learned."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class WarpInit(Protocol):
    """Sets the layer that answers with a warp's parameters, in place."""

    def __call__(self, layer: nn.Linear, identity: Tensor) -> None: ...


class IdentityWarpInit:
    """Every image as it is: the layer answers with the identity, whatever it reads."""

    @torch.no_grad()
    def __call__(self, layer: nn.Linear, identity: Tensor) -> None:
        layer.weight.zero_()
        layer.bias.copy_(identity)


class DefaultWarpInit:
    """As PyTorch draws the layer, around 0: an affine warp then looks at little more than the middle of the image."""

    def __call__(self, layer: nn.Linear, identity: Tensor) -> None:
        pass
