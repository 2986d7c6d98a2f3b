"""Initialization of the layer that regresses the parameters of a warp."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


@torch.no_grad()
def identity(layer: nn.Linear, identity: Tensor) -> None:
    """Identity warp for every input: weights 0, bias `identity`."""
    layer.weight.zero_()
    layer.bias.copy_(identity)


def random(layer: nn.Linear, identity: Tensor) -> None:
    """PyTorch's default, around 0: an affine warp then samples little more than the center of the image."""


WARP_INITS: dict[str, Callable[[nn.Linear, Tensor], None]] = {"identity": identity, "random": random}
"""Initializations by the name that models take."""
