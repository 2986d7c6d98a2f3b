"""Random numbers of every sample, as a function of which sample it is: drawn for a whole batch at once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.random import mix

_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # splitmix64's own
_ROW = 0xD1B54A32D192ED03  # odd, so that different rows are different states


def uniform(index: Int[Tensor, " batch"], count: int, *words: int) -> Float[Tensor, "batch count"]:
    """Float32 numbers in [0, 1), on the device of `index`.

    A row is a function of its index and the words (seed, epoch, what it is for): neither of the other rows nor of
    where it stands in the batch, and the same bits on every device. The first numbers do not depend on `count`.

    Splitmix64 (Steele, Lea & Flood 2014) in wrapping 64-bit arithmetic, 24 bits of each result: every row is a stream
    of its own, which begins at a hash of its index.
    """
    return _shifted(_bits(index, count, words), 40).float().mul_(2.0**-24)


def integers(index: Int[Tensor, " batch"], count: int, below: int | Tensor, *words: int) -> Int[Tensor, "batch count"]:
    """As `uniform`, whole numbers from 0 to `below - 1`.

    Args:
        below: up to 2**31; a tensor that broadcasts to [batch, count] gives a row or a number an end of its own.
    """
    return (_shifted(_bits(index, count, words), 33) * below) >> 31


def normal(index: Int[Tensor, " batch"], count: int, *words: int) -> Float[Tensor, "batch count"]:
    """As `uniform`, standard normal numbers (Box & Muller 1958)."""
    half = (count + 1) // 2
    radius, angle = uniform(index, 2 * half, *words).split(half, 1)
    radius, angle = radius.neg().log1p().mul(-2.0).sqrt(), angle * (2.0 * torch.pi)
    return torch.cat((radius * angle.cos(), radius * angle.sin()), 1)[:, :count]


def _bits(index: Tensor, count: int, words: tuple[int, ...]) -> Tensor:
    """64 random bits a number, int64 [batch, count]."""
    start = _hashed(index * _signed(_ROW) + _signed(mix(*words)))
    step = torch.arange(1, count + 1, device=index.device) * _signed(_STEP)
    return _hashed(start[:, None] + step)


def _hashed(state: Tensor) -> Tensor:
    state = (state ^ _shifted(state, 30)) * _signed(_FIRST)
    state = (state ^ _shifted(state, 27)) * _signed(_SECOND)
    return state ^ _shifted(state, 31)


def _shifted(bits: Tensor, places: int) -> Tensor:
    """To the right, filled with zeros: int64 would be filled with its sign."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
