"""Decimation of curves that preserves their appearance: minimum and maximum of every segment are kept."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import TypeGuard

import numpy as np

Number = int | float


def kept(values: Sequence[Number | None], most: int) -> list[int]:
    """Indices of the points to draw: both ends, and the minimum and maximum of each segment.

    Args:
        values: None, NaN and infinities are gaps; the first gap of a segment is kept.
        most: approximate number of points.
    """
    count = len(values)
    if count <= max(most, 4):
        return list(range(count))
    array = np.asarray(values, dtype=np.float64)  # None becomes NaN
    finite = np.isfinite(array)
    low, high = np.where(finite, array, np.inf), np.where(finite, array, -np.inf)
    segments = max(1, most // 2 - 1)
    indices = {0, count - 1}
    for segment in range(segments):
        start, end = segment * count // segments, (segment + 1) * count // segments
        gap = not finite[start:end].all()
        if not gap or finite[start:end].any():
            indices |= {start + int(low[start:end].argmin()), end - 1 - int(high[start:end][::-1].argmax())}
        if gap:
            indices.add(start + int(finite[start:end].argmin()))
    return sorted(indices)


def is_number(value: Number | None) -> TypeGuard[Number]:
    """True for a finite number."""
    return value is not None and isfinite(value)


def rounded(values: Sequence[Number | None], digits: int = 5) -> list[Number | None]:
    """Round to significant digits; None for missing and infinite values."""
    texts = [f"{value:.{digits}g}" if value is not None and isfinite(value) else None for value in values]
    return [None if text is None else int(text) if text.lstrip("-").isdigit() else float(text) for text in texts]


def steps(values: Sequence[Number]) -> list[Number]:
    """Delta encoding: the first value, then differences, which are short numbers for evenly spaced steps."""
    short = [round(value, 3) for value in values]
    gaps = [*short[:1], *(round(after - before, 3) for before, after in pairwise(short))]
    return [int(gap) if float(gap).is_integer() else gap for gap in gaps]
