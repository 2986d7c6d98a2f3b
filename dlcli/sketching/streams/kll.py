"""KLL: quantiles."""

from collections.abc import Mapping

import datasketches
import numpy as np

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.sketch import Asked, Estimate, Sketch

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class KLL(Sketch):
    """Levels of samples, of which every other one goes up when a level is full.

    Paper: Karnin, Lang & Liberty 2016, "Optimal quantile approximation in streams". From datasketches, whose coins
    cannot be seeded: two sketches of one stream differ within the guarantee. The error is one of rank, not of value.

    Args:
        size: k, 8 to 65,535; the rank error falls as 1/k.
    """

    kind, numeric = "kll", True

    def __init__(self, *, size: int) -> None:
        super().__init__(size=size)
        if not 8 <= size <= 65535:
            raise UsageError(f"kll: size is 8 to 65535, not {size}")
        self._inner = datasketches.kll_doubles_sketch(size)

    def _update(self, chunk: Chunk) -> None:
        self._inner.update(chunk.values.astype(np.float64))

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, KLL)
        self._inner.merge(other._inner)

    def estimates(self, asked: Asked) -> list[Estimate]:
        if not self.items:
            return []
        return [self._quantile(share) for share in QUANTILES]

    def _quantile(self, share: float) -> Estimate:
        error = self._inner.normalized_rank_error(False) if self._inner.is_estimation_mode() else 0.0
        low, high = max(share - error, 0.0), min(share + error, 1.0)
        value, *ends = (self._inner.get_quantile(rank, True) for rank in (share, low, high))
        words = f"rank within {error:.2%} (value from {ends[0]:.6g} to {ends[1]:.6g}) but for a chance of 0.01"
        return Estimate("quantile", f"{share:g}", value, ends[0], ends[1], words if error else "exact: all items kept")

    def state(self) -> dict[str, np.ndarray]:
        return {"bytes": np.frombuffer(self._inner.serialize(), dtype=np.uint8)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self._inner = datasketches.kll_doubles_sketch.deserialize(state["bytes"].tobytes())
