"""Fast-AMS: the sum of squared counts, with one counter a row touched by an item."""

import math
from collections.abc import Mapping

import numpy as np
import torch

from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.signed_table import SignedTable, median
from dlcli.sketching.streams.sketch import Asked, Estimate, Sketch, around, tail


class FastAMS(Sketch):
    """The median over rows of the sum of squared counters.

    Paper: Thorup & Zhang 2004, "Tabulation based 4-universal hashing with applications to second moment estimation",
    section 1 (the counters of Charikar et al., squared). Differs: polynomials hash, not tables.

    Args:
        rows: whose median is taken.
        width: counters a row, a power of two; the variance of a row is at most 2 F2**2 / width.
        seed: of the hash functions.
    """

    kind, linear = "fastams", True

    def __init__(self, *, rows: int, width: int, seed: int) -> None:
        super().__init__(rows=rows, width=width, seed=seed)
        self.table = SignedTable(rows, width, seed)

    def _update(self, chunk: Chunk) -> None:
        self.table.add(*chunk.weighted)

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, FastAMS)
        self.table.counters += other.table.counters

    def _subtract(self, other: Sketch) -> None:
        assert isinstance(other, FastAMS)
        self.table.counters -= other.table.counters

    def estimates(self, asked: Asked) -> list[Estimate]:
        return [second_moment(self.table.second_moments(), self.table.width)]

    def state(self) -> dict[str, np.ndarray]:
        return {"counters": self.table.counters.numpy()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self.table.counters.copy_(torch.from_numpy(state["counters"]))


def second_moment(answers: torch.Tensor, copies: int) -> Estimate:
    """The median of answers [row], each with a variance of at most 2 F2**2 / copies."""
    value, share, rows = float(median(answers)), 4 / math.sqrt(copies), len(answers)
    guarantee = (
        f"standard error of one of {rows} rows at most {math.sqrt(2 / copies):.2%}; their median is within "
        f"{share:.2%} but for a chance of {tail(rows, 1 / 8):.2g}"
    )
    return Estimate("F2", "", value, *around(value, share), guarantee)
