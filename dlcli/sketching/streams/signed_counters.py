"""Base class of sketches that consist of one table of signed counters."""

from collections.abc import Mapping

import numpy as np
import torch

from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.signed_table import SignedTable
from dlcli.sketching.streams.sketch import Sketch


class SignedCounters(Sketch):
    """A table of signed counters; subclasses implement `estimates`.

    Args:
        rows: number of independent rows, whose median is the estimate.
        width: counters per row, a power of two.
        seed: seed of the hash functions.
    """

    linear = True

    def __init__(self, *, rows: int, width: int, seed: int) -> None:
        super().__init__(rows=rows, width=width, seed=seed)
        self.table = SignedTable(rows, width, seed)

    def _update(self, chunk: Chunk) -> None:
        self.table.add(*chunk.weighted)

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, SignedCounters)
        self.table.counters += other.table.counters

    def _subtract(self, other: Sketch) -> None:
        assert isinstance(other, SignedCounters)
        self.table.counters -= other.table.counters

    def state(self) -> dict[str, np.ndarray]:
        return {"counters": self.table.counters.numpy()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self.table.counters.copy_(torch.from_numpy(state["counters"]))
