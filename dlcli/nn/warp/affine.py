"""Affine warp."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.warp.sampling import pixel_centers


class AffineWarp(nn.Module):
    """Affine warp with six parameters: output position (x, y) samples the input at A (x, y, 1).

    Paper: Jaderberg et al. 2015, arXiv:1506.02025, section 3.2, equation 1. Differs: nothing.

    Args:
        height, width: output size in pixels.
    """

    identity: Tensor
    grid: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        flat = pixel_centers(height, width)
        self.register_buffer("identity", torch.eye(2, 3).flatten(), persistent=False)
        self.register_buffer("grid", torch.cat((flat, torch.ones(height, width, 1)), -1), persistent=False)

    def forward(self, parameters: Float[Tensor, "batch 6"]) -> Float[Tensor, "batch height width 2"]:
        return torch.einsum("hwj,bij->bhwi", self.grid, parameters.view(-1, 2, 3))
