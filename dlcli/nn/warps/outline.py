"""Pictures of where a warp looks."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_TOP, _OTHERS = (1.0, 0.6, 0.1), (0.2, 0.6, 1.0)  # orange is the side that becomes the upper one


def to_rgb(images: Float[Tensor, "n channel height width"], scale: int) -> Float[Tensor, "n 3 rows line"]:
    """Red, green and blue, each pixel `scale` pixels a side; the mean where there are not three channels."""
    if images.shape[1] != 3:
        images = images.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return images.clamp(0, 1).repeat_interleave(scale, 2).repeat_interleave(scale, 3)


def draw_outline(
    images: Float[Tensor, "n channel rows columns"], places: Float[Tensor, "n height width 2"], *, scale: int
) -> Float[Tensor, "n 3 large_rows large_columns"]:
    """Enlarged images, and on them the outline of what is taken: orange along its first row, blue along the others."""
    large = to_rgb(images, scale)
    sides = ((places[:, -1], _OTHERS), (places[:, :, 0], _OTHERS), (places[:, :, -1], _OTHERS), (places[:, 0], _TOP))
    for line, colour in sides:
        _draw(large, line, large.new_tensor(colour))
    return large


def _draw(large: Float[Tensor, "n 3 rows columns"], line: Float[Tensor, "n point 2"], colour: Tensor) -> None:
    """The line through the points, in place; what lies outside of the picture is left out."""
    _, _, rows, columns = large.shape
    size = large.new_tensor([columns, rows])
    dense = F.interpolate(line.mT, size=4 * max(rows, columns), mode="linear", align_corners=True)
    pixels = ((dense.mT + 1) / 2 * size).floor()
    inside = ((pixels >= 0) & (pixels < size)).all(-1)
    image = torch.arange(len(large), device=large.device)[:, None].expand_as(inside)
    column, row = pixels[inside].long().unbind(-1)
    large[image[inside], :, row, column] = colour
