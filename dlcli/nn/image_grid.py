"""Grid of images, as in `torchvision.utils.make_grid`."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_GRAY = 0.5  # of borders and of unused cells


def make_grid(
    images: Float[Tensor, "n channel height width"], *, columns: int, scale: int
) -> Float[Tensor, "grid_height grid_width 3"]:
    """Arrange images row by row with a gray border of one pixel; values are clamped to [0, 1].

    Args:
        images: one channel (gray) or three (RGB).
        columns: images per row; unused cells of the last row are gray.
        scale: integer magnification of each pixel.
    """
    enlarged = images.clamp(0, 1).repeat_interleave(scale, 2).repeat_interleave(scale, 3).expand(-1, 3, -1, -1)
    bordered = F.pad(enlarged, (0, 1, 0, 1), value=_GRAY)
    cells = F.pad(bordered, (0, 0, 0, 0, 0, 0, 0, -len(bordered) % columns), value=_GRAY)
    _, _, height, width = cells.shape
    grid = cells.view(-1, columns, 3, height, width).permute(0, 3, 1, 4, 2).reshape(-1, columns * width, 3)
    return F.pad(grid, (0, 0, 1, 0, 1, 0), value=_GRAY)
