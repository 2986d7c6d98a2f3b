"""Screens of a game as a policy sees them: small, grey, the last four."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

SIDE = 84
STACKED = 4


class Shrink:
    """Grey screens as 84x84 values in [0, 1], every pixel the mean over the area that it covers.

    The sums are whole numbers below 2**24, which float32 holds exactly: the bits depend on no order of summing.

    Args:
        height: of the screens.
        width: of the screens.
    """

    def __init__(self, height: int, width: int) -> None:
        self._rows, self._columns = _overlaps(height), _overlaps(width).T.contiguous()
        self._scale = 1.0 / (255 * height * width)

    def __call__(self, screens: UInt8[Tensor, "row height width"]) -> Float[Tensor, "row 84 84"]:
        return (self._rows @ screens.float() @ self._columns).mul_(self._scale)


def _overlaps(length: int) -> Float[Tensor, "84 length"]:
    """How much of each pixel lies in each of the 84 parts, in 84ths of a pixel; every row sums to `length`."""
    begin = torch.arange(SIDE)[:, None] * length
    pixel = torch.arange(length)[None] * SIDE
    shared = torch.minimum(begin + length, pixel + SIDE) - torch.maximum(begin, pixel)
    return shared.clamp(min=0).float()


class Stack:
    """The last four screens of every episode, the newest last; the first stands for those before it.

    Args:
        first: of every episode.
    """

    def __init__(self, first: Float[Tensor, "row height width"]) -> None:
        self.seen: Float[Tensor, "row 4 height width"] = first[:, None].repeat(1, STACKED, 1, 1)

    def push(self, newest: Float[Tensor, "row height width"]) -> Tensor:
        """The last four with this one."""
        self.seen = torch.cat((self.seen[:, 1:], newest[:, None]), 1)
        return self.seen

    def keep(self, rows: Tensor) -> None:
        self.seen = self.seen[rows]
