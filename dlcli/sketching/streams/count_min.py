"""Count-min sketch: item counts, never underestimated."""

import math
from collections import deque
from collections.abc import Mapping

import datasketches
import numpy as np

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, item_keys, parse_item
from dlcli.sketching.streams.hashing import Polynomial
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate


class CountMin(Sketch):
    """The minimum over rows of an item's counters.

    Paper: Cormode & Muthukrishnan 2005, "An improved data stream summary: the count-min sketch and its applications".
    Implementation: datasketches. The minimum is invalid for negative updates, so the sketch cannot be subtracted
    (CountSketch can). Differs: items pass through a seeded hash before the hash of datasketches.

    Args:
        rows: number of rows, at most 255.
        width: counters per row, at least 3.
        seed: seed of the hash function.

    Raises:
        UsageError: a size is out of range.
    """

    kind = "countmin"

    def __init__(self, *, rows: int, width: int, seed: int) -> None:
        super().__init__(rows=rows, width=width, seed=seed)
        if rows > 255 or width < 3 or rows * width >= 1 << 30:
            must = "at most 255 x (at least 3), with fewer than 2**30 counters in total"
            raise UsageError("invalid_value", key="rows x width", must=must, got=f"{rows} x {width}")
        self._hash = Polynomial(1, 2, seed, "countmin")
        self._inner = datasketches.count_min_sketch(rows, width)

    def _update(self, chunk: Chunk) -> None:
        counts = chunk.item_counts
        hashes = self._hash(counts.keys)[0].tolist()
        deque(map(self._inner.update, hashes, counts.weights.tolist()), maxlen=0)

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, CountMin)
        self._inner.merge(other._inner)

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        rows, width = self.settings["rows"], self.settings["width"]
        over = math.e / width * self.items
        guarantee = (
            f"never too low; too high by more than {over:,.3g} (e/{width} of the stream length) with probability "
            f"{math.exp(-rows):.2g}"
        )
        estimates = []
        for item in asked.items:
            hashed = int(self._hash(item_keys(parse_item(item, self.values or "words")))[0, 0])
            count = self._inner.get_estimate(hashed)
            estimates.append(StreamEstimate("count", item, count, count - over, count, guarantee))
        return estimates

    def state(self) -> dict[str, np.ndarray]:
        return {"bytes": np.frombuffer(self._inner.serialize(), dtype=np.uint8)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self._inner = datasketches.count_min_sketch.deserialize(state["bytes"].tobytes())
