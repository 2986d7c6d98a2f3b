"""Exact statistics for comparison; memory grows with the number of distinct items."""

import math

import numpy as np
import pandas as pd

from dlcli.sketching.streams.chunk import Chunk, format_item, parse_item


class Exact:
    """Exact counts of all distinct items."""

    def __init__(self) -> None:
        self._parts: list[pd.Series] = []
        self._total: np.ndarray | None = None

    def update(self, chunk: Chunk) -> None:
        counts = chunk.item_counts
        self._parts.append(pd.Series(counts.weights.numpy(), index=pd.Index(counts.values)))
        if len(self._parts) > 16:
            self._parts = [self.counts]
        if chunk.total is not None:
            self._total = chunk.total if self._total is None else self._total + chunk.total

    @property
    def counts(self) -> pd.Series:
        """Counts indexed by item, sorted by item."""
        if len(self._parts) != 1:
            self._parts = [pd.concat(self._parts).groupby(level=0).sum()]
        return self._parts[0]

    def answer(self, question: str, of: str, vector: bool) -> float:
        """The exact value that an `Estimate` approximates.

        Args:
            question, of: those of the estimate.
            vector: True to use the sum of a stream of vectors in place of the item counts.
        """
        counts = self.counts.to_numpy()
        weights = self._total if vector and self._total is not None else counts
        if question == "distinct":
            return float(len(counts))
        if question == "quantile":
            return self._quantile(float(of))
        if question == "count":
            return self._count(of)
        if question == "entropy":
            share = counts / counts.sum()
            return float(-(share * np.log(share)).sum())
        return {"F2": float((weights**2).sum()), "L1": float(abs(weights).sum())}.get(
            question, math.sqrt(float((weights**2).sum()))
        )

    def top(self, count: int) -> list[str]:
        """Names of the `count` most frequent items."""
        return [format_item(value) for value in self.counts.sort_values(ascending=False, kind="stable").index[:count]]

    def _quantile(self, rank: float) -> float:
        """Smallest value such that at least the fraction `rank` of the stream is at or below it."""
        ordered = self.counts.sort_index()
        below = ordered.cumsum().to_numpy()
        return float(ordered.index[min(int(np.searchsorted(below, rank * below[-1] - 1e-9)), len(below) - 1)])

    def _count(self, name: str) -> float:
        kind = {"i": "integers", "u": "integers", "f": "numbers"}.get(self.counts.index.dtype.kind, "words")
        value = parse_item(name, kind)[0]  # type: ignore[arg-type]
        return float(self.counts.get(value, 0.0))
