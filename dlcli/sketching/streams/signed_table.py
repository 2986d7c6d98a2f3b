"""Rows of counters: each item adds its sign to one counter a row. CountSketch and fast-AMS both read it."""

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.hashing import USED, Polynomial

_CHUNK = 1 << 15  # items hashed at once: their words stay in the cache


class SignedTable:
    """A linear map of counts to [row, bucket].

    Buckets are pairwise independent, signs 4-wise, and both come from polynomials of their own: with signs out of the
    buckets' hash, items that meet in a counter would have signs that agree.

    Args:
        rows: independent repetitions, at most 60.
        width: counters a row, a power of two.
        seed: of the hash functions.

    Raises:
        UsageError: the width is no power of two, or there are too many rows.
    """

    def __init__(self, rows: int, width: int, seed: int) -> None:
        if width < 2 or width & (width - 1):
            raise UsageError(f"width is a power of two (1024, 2048 ...), not {width}")
        if rows > USED:
            raise UsageError(f"rows is at most {USED}, not {rows}")
        self.rows, self.width = rows, width
        self.counters = torch.zeros(rows, width, dtype=torch.float64)
        self._depth = int(math.log2(width))  # bits of a bucket
        self._each = USED // self._depth  # buckets that a word holds
        self._buckets = Polynomial(math.ceil(rows / self._each), 2, seed, "buckets")
        self._signs = Polynomial(1, 4, seed, "signs")

    def add(self, keys: Int64[Tensor, " item"], weights: Float64[Tensor, " item"] | None = None) -> None:
        """Add items; without weights each counts 1 (exactly: whole numbers up to 2**53)."""
        table = self.counters if weights is not None else torch.zeros(self.rows, self.width, dtype=torch.int64)
        for start in range(0, len(keys), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._add(table, keys[part], None if weights is None else weights[part])
        if weights is None:
            self.counters += table

    def _add(self, table: Tensor, keys: Tensor, weights: Tensor | None) -> None:
        buckets, signs = self._buckets(keys), self._signs(keys)[0]
        index, sign = torch.empty_like(signs), torch.empty_like(signs)
        for row in range(self.rows):
            self._place(row, buckets, signs, index, sign)
            table[row].index_add_(0, index, sign if weights is None else weights * sign)

    def _place(self, row: int, buckets: Tensor, signs: Tensor, index: Tensor, sign: Tensor) -> None:
        """Where the items of a row go, and with which sign, written into `index` and `sign`."""
        shift = self._depth * (row % self._each)
        torch.bitwise_right_shift(buckets[row // self._each], shift, out=index).bitwise_and_(self.width - 1)
        torch.bitwise_left_shift(signs, 63 - row, out=sign).bitwise_right_shift_(63).bitwise_or_(1)  # 0, -1 to 1, -1

    def counts(self, keys: Int64[Tensor, " item"]) -> Float64[Tensor, "row item"]:
        """Every row's unbiased estimate of how often items came."""
        buckets, signs = self._buckets(keys), self._signs(keys)[0]
        index, sign = torch.empty_like(signs), torch.empty_like(signs)
        found = torch.empty(self.rows, len(keys), dtype=torch.float64)
        for row in range(self.rows):
            self._place(row, buckets, signs, index, sign)
            found[row] = self.counters[row][index] * sign
        return found

    def second_moments(self) -> Float64[Tensor, " row"]:
        """Every row's unbiased estimate of F2, of variance at most 2 F2**2 / width."""
        return self.counters.square().sum(1)


def median(values: Tensor) -> Tensor:
    """Over the first axis; of an even number the mean of the two in the middle."""
    return values.quantile(0.5, dim=0)
