"""The projective warp: eight numbers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.warp.sampling import pixel_centers

_NEAREST = 1e-3  # to the horizon, where places go to infinity


class ProjectiveWarp(nn.Module):
    """Place (x, y) of the output is taken from (u / w, v / w) of the input, where (u, v, w) = H (x, y, 1).

    That is how a plane looks when it is seen askew. The last of the nine numbers of H is 1, as a factor of all nine
    changes nothing. Close to the horizon w keeps its sign and a distance of 0.001 from 0.

    Paper: Jaderberg et al. 2015, arXiv:1506.02025, section 3.2, which names it. Differs: nothing.

    Args:
        height, width: pixels of the output.
    """

    identity: Tensor
    places: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        flat = pixel_centers(height, width)
        self.register_buffer("identity", torch.eye(3).flatten()[:8], persistent=False)
        self.register_buffer("places", torch.cat((flat, torch.ones(height, width, 1)), -1), persistent=False)

    def forward(self, parameters: Float[Tensor, "batch 8"]) -> Float[Tensor, "batch height width 2"]:
        last = parameters.new_ones(len(parameters), 1)
        homogeneous = torch.einsum("hwj,bij->bhwi", self.places, torch.cat((parameters, last), 1).view(-1, 3, 3))
        return homogeneous[..., :2] / _away_from_zero(homogeneous[..., 2:])


def _away_from_zero(w: Tensor) -> Tensor:
    nearest = torch.where(w < 0, -_NEAREST, _NEAREST)
    return torch.where(w.abs() < _NEAREST, nearest, w)
