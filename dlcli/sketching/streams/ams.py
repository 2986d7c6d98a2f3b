"""AMS ("tug of war") sketch: second frequency moment from sums of random signs."""

import math
from collections.abc import Mapping

import numpy as np
import torch

from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.fast_ams import second_moment
from dlcli.sketching.streams.hashing import USED, Polynomial
from dlcli.sketching.streams.signs import signed_sums
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate


class AMS(Sketch):
    """The median of means of squared sums Z = sum of sign(item) count(item).

    Paper: Alon, Matias & Szegedy 1999, "The space complexity of approximating the frequency moments", section 2.2.
    Z**2 is unbiased with variance at most 2 F2**2, which requires 4-wise independent signs. Differs: the signs are
    bits of the values of a few polynomials instead of one polynomial each.

    Args:
        means: number of means whose median is the estimate.
        copies: number of squares per mean; with 16/error**2 copies a mean exceeds the relative error with probability
            at most 1/8.
        seed: seed of the signs.
    """

    kind, linear = "ams", True

    def __init__(self, *, means: int, copies: int, seed: int) -> None:
        super().__init__(means=means, copies=copies, seed=seed)
        self.sums = torch.zeros(means * copies, dtype=torch.float64)
        self._signs = Polynomial(math.ceil(means * copies / USED), 4, seed, "ams")

    def _update(self, chunk: Chunk) -> None:
        counts = chunk.item_counts
        self.sums += signed_sums(counts.keys, counts.weights, self._signs, used=USED, count=len(self.sums))

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, AMS)
        self.sums += other.sums

    def _subtract(self, other: Sketch) -> None:
        assert isinstance(other, AMS)
        self.sums -= other.sums

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        copies = self.settings["copies"]
        return [second_moment(self.sums.square().view(-1, copies).mean(1), copies)]

    def state(self) -> dict[str, np.ndarray]:
        return {"sums": self.sums.numpy()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self.sums.copy_(torch.from_numpy(state["sums"]))
