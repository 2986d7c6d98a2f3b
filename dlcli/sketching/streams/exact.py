"""The truth beside the estimates: counts of everything, for whom memory is no matter."""

import math

import numpy as np
import pandas as pd

from dlcli.sketching.streams.chunk import Chunk, name_of, value_of


class Exact:
    """All distinct items with their counts."""

    def __init__(self) -> None:
        self._parts: list[pd.Series] = []
        self._total: np.ndarray | None = None

    def update(self, chunk: Chunk) -> None:
        counted = chunk.counted
        self._parts.append(pd.Series(counted.weights.numpy(), index=pd.Index(counted.values)))
        if len(self._parts) > 16:
            self._parts = [self.counts]
        if chunk.total is not None:
            self._total = chunk.total if self._total is None else self._total + chunk.total

    @property
    def counts(self) -> pd.Series:
        """By item, sorted by it."""
        if len(self._parts) != 1:
            self._parts = [pd.concat(self._parts).groupby(level=0).sum()]
        return self._parts[0]

    def answer(self, question: str, of: str, vector: bool) -> float:
        """What an `Estimate` is of; `vector`: of the sum of vectors, where the stream is one of vectors."""
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
        """Names of the most frequent items."""
        return [name_of(value) for value in self.counts.sort_values(ascending=False, kind="stable").index[:count]]

    def _quantile(self, share: float) -> float:
        """The least value with at least this share of the stream at or below it."""
        ordered = self.counts.sort_index()
        below = ordered.cumsum().to_numpy()
        return float(ordered.index[min(int(np.searchsorted(below, share * below[-1] - 1e-9)), len(below) - 1)])

    def _count(self, name: str) -> float:
        kind = {"i": "integers", "u": "integers", "f": "numbers"}.get(self.counts.index.dtype.kind, "words")
        value = value_of(name, kind)[0]  # type: ignore[arg-type]
        return float(self.counts.get(value, 0.0))
