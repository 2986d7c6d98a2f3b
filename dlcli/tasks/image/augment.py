"""Augmentation: training images that look a little different in every epoch, a batch at once on its device.

What is drawn for an image is a function of the words (order, epoch) and of its number, so that neither the batch it
is in nor an interruption changes it. Images come as they are stored, black being 0.
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

Pictures = Shaped[Tensor, "batch channel height width"]
Numbers = Int[Tensor, " batch"]


@runtime_checkable
class Augment(Protocol):
    """Changes images without changing what they show."""

    def __call__(self, images: Pictures, index: Numbers, *words: int) -> Pictures:
        """Images like these; `index` says which sample of the split each one is."""


class Unchanged:
    """Leaves images as they are."""

    def __call__(self, images: Pictures, index: Numbers, *words: int) -> Pictures:
        return images


class Shift:
    """Moves images by whole pixels, up, down, left and right; black comes in.

    The same as cutting a window of the image's size out of the image with a black frame around it.

    Args:
        pixels: the most in either direction, below a side's length; all places are equally likely.
    """

    def __init__(self, *, pixels: int) -> None:
        if pixels < 0:
            raise UsageError(f"task.augment: pixels is at least 0, not {pixels}")
        self.pixels = pixels

    def __call__(self, images: Pictures, index: Numbers, *words: int) -> Pictures:
        if self.pixels >= (side := min(images.shape[-2:])):
            raise UsageError(f"task.augment: pixels is below the {side} of an image's side, not {self.pixels}")
        down, right = integers(index, 2, 2 * self.pixels + 1, *words).unbind(1)
        return moved(images, down - self.pixels, right - self.pixels, self.pixels)


def moved(images: Pictures, down: Numbers, right: Numbers, most: int) -> Pictures:
    """Each image moved by its own whole number of pixels, -most to most.

    One copy a row: of all windows of the image's size in all of the framed memory, those that begin at the right place.
    """
    framed = F.pad(images, (most, most, most, most))
    size, one, plane, line = framed.shape, *framed.stride()[:3]
    last = (size[0] - 1) * one + 2 * most * (line + 1)
    windows = framed.as_strided((last + 1, *images.shape[1:]), (1, plane, line, 1))
    row = torch.arange(len(images), device=images.device)
    return windows.index_select(0, row * one + (most - down) * line + (most - right))


class Flip:
    """Swaps left and right.

    Args:
        chance: of an image to be swapped, in [0, 1].
    """

    def __init__(self, *, chance: float) -> None:
        if not 0 <= chance <= 1:
            raise UsageError(f"task.augment: chance is between 0 and 1, not {chance}")
        self.chance = chance

    def __call__(self, images: Pictures, index: Numbers, *words: int) -> Pictures:
        swapped = uniform(index, 1, *words) < self.chance
        return torch.where(swapped[:, :, None, None], images.flip(3), images)


class Affine:
    """Turns images about their centre and makes them larger or smaller; black comes in.

    Values between pixels are interpolated linearly. Bytes become floats of the same range.

    Args:
        rotation: the most, in degrees, in either direction.
        scale: the most that the size changes by, as a part of it, in [0, 1): 0.1 is 0.9 to 1.1 times.
    """

    def __init__(self, *, rotation: float, scale: float) -> None:
        if not (rotation >= 0 and 0 <= scale < 1):
            raise UsageError(
                f"task.augment: rotation is at least 0 degrees and scale in [0, 1), not {rotation} and {scale}"
            )
        self.rotation, self.scale = math.radians(rotation), scale

    def __call__(self, images: Pictures, index: Numbers, *words: int) -> Pictures:
        angle, size = uniform(index, 2, *words).mul_(2).sub_(1).unbind(1)
        return turned(images, angle * self.rotation, 1 + size * self.scale)


def turned(
    images: Pictures, angle: Float[Tensor, " batch"], size: Float[Tensor, " batch"]
) -> Float[Tensor, "batch channel height width"]:
    """Each image turned anticlockwise by its own angle in radians, and enlarged by its own factor.

    An output pixel asks where it comes from, so the map is the inverse one; it is laid out in pixels, not in the
    sampler's -1 to 1, so that an oblong image is turned and not sheared.
    """
    height, width = images.shape[2:]
    cos, sin, none = angle.cos() / size, angle.sin() / size, torch.zeros_like(angle)
    across, along = -sin * (height / width), sin * (width / height)
    inverse = torch.stack((cos, across, none, along, cos, none), 1).view(-1, 2, 3)
    grid = F.affine_grid(inverse, list(images.shape), align_corners=False)
    return F.grid_sample(images.float(), grid, align_corners=False)


class InTurn:
    """One after the other.

    Args:
        parts: by name; each draws for itself.
    """

    def __init__(self, *, parts: Mapping[str, Augment]) -> None:
        self.parts = list(parts.values())

    def __call__(self, images: Pictures, index: Numbers, *words: int) -> Pictures:
        for place, part in enumerate(self.parts):
            images = part(images, index, *words, place)
        return images
