"""Many random signs an item, as bits of words, and the signed sums of weights."""

from collections.abc import Callable

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

_CELLS = 1 << 22  # signs that are written out at once


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
    total = torch.zeros(count, dtype=torch.float64)
    places = torch.arange(used)[:, None]
    step = max(1, _CELLS // max(count, used))
    for start in range(0, len(keys), step):
        part, weight = words(keys[start : start + step]), weights[start : start + step]
        bits = (part[:, None] >> places).bitwise_and_(1).flatten(0, 1)[:count]
        total += 2 * (bits.double() @ weight) - weight.sum()
    return total
