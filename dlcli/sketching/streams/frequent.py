"""Frequent items, with bounds that always hold."""

from collections.abc import Mapping

import datasketches
import numpy as np

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, name_of, value_of
from dlcli.sketching.streams.sketch import Asked, Estimate, Sketch


class Frequent(Sketch):
    """Counters of the items that came most often; when they run out, the median of a sample is taken off all.

    Paper: Misra & Gries 1982, in the form of Anderson et al. 2017, "A high-performance algorithm for identifying
    frequent items in data streams". From datasketches. What is shown is an estimate between two counts that hold
    without any chance; the lower one alone would be a count too low.

    Args:
        log2: of the size of the table, 3 to 26; three quarters of it are counters.
    """

    kind = "frequent"

    def __init__(self, *, log2: int) -> None:
        super().__init__(log2=log2)
        if not 3 <= log2 <= 26:
            raise UsageError(f"frequent: log2 is 3 to 26, not {log2}")
        self._inner = datasketches.frequent_strings_sketch(log2)

    def _update(self, chunk: Chunk) -> None:
        counted = chunk.counted
        for value, count in zip(counted.values, counted.weights.long().tolist(), strict=True):
            self._inner.update(name_of(value), count)

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, Frequent)
        self._inner.merge(other._inner)

    def estimates(self, asked: Asked) -> list[Estimate]:
        kind = datasketches.frequent_items_error_type.NO_FALSE_NEGATIVES
        found = sorted(self._inner.get_frequent_items(kind), key=lambda one: (-one[1], one[0]))[: asked.top]
        names = [one[0] for one in found]
        names += [name_of(value_of(item, self.values or "words")[0]) for item in asked.items]
        return [self._count(name) for name in dict.fromkeys(names)]

    def _count(self, name: str) -> Estimate:
        low, high = self._inner.get_lower_bound(name), self._inner.get_upper_bound(name)
        guarantee = f"always from {low:,} to {high:,}; the error is at most {self._inner.epsilon:.3g} of the stream"
        return Estimate("count", name, float(self._inner.get_estimate(name)), float(low), float(high), guarantee)

    def state(self) -> dict[str, np.ndarray]:
        return {"bytes": np.frombuffer(self._inner.serialize(), dtype=np.uint8)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self._inner = datasketches.frequent_strings_sketch.deserialize(state["bytes"].tobytes())
