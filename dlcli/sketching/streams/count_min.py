"""Count-min: how often items came, never too low."""

import math
from collections import deque
from collections.abc import Mapping

import datasketches
import numpy as np

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, keys_of, value_of
from dlcli.sketching.streams.hashing import Polynomial
from dlcli.sketching.streams.sketch import Asked, Estimate, Sketch


class CountMin(Sketch):
    """The least of an item's counters.

    Paper: Cormode & Muthukrishnan 2005, "An improved data stream summary". From datasketches. The least counter is no
    estimate once counts go down, so it cannot be subtracted; CountSketch can. Differs: items are hashed by our seed
    before its own hash.

    Args:
        rows: counters an item adds to, at most 255.
        width: counters a row, at least 3.
        seed: of the hash.
    """

    kind = "countmin"

    def __init__(self, *, rows: int, width: int, seed: int) -> None:
        super().__init__(rows=rows, width=width, seed=seed)
        if rows > 255 or width < 3 or rows * width >= 1 << 30:
            raise UsageError(f"countmin: rows up to 255, width from 3, 2**30 counters in all; not {rows} x {width}")
        self._hash = Polynomial(1, 2, seed, "countmin")
        self._inner = datasketches.count_min_sketch(rows, width)

    def _update(self, chunk: Chunk) -> None:
        counted = chunk.counted
        words = self._hash(counted.keys)[0].tolist()
        deque(map(self._inner.update, words, counted.weights.tolist()), maxlen=0)

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, CountMin)
        self._inner.merge(other._inner)

    def estimates(self, asked: Asked) -> list[Estimate]:
        rows, width = self.settings["rows"], self.settings["width"]
        over = math.e / width * self.items
        guarantee = (
            f"never too low; too high by more than {over:,.3g} = e/{width} of the stream with a chance of "
            f"{math.exp(-rows):.2g}"
        )
        found = []
        for item in asked.items:
            word = int(self._hash(keys_of(value_of(item, self.values or "words")))[0, 0])
            count = self._inner.get_estimate(word)
            found.append(Estimate("count", item, count, count - over, count, guarantee))
        return found

    def state(self) -> dict[str, np.ndarray]:
        return {"bytes": np.frombuffer(self._inner.serialize(), dtype=np.uint8)}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self._inner = datasketches.count_min_sketch.deserialize(state["bytes"].tobytes())
