"""CountSketch: unbiased item counts, also under deletions."""

import math

from dlcli.sketching.streams.chunk import item_keys, parse_item
from dlcli.sketching.streams.signed_counters import SignedCounters
from dlcli.sketching.streams.signed_table import median
from dlcli.sketching.streams.sketch import ItemQuery, StreamEstimate, median_failure_probability


class CountSketch(SignedCounters):
    """The median over rows of an item's sign times its counter.

    Paper: Charikar, Chen & Farach-Colton 2002, "Finding frequent items in data streams", section 3. The estimate
    of a row is unbiased with variance (F2 - count**2) / width. Differs: nothing.

    Args:
        rows: number of rows whose median is the estimate.
        width: counters per row, a power of two.
        seed: seed of the hash functions.
    """

    kind = "countsketch"

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        """Count of each queried item, within sqrt(8) standard deviations (Chebyshev: a row fails with p <= 1/8)."""
        second = float(median(self.table.second_moments()))
        rows, width = self.table.rows, self.table.width
        margin, failure = math.sqrt(8 * second / width), median_failure_probability(rows, 1 / 8)
        guarantee = (
            f"unbiased; standard deviation of a row at most {margin / math.sqrt(8):,.3g} = sqrt(F2/{width}); median of "
            f"{rows} rows within {margin:,.3g} with probability {1 - failure:.3g}"
        )
        estimates = []
        for item in asked.items:
            count = float(median(self.table.counts(item_keys(parse_item(item, self.values or "words"))))[0])
            estimates.append(StreamEstimate("count", item, count, count - margin, count + margin, guarantee))
        return estimates
