"""Sums of weights with random signs, which are bits of hash values."""

from collections.abc import Callable

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

_ITEMS = 1 << 11  # items whose signs are expanded at a time, so that they stay in the cache


def signed_sums(
    keys: Int64[Tensor, " item"],
    weights: Float64[Tensor, " item"],
    words: Callable[[Tensor], Int64[Tensor, "word item"]],
    *,
    used: int,
    count: int,
) -> Float64[Tensor, " sign"]:
    """Sum of sign times weight for each of `count` sign functions.

    Args:
        words: hash function from keys to 64-bit words whose bits are the signs.
        used: number of independent bits per word.
        count: number of sign functions.
    """
    total = torch.zeros(-(-count // used), used, dtype=torch.float64)
    shifts = torch.arange(used)[:, None]
    for start in range(0, len(keys), _ITEMS):
        weight = weights[start : start + _ITEMS]
        for word, sums in zip(words(keys[start : start + _ITEMS]), total, strict=True):
            bits = (word >> shifts).bitwise_and_(1)
            sums += 2 * (bits.double() @ weight) - weight.sum()
    return total.flatten()[:count]
