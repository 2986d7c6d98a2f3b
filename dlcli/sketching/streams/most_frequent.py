"""The most frequent item and its count, from Misra-Gries counters in arrays."""

import numpy as np


class MostFrequent:
    """Misra-Gries counters, updated by chunks.

    Paper: Misra & Gries 1982, merged as in Agarwal et al. 2013, "Mergeable summaries", section 3: counters are added,
    then the (counters + 1)-th largest is subtracted from all. A count is too low by at most `missing`, which is at
    most length/(counters + 1).

    Args:
        counters: maximum number of counters.
    """

    def __init__(self, counters: int) -> None:
        self.counters, self.missing = counters, 0.0
        self.keys: np.ndarray = np.empty(0, np.int64)
        self.counts: np.ndarray = np.empty(0)

    def add(self, keys: np.ndarray, counts: np.ndarray) -> None:
        """Add distinct keys with their counts."""
        self.keys, inverse = np.unique(np.concatenate((self.keys, keys)), return_inverse=True)
        self.counts = np.bincount(inverse, np.concatenate((self.counts, counts)))
        if len(self.keys) > self.counters:
            least = float(np.partition(self.counts, -self.counters - 1)[-self.counters - 1])
            above = self.counts > least
            self.keys, self.counts = self.keys[above], self.counts[above] - least
            self.missing += least

    def top(self) -> tuple[int, float]:
        """Key and count (the midpoint of its bounds) of the most frequent item; -1 and 0 if all counters are zero."""
        if not len(self.keys):
            return -1, 0.0
        index = int(self.counts.argmax())
        return int(self.keys[index]), float(self.counts[index]) + self.missing / 2
