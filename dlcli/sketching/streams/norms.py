"""Lp norms of the vector of item counts: L1 from Cauchy projections, L2 from fast-AMS."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from dlcli.core.rng import uniform
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.fast_ams import second_moment
from dlcli.sketching.streams.signed_table import SignedTable, median
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate

_ROLE, _CELLS = 0x4C31, 1 << 17  # substream of the seed; random numbers drawn at a time
_DEVIATIONS = 2.576  # normal quantile of a two-sided 99 % interval


class Norms(Sketch):
    """L1 as the median of |y|, y = sum of count times a Cauchy variate of the item; L2 as the root of fast-AMS.

    For a stream of scalars the norms are those of the item counts, so L1 is the stream length; for a stream of
    vectors they are those of the sum of the vectors.

    Paper: Indyk 2006, "Stable distributions, pseudorandom generators, embeddings and data stream computation",
    section 3. A weighted sum of standard Cauchy variates is Cauchy with scale L1; its absolute value has median L1
    and no mean. Differs: a counter-based generator in place of Nisan's.

    Args:
        projections: number of Cauchy projections y.
        rows, width: size of the fast-AMS table.
        seed: seed of the projections and the table.
    """

    kind, linear, of_vectors = "norms", True, True

    def __init__(self, *, projections: int, rows: int, width: int, seed: int) -> None:
        super().__init__(projections=projections, rows=rows, width=width, seed=seed)
        self.y = torch.zeros(projections, dtype=torch.float64)
        self.table = SignedTable(rows, width, seed)

    def _update(self, chunk: Chunk) -> None:
        keys, weights = chunk.vector
        self.table.add(keys, weights)
        step = max(1, _CELLS // len(self.y))
        for start in range(0, len(keys), step):
            part = slice(start, start + step)
            self.y += weights[part] @ cauchy(keys[part], len(self.y), self.settings["seed"])

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, Norms)
        self.y += other.y
        self.table.counters += other.table.counters

    def _subtract(self, other: Sketch) -> None:
        assert isinstance(other, Norms)
        self.y -= other.y
        self.table.counters -= other.table.counters

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        return [self._first(), self._second()]

    def _first(self) -> StreamEstimate:
        count = len(self.y)
        value, margin = float(median(self.y.abs())), _DEVIATIONS / (2 * math.sqrt(count))
        low, high = (value / math.tan(math.pi / 2 * (0.5 + sign * min(margin, 0.499))) for sign in (1, -1))
        guarantee = (
            f"median of {count} Cauchy projections: standard error {math.pi / 2 / math.sqrt(count):.2%}; between "
            f"{low:,.4g} and {high:,.4g} with probability 0.99"
        )
        return StreamEstimate("L1", "", value, low, high, guarantee)

    def _second(self) -> StreamEstimate:
        squared = second_moment(self.table.second_moments(), self.table.width)
        low, high = math.sqrt(squared.low), math.sqrt(squared.high)
        return StreamEstimate("L2", "", math.sqrt(squared.value), low, high, f"of F2 = L2**2: {squared.guarantee}")

    def state(self) -> dict[str, np.ndarray]:
        return {"y": self.y.numpy(), "counters": self.table.counters.numpy()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self.y.copy_(torch.from_numpy(state["y"]))
        self.table.counters.copy_(torch.from_numpy(state["counters"]))


def cauchy(keys: Tensor, count: int, seed: int) -> Tensor:
    """float64 [item, count]: standard Cauchy variates, functions of key and seed, of magnitude at most 1.1e7."""
    u = uniform(keys, count, seed, _ROLE).double() + 2.0**-25  # midpoints of the 24-bit grid: never 0
    return u.sub_(0.5).mul_(math.pi).tan_()
