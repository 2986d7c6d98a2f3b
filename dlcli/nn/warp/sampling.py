"""Sampling grids and bilinear sampling.

Coordinates run from -1 to 1 between the edges of an image, so that the center of pixel i of n is (2 i + 1) / n - 1
(`align_corners=False`). Grid and sampler must use the same convention: otherwise the identity would change the image.
"""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Warp(Protocol):
    """Map from parameters to a sampling grid: the position in the input from which each output pixel is sampled.

    Constructed with height and width of the output; `identity` [parameter] are the parameters of the identity.
    """

    identity: Tensor

    def __call__(self, parameters: Float[Tensor, "batch parameter"]) -> Float[Tensor, "batch height width 2"]:
        """Sampling grid: positions (x, y) in the input."""


def pixel_centers(height: int, width: int) -> Float[Tensor, "height width 2"]:
    """Coordinates (x, y) of the pixel centers."""
    y, x = (torch.arange(1, 2 * pixels, 2) / pixels - 1 for pixels in (height, width))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def sample_bilinear(
    images: Float[Tensor, "batch channel rows columns"], grid: Float[Tensor, "batch height width 2"]
) -> Float[Tensor, "batch channel height width"]:
    """Bilinear interpolation between the four nearest pixels; zero outside the image."""
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
