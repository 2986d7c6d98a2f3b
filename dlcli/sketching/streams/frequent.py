"""Frequent items with deterministic bounds on their counts."""

from collections.abc import Mapping

import datasketches
import numpy as np

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, format_item, parse_item
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate


class Frequent(Sketch):
    """Misra-Gries counters; when the table is full, the median of a sample of counters is subtracted from all.

    Paper: Misra & Gries 1982, as in Anderson et al. 2017, "A high-performance algorithm for identifying frequent items
    in data streams". Implementation: datasketches. The estimate lies between a lower and an upper bound that hold
    with certainty.

    Args:
        log2: base-2 logarithm of the table size, 3 to 26; three quarters of the table are used.

    Raises:
        UsageError: log2 is out of range.
    """

    kind = "frequent"

    def __init__(self, *, log2: int) -> None:
        super().__init__(log2=log2)
        if not 3 <= log2 <= 26:
            raise UsageError("invalid_value", key="log2", must="from 3 to 26 (frequent)", got=log2)
        self._inner = datasketches.frequent_strings_sketch(log2)

    def _update(self, chunk: Chunk) -> None:
        counts = chunk.item_counts
        for value, count in zip(counts.values, counts.weights.long().tolist(), strict=True):
            self._inner.update(format_item(value), count)

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, Frequent)
        self._inner.merge(other._inner)

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        kind = datasketches.frequent_items_error_type.NO_FALSE_NEGATIVES
        top = sorted(self._inner.get_frequent_items(kind), key=lambda entry: (-entry[1], entry[0]))[: asked.top]
        names = [name for name, *_ in top]
        names += [format_item(parse_item(item, self.values or "words")[0]) for item in asked.items]
        return [self._count(name) for name in dict.fromkeys(names)]

    def _count(self, name: str) -> StreamEstimate:
        low, high = self._inner.get_lower_bound(name), self._inner.get_upper_bound(name)
        guarantee = f"between {low:,} and {high:,}; error at most {self._inner.epsilon:.3g} of the stream length"
        return StreamEstimate("count", name, float(self._inner.get_estimate(name)), float(low), float(high), guarantee)

    def state(self) -> dict[str, np.ndarray]:
        return {"bytes": np.frombuffer(self._inner.serialize(), dtype=np.uint8)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self._inner = datasketches.frequent_strings_sketch.deserialize(state["bytes"].tobytes())
