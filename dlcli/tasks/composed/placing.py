"""Place images on a larger canvas: at integer positions, or rotated, scaled and sheared."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def place(
    images: Float[Tensor, "batch channel side_h side_w"], corner: Int[Tensor, "batch 2"], height: int, width: int
) -> Float[Tensor, "batch channel height width"]:
    """Copy images onto black canvases; parts outside the canvas are cropped.

    Args:
        images: the images.
        corner: row and column of the top left pixel of each image; may be negative.
        height: height of the canvas.
        width: width of the canvas.
    """
    framed = F.pad(images, (1, 1, 1, 1))  # canvas pixels outside the image read this black border
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
    """Shear, scale and rotate images about their center on black canvases, with bilinear interpolation.

    With the identity transformation it equals `place` up to rounding.

    Args:
        images: square images.
        degrees: counterclockwise rotation.
        scale: scale factor; above 1 enlarges.
        shear: displacement of each row to the right of the row above, in pixels.
        corner: row and column of the top left pixel before the transformation.
        canvas: height and width of the canvas.
    """
    side = images.shape[-1]
    angle = degrees * (math.pi / 180)
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    # Inverse map from the canvas to the image: inverse rotation, then inverse shear. y points down.
    inverse = torch.stack((cosine - shear * sine, -sine - shear * cosine, sine, cosine), 1).view(-1, 2, 2)
    center = corner.flip(1) - (canvas - side) / 2  # (x, y) of the image center relative to the canvas center
    translation = -(inverse @ center[:, :, None]) * (2 / side)
    theta = torch.cat((inverse * (canvas / side), translation), 2)
    shape = [len(images), images.shape[1], canvas, canvas]
    return F.grid_sample(images, F.affine_grid(theta, shape, align_corners=False), align_corners=False)
