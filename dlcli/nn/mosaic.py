"""Many small images as one picture."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_GREY = 0.5


def tile(images: Float[Tensor, "n channel height width"], *, columns: int, scale: int) -> Float[Tensor, "rows line 3"]:
    """Images row by row, each pixel `scale` pixels a side, with one pixel of grey between and around them.

    Three channels are red, green and blue; of any other number the mean is shown. Values are cut to [0, 1].
    """
    large = coloured(images, scale)
    missing = large.new_full((-len(large) % columns, *large.shape[1:]), _GREY)
    framed = F.pad(torch.cat((large, missing)), (1, 0, 1, 0), value=_GREY)
    rows = framed.unflatten(0, (-1, columns)).permute(0, 3, 1, 4, 2)
    return F.pad(rows.flatten(2, 3).flatten(0, 1), (0, 0, 0, 1, 0, 1), value=_GREY)


def coloured(images: Float[Tensor, "n channel height width"], scale: int) -> Float[Tensor, "n 3 rows line"]:
    """Red, green and blue of images, each pixel `scale` pixels a side."""
    if images.shape[1] != 3:
        images = images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return images.clamp(0, 1).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
