"""Curves with few points that look the same: the least and the greatest value of every stretch stay."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import TypeGuard

import numpy as np

Number = int | float


def kept(values: Sequence[Number | None], most: int) -> list[int]:
    """Indices of the points to draw: both ends, and the least and the greatest value of each stretch.

    Args:
        values: None, NaN and infinities are gaps; the first gap of a stretch is kept.
        most: number of points, about.
    """
    count = len(values)
    if count <= max(most, 4):
        return list(range(count))
    array = np.asarray(values, dtype=np.float64)  # None becomes NaN
    finite = np.isfinite(array)
    low, high = np.where(finite, array, np.inf), np.where(finite, array, -np.inf)
    stretches = max(1, most // 2 - 1)
    places = {0, count - 1}
    for number in range(stretches):
        begin, end = number * count // stretches, (number + 1) * count // stretches
        gap = not finite[begin:end].all()
        if not gap or finite[begin:end].any():
            places |= {begin + int(low[begin:end].argmin()), end - 1 - int(high[begin:end][::-1].argmax())}
        if gap:
            places.add(begin + int(finite[begin:end].argmin()))
    return sorted(places)


def is_number(value: Number | None) -> TypeGuard[Number]:
    """Whether it can be drawn."""
    return value is not None and isfinite(value)


def rounded(values: Sequence[Number | None], digits: int = 5) -> list[Number | None]:
    """Significant digits that a screen can show; None where there is no finite number."""
    texts = [f"{value:.{digits}g}" if value is not None and isfinite(value) else None for value in values]
    return [None if text is None else int(text) if text.lstrip("-").isdigit() else float(text) for text in texts]


def steps(values: Sequence[Number]) -> list[Number]:
    """The first value, then differences: short numbers where steps are even."""
    short = [round(value, 3) for value in values]
    gaps = [*short[:1], *(round(after - before, 3) for before, after in pairwise(short))]
    return [int(gap) if float(gap).is_integer() else gap for gap in gaps]
