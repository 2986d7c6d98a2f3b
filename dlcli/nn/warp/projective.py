"""Projective warp (homography)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.warp.sampling import pixel_centers

_MIN_DISTANCE = 1e-3  # of w from 0, where positions tend to infinity


class ProjectiveWarp(nn.Module):
    """Projective warp with eight parameters: (x, y) samples (u / w, v / w), where (u, v, w) = H (x, y, 1).

    The ninth entry of H is 1, since H is defined up to a factor. Near the horizon |w| is clamped to 0.001 and keeps its
    sign.

    Paper: Jaderberg et al. 2015, arXiv:1506.02025, section 3.2 (mentioned there). Differs: nothing.

    Args:
        height, width: output size in pixels.
    """

    identity: Tensor
    grid: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        flat = pixel_centers(height, width)
        self.register_buffer("identity", torch.eye(3).flatten()[:8], persistent=False)
        self.register_buffer("grid", torch.cat((flat, torch.ones(height, width, 1)), -1), persistent=False)

    def forward(self, parameters: Float[Tensor, "batch 8"]) -> Float[Tensor, "batch height width 2"]:
        last = parameters.new_ones(len(parameters), 1)
        homogeneous = torch.einsum("hwj,bij->bhwi", self.grid, torch.cat((parameters, last), 1).view(-1, 3, 3))
        return homogeneous[..., :2] / _away_from_zero(homogeneous[..., 2:])


def _away_from_zero(w: Tensor) -> Tensor:
    clamped = torch.where(w < 0, -_MIN_DISTANCE, _MIN_DISTANCE)
    return torch.where(w.abs() < _MIN_DISTANCE, clamped, w)
