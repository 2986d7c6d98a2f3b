"""Many small images as one picture."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_GAP = 0.5  # grey


def make_grid(
    images: Float[Tensor, "n channel height width"], *, columns: int, scale: int
) -> Float[Tensor, "rows_high columns_wide 3"]:
    """Images row by row, one pixel of grey between them and around; values are cut to [0, 1].

    Args:
        images: with one channel (grey) or three (colour).
        columns: images in a row; places of the last row that are left over are grey.
        scale: pixels a side that each of theirs becomes.
    """
    sharp = images.clamp(0, 1).repeat_interleave(scale, 2).repeat_interleave(scale, 3).expand(-1, 3, -1, -1)
    framed = F.pad(sharp, (0, 1, 0, 1), value=_GAP)
    whole = F.pad(framed, (0, 0, 0, 0, 0, 0, 0, -len(framed) % columns), value=_GAP)
    _, _, height, width = whole.shape
    grid = whole.view(-1, columns, 3, height, width).permute(0, 3, 1, 4, 2).reshape(-1, columns * width, 3)
    return F.pad(grid, (0, 0, 1, 0, 1, 0), value=_GAP)
