"""CountSketch: how often items came, unbiased, in a stream whose counts may also go down."""

import math

from dlcli.sketching.streams.chunk import keys_of, value_of
from dlcli.sketching.streams.signed_counters import SignedCounters
from dlcli.sketching.streams.signed_table import median
from dlcli.sketching.streams.sketch import Asked, Estimate, tail


class CountSketch(SignedCounters):
    """The median over rows of an item's sign times its counter.

    Paper: Charikar, Chen & Farach-Colton 2002, "Finding frequent items in data streams", section 3. A row's estimate
    is unbiased with variance (F2 - count**2) / width. Differs: nothing.

    Args:
        rows: whose median is taken.
        width: counters a row, a power of two.
        seed: of the hash functions.
    """

    kind = "countsketch"

    def estimates(self, asked: Asked) -> list[Estimate]:
        """Of each item asked for; eight variances are left on each side, by Chebyshev's inequality a row."""
        second = float(median(self.table.second_moments()))
        rows, width = self.table.rows, self.table.width
        reach, fails = math.sqrt(8 * second / width), tail(rows, 1 / 8)
        guarantee = (
            f"unbiased; a row's standard deviation is at most {reach / math.sqrt(8):,.3g} = sqrt(F2/{width}); the "
            f"median of {rows} is within {reach:,.3g} but for a chance of {fails:.2g}"
        )
        found = []
        for item in asked.items:
            count = float(median(self.table.counts(keys_of(value_of(item, self.values or "words"))))[0])
            found.append(Estimate("count", item, count, count - reach, count + reach, guarantee))
        return found
