"""KLL sketch: quantiles."""

from collections.abc import Mapping

import datasketches
import numpy as np

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class KLL(Sketch):
    """A hierarchy of compactors: a full level passes every other sorted sample to the next one.

    Paper: Karnin, Lang & Liberty 2016, "Optimal quantile approximation in streams". Implementation: datasketches,
    whose random bits cannot be seeded: two sketches of one stream differ within the guarantee. The error is a rank
    error, not an error of the value.

    Args:
        size: k, 8 to 65,535; the rank error is proportional to 1/k.

    Raises:
        UsageError: the size is out of range.
    """

    kind, numeric = "kll", True

    def __init__(self, *, size: int) -> None:
        super().__init__(size=size)
        if not 8 <= size <= 65535:
            raise UsageError("invalid_value", key="size", must="from 8 to 65535", got=size)
        self._inner = datasketches.kll_doubles_sketch(size)

    def _update(self, chunk: Chunk) -> None:
        self._inner.update(chunk.values.astype(np.float64))

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, KLL)
        self._inner.merge(other._inner)

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        if not self.items:
            return []
        return [self._quantile(rank) for rank in QUANTILES]

    def _quantile(self, rank: float) -> StreamEstimate:
        error = self._inner.normalized_rank_error(False) if self._inner.is_estimation_mode() else 0.0
        ranks = (rank, max(rank - error, 0.0), min(rank + error, 1.0))
        value, low, high = (self._inner.get_quantile(at, True) for at in ranks)
        guarantee = f"rank within {error:.2%} (value from {low:.6g} to {high:.6g}) with probability 0.99"
        return StreamEstimate(
            "quantile", f"{rank:g}", value, low, high, guarantee if error else "exact: all items stored"
        )

    def state(self) -> dict[str, np.ndarray]:
        return {"bytes": np.frombuffer(self._inner.serialize(), dtype=np.uint8)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self._inner = datasketches.kll_doubles_sketch.deserialize(state["bytes"].tobytes())
