"""Many random signs an item, as bits of words, and the signed sums of weights."""

from collections.abc import Callable

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

_ITEMS = 1 << 11  # whose signs of one word are written out at once: they stay in the cache


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
        words: of keys, the words whose bits are the signs.
        used: bits of a word.
    """
    total = torch.zeros(-(-count // used), used, dtype=torch.float64)
    places = torch.arange(used)[:, None]
    for start in range(0, len(keys), _ITEMS):
        weight = weights[start : start + _ITEMS]
        for word, sums in zip(words(keys[start : start + _ITEMS]), total, strict=True):
            bits = (word >> places).bitwise_and_(1)
            sums += 2 * (bits.double() @ weight) - weight.sum()
    return total.flatten()[:count]
