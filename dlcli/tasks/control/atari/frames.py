"""Atari preprocessing: downscaled grayscale frames and frame stacking."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

SIDE = 84
STACKED = 4


class Shrink:
    """Downscale grayscale frames to 84x84 values in [0, 1] by area averaging.

    The sums are integers below 2**24, which float32 represents exactly, so that the result does not depend on the
    order of summation.

    Args:
        height: height of the frames.
        width: width of the frames.
    """

    def __init__(self, height: int, width: int) -> None:
        self._rows, self._columns = _overlaps(height), _overlaps(width).T.contiguous()
        self._scale = 1.0 / (255 * height * width)

    def __call__(self, screens: UInt8[Tensor, "row height width"]) -> Float[Tensor, "row 84 84"]:
        return (self._rows @ screens.float() @ self._columns).mul_(self._scale)


def _overlaps(length: int) -> Float[Tensor, "84 length"]:
    """Overlap of each pixel with each of the 84 output pixels, in 84ths of a pixel; every row sums to `length`."""
    begin = torch.arange(SIDE)[:, None] * length
    pixel = torch.arange(length)[None] * SIDE
    shared = torch.minimum(begin + length, pixel + SIDE) - torch.maximum(begin, pixel)
    return shared.clamp(min=0).float()


class Stack:
    """Stack of the last four frames of every episode, newest last, initialized with copies of the first frame.

    Args:
        first: first frame of every episode.
    """

    def __init__(self, first: Float[Tensor, "row height width"]) -> None:
        self.seen: Float[Tensor, "row 4 height width"] = first[:, None].repeat(1, STACKED, 1, 1)

    def push(self, newest: Float[Tensor, "row height width"]) -> Tensor:
        """Append a frame; returns the last four."""
        self.seen = torch.cat((self.seen[:, 1:], newest[:, None]), 1)
        return self.seen

    def keep(self, rows: Tensor) -> None:
        self.seen = self.seen[rows]
