"""Places in an image, and what lies there: the one file that knows how places are counted.

Both sides of an image are 2 long, from -1 at one edge to 1 at the other, so the centre of pixel i of n lies at
(2 i + 1) / n - 1: what `align_corners=False` means. Were the places counted otherwise than the sampler counts them, the
identity would already change the image.
"""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Warp(Protocol):
    """Where in the input every pixel of the output is taken from: output coordinates to input coordinates.

    It is made of the height and width of the output. `identity` [parameter] are the numbers that change nothing.
    """

    identity: Tensor

    def __call__(self, parameters: Float[Tensor, "batch parameter"]) -> Float[Tensor, "batch height width 2"]:
        """Places (x, y) in the input."""


def pixel_centers(height: int, width: int) -> Float[Tensor, "height width 2"]:
    """Places (x, y) of the pixels' centres."""
    y, x = (torch.arange(1, 2 * pixels, 2) / pixels - 1 for pixels in (height, width))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def sample_bilinear(
    images: Float[Tensor, "batch channel rows columns"], places: Float[Tensor, "batch height width 2"]
) -> Float[Tensor, "batch channel height width"]:
    """Bilinear between the four nearest pixels; all is 0 outside of the image."""
    return F.grid_sample(images, places, mode="bilinear", padding_mode="zeros", align_corners=False)
