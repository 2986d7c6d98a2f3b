"""Curves with few points that look the same: the least and the greatest value of every stretch stay."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import TypeGuard

Number = int | float


def kept(values: Sequence[Number | None], most: int) -> list[int]:
    """Places of the points that stay: the ends, and each stretch's least and greatest value."""
    count = len(values)
    if count <= max(most, 4):
        return list(range(count))
    stretches = max(1, most // 2 - 1)
    places = {0, count - 1}
    for number in range(stretches):
        stretch = range(number * count // stretches, (number + 1) * count // stretches)
        known = [(value, place) for place in stretch if (value := values[place]) is not None and isfinite(value)]
        if known:
            places |= {min(known)[1], max(known)[1]}
        if len(known) < len(stretch):
            places.add(next(place for place in stretch if not is_number(values[place])))
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
