"""Curves with few points that look the same: the least and the greatest value of every stretch stay."""

import math
from collections.abc import Sequence
from itertools import pairwise

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
        known = [place for place in stretch if is_number(values[place])]
        if known:
            places |= {min(known, key=values.__getitem__), max(known, key=values.__getitem__)}
        if len(known) < len(stretch):
            places.add(next(place for place in stretch if not is_number(values[place])))
    return sorted(places)


def is_number(value: Number | None) -> bool:
    return value is not None and math.isfinite(value)


def rounded(values: Sequence[Number | None], digits: int = 5) -> list[Number | None]:
    """Significant digits that a screen can show; None where there is no finite number."""
    return [_short(float(f"{value:.{digits}g}")) if is_number(value) else None for value in values]  # type: ignore[str-format]


def _short(value: Number) -> Number:
    return int(value) if float(value).is_integer() and abs(value) < 1e15 else value


def steps(values: Sequence[Number]) -> list[Number]:
    """The first value, then differences: short numbers where steps are even."""
    short = [_short(float(f"{value:.9g}")) for value in values]
    if not all(isinstance(value, int) for value in short):
        short = [_short(round(value * 1000) / 1000) for value in short]
    gaps = [_short(round(after - before, 3)) for before, after in pairwise(short)]
    return [*short[:1], *gaps]
