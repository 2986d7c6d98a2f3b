"""The item that came most often, and how often: counters of keys, in arrays."""

import numpy as np


class MostFrequent:
    """Misra and Gries' counters, of whole chunks at a time.

    Paper: Misra & Gries 1982, merged as in Agarwal et al. 2013, "Mergeable summaries", section 3: all counters are
    added, then the first one too many is taken off every one. A count is too low by at most `missing`, which is at
    most length/(counters + 1).

    Args:
        counters: how many are kept.
    """

    def __init__(self, counters: int) -> None:
        self.counters, self.missing = counters, 0.0
        self.keys: np.ndarray = np.empty(0, np.int64)
        self.counts: np.ndarray = np.empty(0)

    def add(self, keys: np.ndarray, counts: np.ndarray) -> None:
        """Distinct keys and how often each came."""
        self.keys, inverse = np.unique(np.concatenate((self.keys, keys)), return_inverse=True)
        self.counts = np.bincount(inverse, np.concatenate((self.counts, counts)))
        if len(self.keys) > self.counters:
            least = float(np.partition(self.counts, -self.counters - 1)[-self.counters - 1])
            kept = self.counts > least
            self.keys, self.counts = self.keys[kept], self.counts[kept] - least
            self.missing += least

    def top(self) -> tuple[int, float]:
        """Key and count, the middle of what it may be; -1 and 0 where no item stands out."""
        if not len(self.keys):
            return -1, 0.0
        place = int(self.counts.argmax())
        return int(self.keys[place]), float(self.counts[place]) + self.missing / 2
