"""Thin-plate spline warp."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.nn.warp.sampling import pixel_centers


class ThinPlateSplineWarp(nn.Module):
    """Thin-plate spline warp: each control point of a regular grid is mapped to a position given by the parameters.

    Each input coordinate is a x + b y + c + sum_i w_i U(distance to point i), U(r) = r^2 log r^2, with the sums of w_i,
    w_i x_i and w_i y_i equal to 0: the interpolating surface of least bending energy. The control points are fixed, so
        the
    linear system is inverted once and a warp is one matrix product.

    Paper: Bookstein 1989, "Principal warps"; third warp of Jaderberg et al. 2015, arXiv:1506.02025, section 3.2.
        Differs:
    the control points extend from edge to edge.

    Args:
        height, width: output size in pixels.
        points: control points a side, at least 2.

    Raises:
        UsageError: `points` is smaller than 2.
    """

    identity: Tensor
    blend: Tensor

    def __init__(self, height: int, width: int, *, points: int) -> None:
        super().__init__()
        if points < 2:
            raise UsageError("invalid_value", key="warp.points", must="at least 2", got=points)
        side = torch.linspace(-1, 1, points, dtype=torch.float64)
        controls = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).flatten(0, 1)
        flat = pixel_centers(height, width).double().flatten(0, 1)
        blend = torch.cat((_bending(flat, controls), _plane(flat)), 1) @ _solution(controls)
        self.register_buffer("identity", controls.float().flatten(), persistent=False)
        self.register_buffer("blend", blend.float().view(height, width, -1), persistent=False)

    def forward(self, parameters: Float[Tensor, "batch parameter"]) -> Float[Tensor, "batch height width 2"]:
        return torch.einsum("hwn,bni->bhwi", self.blend, parameters.unflatten(1, (-1, 2)))


def _bending(positions: Float[Tensor, "n 2"], controls: Float[Tensor, "k 2"]) -> Float[Tensor, "n k"]:
    """U of all pairwise distances; 0 at distance 0."""
    squared = (positions[:, None] - controls).square().sum(-1)
    return torch.xlogy(squared, squared)


def _plane(positions: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
    return torch.cat((torch.ones_like(positions[:, :1]), positions), 1)


def _solution(controls: Float[Tensor, "k 2"]) -> Float[Tensor, "m k"]:
    """Matrix from control-point positions to the k + 3 coefficients of the interpolating surface."""
    plane = _plane(controls)
    above = torch.cat((_bending(controls, controls), plane), 1)
    below = torch.cat((plane.T, plane.new_zeros(3, 3)), 1)
    return torch.linalg.inv(torch.cat((above, below)))[:, : len(controls)]
