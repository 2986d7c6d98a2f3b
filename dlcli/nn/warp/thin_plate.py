"""The thin-plate spline: a grid of points that may each go somewhere else."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.nn.warp.sampling import pixel_centers


class ThinPlateSplineWarp(nn.Module):
    """Each point of a grid on the output is taken from a place of its own; between them it bends as little as can be.

    Each coordinate of the input is a x + b y + c + sum_i w_i U(distance to point i), U(r) = r^2 log r^2, with the sums
    of w_i, w_i x_i and w_i y_i 0: the least bent of all surfaces through the points. The points on the output are
    fixed, so that their system is inverted once, and a warp is one product with a matrix.

    Paper: Bookstein 1989, "Principal warps"; as the third warp in Jaderberg et al. 2015, arXiv:1506.02025, section 3.2.
    Differs: the points lie from edge to edge.

    Args:
        height, width: pixels of the output.
        points: of the grid, a side; at least 2.

    Raises:
        UsageError: `points` is below 2.
    """

    identity: Tensor
    blend: Tensor

    def __init__(self, height: int, width: int, *, points: int) -> None:
        super().__init__()
        if points < 2:
            raise UsageError(f"a thin-plate spline has at least 2 points a side, not {points}")
        side = torch.linspace(-1, 1, points, dtype=torch.float64)
        controls = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).flatten(0, 1)
        flat = pixel_centers(height, width).double().flatten(0, 1)
        blend = torch.cat((_bending(flat, controls), _plane(flat)), 1) @ _solution(controls)
        self.register_buffer("identity", controls.float().flatten(), persistent=False)
        self.register_buffer("blend", blend.float().view(height, width, -1), persistent=False)

    def forward(self, parameters: Float[Tensor, "batch parameter"]) -> Float[Tensor, "batch height width 2"]:
        return torch.einsum("hwn,bni->bhwi", self.blend, parameters.unflatten(1, (-1, 2)))


def _bending(places: Float[Tensor, "n 2"], controls: Float[Tensor, "k 2"]) -> Float[Tensor, "n k"]:
    """U of every distance; 0 at a point itself."""
    squared = (places[:, None] - controls).square().sum(-1)
    return torch.xlogy(squared, squared)


def _plane(places: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
    return torch.cat((torch.ones_like(places[:, :1]), places), 1)


def _solution(controls: Float[Tensor, "k 2"]) -> Float[Tensor, "m k"]:
    """From where the points go to the k + 3 coefficients of the surface through them."""
    plane = _plane(controls)
    above = torch.cat((_bending(controls, controls), plane), 1)
    below = torch.cat((plane.T, plane.new_zeros(3, 3)), 1)
    return torch.linalg.inv(torch.cat((above, below)))[:, : len(controls)]
