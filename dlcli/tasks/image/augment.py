"""Data augmentation: random transformations of a batch of training images on its device, new in every epoch.

The random numbers of an image are a function of the key (order, epoch) and of its sample number, so that they depend
neither on its batch nor on interruptions. Images are in storage format, with 0 for black.
"""

import math
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.rng import integers, uniform

ImageBatch = Shaped[Tensor, "batch channel height width"]
SampleNumbers = Int[Tensor, " batch"]


@runtime_checkable
class Augment(Protocol):
    """Random transformation that preserves the class."""

    def __call__(self, images: ImageBatch, index: SampleNumbers, *key: int) -> ImageBatch:
        """Transform images.

        Args:
            images: a batch in storage format.
            index: number of each sample in its split, which seeds its random numbers.
            key: order and epoch.
        """


class Unchanged:
    """Identity transformation."""

    def __call__(self, images: ImageBatch, index: SampleNumbers, *key: int) -> ImageBatch:
        return images


class Shift:
    """Translate images by a whole number of pixels in both directions, with black padding.

    Equivalent to zero padding followed by a random crop of the original size.

    Args:
        pixels: maximum displacement in either direction, below the side length; uniformly distributed.
    """

    def __init__(self, *, pixels: int) -> None:
        if pixels < 0:
            raise UsageError("invalid_value", key="task.augment.pixels", must="at least 0", got=pixels)
        self.pixels = pixels

    def __call__(self, images: ImageBatch, index: SampleNumbers, *key: int) -> ImageBatch:
        if self.pixels >= (side := min(images.shape[-2:])):
            must = f"below the side length of the images ({side})"
            raise UsageError("invalid_value", key="task.augment.pixels", must=must, got=self.pixels)
        down, right = integers(index, 2, 2 * self.pixels + 1, *key).unbind(1)
        return shift_images(images, down - self.pixels, right - self.pixels, self.pixels)


def shift_images(images: ImageBatch, down: SampleNumbers, right: SampleNumbers, limit: int) -> ImageBatch:
    """Translate each image by its own displacement in pixels, from -limit to limit, with zero padding.

    Copies each image once: `windows` views the memory of the padded batch at every offset as an image, and
    `index_select` takes the window that starts at the displaced origin of each image.
    """
    padded = F.pad(images, (limit, limit, limit, limit))
    sample_stride, channel_stride, row_stride = padded.stride()[:3]
    last_offset = (len(images) - 1) * sample_stride + 2 * limit * (row_stride + 1)
    windows = padded.as_strided((last_offset + 1, *images.shape[1:]), (1, channel_stride, row_stride, 1))
    sample = torch.arange(len(images), device=images.device)
    return windows.index_select(0, sample * sample_stride + (limit - down) * row_stride + (limit - right))


class Flip:
    """Flip images horizontally at random.

    Args:
        chance: probability of a flip, in [0, 1].
    """

    def __init__(self, *, chance: float) -> None:
        if not 0 <= chance <= 1:
            raise UsageError("invalid_value", key="task.augment.chance", must="in [0, 1]", got=chance)
        self.chance = chance

    def __call__(self, images: ImageBatch, index: SampleNumbers, *key: int) -> ImageBatch:
        flipped = uniform(index, 1, *key) < self.chance
        return torch.where(flipped[:, :, None, None], images.flip(3), images)


class Affine:
    """Rotate and scale images about their center at random, with bilinear interpolation and black padding.

    uint8 images become floats of the same range.

    Args:
        rotation: maximum angle in either direction, in degrees.
        scale: maximum relative change of size, in [0, 1): 0.1 scales by factors from 0.9 to 1.1.
    """

    def __init__(self, *, rotation: float, scale: float) -> None:
        if not rotation >= 0:
            raise UsageError("invalid_value", key="task.augment.rotation", must="at least 0 degrees", got=rotation)
        if not 0 <= scale < 1:
            raise UsageError("invalid_value", key="task.augment.scale", must="in [0, 1)", got=scale)
        self.rotation, self.scale = math.radians(rotation), scale

    def __call__(self, images: ImageBatch, index: SampleNumbers, *key: int) -> ImageBatch:
        angle, size = uniform(index, 2, *key).mul_(2).sub_(1).unbind(1)
        return rotate_images(images, angle * self.rotation, 1 + size * self.scale)


def rotate_images(
    images: ImageBatch, angle: Float[Tensor, " batch"], size: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channel height width"]:
    """Rotate each image counterclockwise by its own angle in radians, and scale it by its own factor.

    The sampling grid maps output to input pixels, so the matrix is the inverse one. Its off-diagonal entries are
    corrected for the aspect ratio, because `affine_grid` normalizes both axes to [-1, 1].
    """
    height, width = images.shape[2:]
    cos, sin, zero = angle.cos() / size, angle.sin() / size, torch.zeros_like(angle)
    x_from_y, y_from_x = -sin * (height / width), sin * (width / height)
    inverse = torch.stack((cos, x_from_y, zero, y_from_x, cos, zero), 1).view(-1, 2, 3)
    grid = F.affine_grid(inverse, list(images.shape), align_corners=False)
    return F.grid_sample(images.float(), grid, align_corners=False)


class InTurn:
    """Compose several transformations.

    Args:
        parts: transformations by name, in order; each has its own random numbers.
    """

    def __init__(self, *, parts: Mapping[str, Augment]) -> None:
        self.parts = list(parts.values())

    def __call__(self, images: ImageBatch, index: SampleNumbers, *key: int) -> ImageBatch:
        for position, part in enumerate(self.parts):
            images = part(images, index, *key, position)
        return images
