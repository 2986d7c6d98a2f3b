"""Images on a larger canvas: at whole pixels, or turned, scaled and slanted."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def place(
    images: Float[Tensor, "batch channel side_h side_w"], corner: Int[Tensor, "batch 2"], height: int, width: int
) -> Float[Tensor, "batch channel height width"]:
    """Images on black canvases, unchanged; what lies outside of the canvas is cut off.

    Args:
        corner: row and column of the image's first pixel; may be negative.
    """
    framed = F.pad(images, (1, 1, 1, 1))  # whatever lies beyond the image reads its black frame
    rows, columns = (
        (torch.arange(length, device=corner.device) - corner[:, axis, None] + 1).clamp(0, framed.shape[axis - 2] - 1)
        for axis, length in enumerate((height, width))
    )
    pixel = (rows * framed.shape[-1])[:, None, :, None] + columns[:, None, None, :]
    whole = framed.flatten(2).gather(2, pixel.flatten(2).expand(-1, images.shape[1], -1))
    return whole.unflatten(2, (height, width))


def warp(
    images: Float[Tensor, "batch channel side side"],
    *,
    degrees: Float[Tensor, " batch"],
    scale: Float[Tensor, " batch"],
    shear: Float[Tensor, " batch"],
    corner: Int[Tensor, "batch 2"],
    canvas: int,
) -> Float[Tensor, "batch channel canvas canvas"]:
    """Images slanted, scaled and turned about their middle, on black canvases; bilinear.

    Without any of the three it is `place`, to rounding.

    Args:
        degrees: to turn by, counter-clockwise as one sees it.
        scale: larger than 1 makes larger.
        shear: columns that a row moves to the right against the one above it.
        corner: row and column of the first pixel of the image as it is, before it is warped.
    """
    side = images.shape[-1]
    angle = degrees * (math.pi / 180)
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    # From the canvas back to the image: turned back by the angle, then slanted back. Rows count downwards.
    back = torch.stack((cosine - shear * sine, -sine - shear * cosine, sine, cosine), 1).view(-1, 2, 2)
    middle = corner.flip(1) - (canvas - side) / 2  # (x, y) of the image's middle from that of the canvas
    moved = -(back @ middle[:, :, None]) * (2 / side)
    theta = torch.cat((back * (canvas / side), moved), 2)
    shape = [len(images), images.shape[1], canvas, canvas]
    return F.grid_sample(images, F.affine_grid(theta, shape, align_corners=False), align_corners=False)
