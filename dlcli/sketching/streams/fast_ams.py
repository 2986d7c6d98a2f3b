"""Fast-AMS: the sum of squared counts, with one counter a row touched by an item."""

import math

import torch

from dlcli.sketching.streams.signed_counters import SignedCounters
from dlcli.sketching.streams.signed_table import median
from dlcli.sketching.streams.sketch import Asked, Estimate, around, tail


class FastAMS(SignedCounters):
    """The median over rows of the sum of squared counters.

    Paper: Thorup & Zhang 2004, "Tabulation based 4-universal hashing with applications to second moment estimation",
    section 1 (the counters of Charikar et al., squared). Differs: polynomials hash, not tables.

    Args:
        rows: whose median is taken.
        width: counters a row, a power of two; the variance of a row is at most 2 F2**2 / width.
        seed: of the hash functions.
    """

    kind = "fastams"

    def estimates(self, asked: Asked) -> list[Estimate]:
        return [second_moment(self.table.second_moments(), self.table.width)]


def second_moment(answers: torch.Tensor, copies: int) -> Estimate:
    """The median of answers [row], each with a variance of at most 2 F2**2 / copies."""
    value, share, rows = float(median(answers)), 4 / math.sqrt(copies), len(answers)
    guarantee = (
        f"standard error of one of {rows} rows at most {math.sqrt(2 / copies):.2%}; their median is within "
        f"{share:.2%} but for a chance of {tail(rows, 1 / 8):.2g}"
    )
    return Estimate("F2", "", value, *around(value, share), guarantee)
