"""Fast-AMS sketch: second frequency moment F2, one counter update per row and item."""

import math

import torch

from dlcli.sketching.streams.signed_counters import SignedCounters
from dlcli.sketching.streams.signed_table import median
from dlcli.sketching.streams.sketch import ItemQuery, StreamEstimate, median_failure_probability, relative_interval


class FastAMS(SignedCounters):
    """The median over rows of the sum of squared counters.

    Paper: Thorup & Zhang 2004, "Tabulation based 4-universal hashing with applications to second moment estimation",
    section 1 (squared counters of Charikar et al.). Differs: polynomial in place of tabulation hashing.

    Args:
        rows: number of rows whose median is the estimate.
        width: counters per row, a power of two; the variance of a row is at most 2 F2**2 / width.
        seed: seed of the hash functions.
    """

    kind = "fastams"

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        return [second_moment(self.table.second_moments(), self.table.width)]


def second_moment(row_estimates: torch.Tensor, copies: int) -> StreamEstimate:
    """F2 as the median of `row_estimates` [row], each with a variance of at most 2 F2**2 / copies."""
    value, error, rows = float(median(row_estimates)), 4 / math.sqrt(copies), len(row_estimates)
    guarantee = (
        f"standard error of a row at most {math.sqrt(2 / copies):.2%}; median of {rows} rows within {error:.2%} with "
        f"probability {1 - median_failure_probability(rows, 1 / 8):.3g}"
    )
    return StreamEstimate("F2", "", value, *relative_interval(value, error), guarantee)
