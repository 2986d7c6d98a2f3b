"""CountSketch: how often items came, unbiased, in a stream whose counts may also go down."""

import math
from collections.abc import Mapping

import numpy as np
import torch

from dlcli.sketching.streams.chunk import Chunk, keys_of, value_of
from dlcli.sketching.streams.signed_table import SignedTable, median
from dlcli.sketching.streams.sketch import Asked, Estimate, Sketch, tail


class CountSketch(Sketch):
    """The median over rows of an item's sign times its counter.

    Paper: Charikar, Chen & Farach-Colton 2002, "Finding frequent items in data streams", section 3. A row's estimate
    is unbiased with variance (F2 - count**2) / width. Differs: nothing.

    Args:
        rows: whose median is taken.
        width: counters a row, a power of two.
        seed: of the hash functions.
    """

    kind, linear = "countsketch", True

    def __init__(self, *, rows: int, width: int, seed: int) -> None:
        super().__init__(rows=rows, width=width, seed=seed)
        self.table = SignedTable(rows, width, seed)

    def _update(self, chunk: Chunk) -> None:
        self.table.add(*chunk.weighted)

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, CountSketch)
        self.table.counters += other.table.counters

    def _subtract(self, other: Sketch) -> None:
        assert isinstance(other, CountSketch)
        self.table.counters -= other.table.counters

    def estimates(self, asked: Asked) -> list[Estimate]:
        """Of each item asked for; eight variances are left on each side, by Chebyshev's inequality a row."""
        second = float(median(self.table.second_moments()))
        rows, width = self.table.rows, self.table.width
        reach, fails = math.sqrt(8 * second / width), tail(rows, 1 / 8)
        guarantee = (
            f"unbiased; a row's standard deviation is at most {reach / math.sqrt(8):,.3g} = sqrt(F2/{width}); the "
            f"median of {rows} is within {reach:,.3g} but for a chance of {fails:.2g}"
        )
        found = []
        for item in asked.items:
            count = float(median(self.table.counts(keys_of(value_of(item, self.values or "words"))))[0])
            found.append(Estimate("count", item, count, count - reach, count + reach, guarantee))
        return found

    def state(self) -> dict[str, np.ndarray]:
        return {"counters": self.table.counters.numpy()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self.table.counters.copy_(torch.from_numpy(state["counters"]))
