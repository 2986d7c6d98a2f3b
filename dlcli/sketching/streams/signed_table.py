"""Table of signed counters shared by CountSketch and fast-AMS: an item adds its sign to one counter per row."""

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.hashing import USED, Polynomial

_CHUNK = 1 << 15  # items hashed at a time, so that their hash values stay in the cache


class SignedTable:
    """Linear map from item counts to counters [row, bucket].

    Bucket hashes are pairwise independent, signs 4-wise independent, and the two use separate polynomials: with signs
    derived from the bucket hash, the signs of colliding items would be correlated.

    Args:
        rows: number of independent rows, at most 60.
        width: counters per row, a power of two.
        seed: seed of the hash functions.

    Raises:
        UsageError: the width is not a power of two, or there are too many rows.
    """

    def __init__(self, rows: int, width: int, seed: int) -> None:
        if width < 2 or width & (width - 1):
            raise UsageError("invalid_value", key="width", must="a power of two (1024, 2048, ...)", got=width)
        if rows > USED:
            raise UsageError("invalid_value", key="rows", must=f"at most {USED}", got=rows)
        self.rows, self.width = rows, width
        self.counters = torch.zeros(rows, width, dtype=torch.float64)
        self._bucket_bits = int(math.log2(width))
        self._buckets_per_word = USED // self._bucket_bits
        self._buckets = Polynomial(math.ceil(rows / self._buckets_per_word), 2, seed, "buckets")
        self._signs = Polynomial(1, 4, seed, "signs")

    def add(self, keys: Int64[Tensor, " item"], weights: Float64[Tensor, " item"] | None = None) -> None:
        """Add items with their weights; default weight 1. Counters are exact for integers up to 2**53."""
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
            self._locate(row, buckets, signs, index, sign)
            table[row].index_add_(0, index, sign if weights is None else weights * sign)

    def _locate(self, row: int, buckets: Tensor, signs: Tensor, index: Tensor, sign: Tensor) -> None:
        """Write each item's bucket and sign in a row to `index` and `sign`."""
        word, part = divmod(row, self._buckets_per_word)
        torch.bitwise_right_shift(buckets[word], self._bucket_bits * part, out=index).bitwise_and_(self.width - 1)
        torch.bitwise_left_shift(signs, 63 - row, out=sign).bitwise_right_shift_(63).bitwise_or_(1)  # 0, -1 to 1, -1

    def counts(self, keys: Int64[Tensor, " item"]) -> Float64[Tensor, "row item"]:
        """Unbiased estimates of item counts, one per row."""
        buckets, signs = self._buckets(keys), self._signs(keys)[0]
        index, sign = torch.empty_like(signs), torch.empty_like(signs)
        estimates = torch.empty(self.rows, len(keys), dtype=torch.float64)
        for row in range(self.rows):
            self._locate(row, buckets, signs, index, sign)
            estimates[row] = self.counters[row][index] * sign
        return estimates

    def second_moments(self) -> Float64[Tensor, " row"]:
        """Unbiased estimates of F2 with variance at most 2 F2**2 / width, one per row."""
        return self.counters.square().sum(1)


def median(values: Tensor) -> Tensor:
    """Median over the first axis; for an even length the mean of the two middle values."""
    return values.quantile(0.5, dim=0)
