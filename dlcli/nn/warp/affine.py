"""The affine warp: six numbers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.warp.sampling import pixel_centers


class AffineWarp(nn.Module):
    """Place (x, y) of the output is taken from A (x, y, 1) of the input: turns, scales, shears, shifts, crops.

    Paper: Jaderberg et al. 2015, arXiv:1506.02025, section 3.2, equation 1. Differs: nothing.

    Args:
        height, width: pixels of the output.
    """

    identity: Tensor
    places: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        flat = pixel_centers(height, width)
        self.register_buffer("identity", torch.eye(2, 3).flatten(), persistent=False)
        self.register_buffer("places", torch.cat((flat, torch.ones(height, width, 1)), -1), persistent=False)

    def forward(self, parameters: Float[Tensor, "batch 6"]) -> Float[Tensor, "batch height width 2"]:
        return torch.einsum("hwj,bij->bhwi", self.places, parameters.view(-1, 2, 3))
