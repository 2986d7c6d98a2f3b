"""Means with their intervals, over the seeds of one group."""

import math
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, SupportsFloat, TypeGuard

import numpy as np

Value = SupportsFloat | None
Kind = Literal["auto", "t", "bca"]

RESAMPLES = 9_999
BCA_FROM = 20
"""Below, BCa covers less than it says (docs/statistics.md)."""

_T_95 = (
    12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146,
    2.4469118511449786, 2.364624251592784, 2.306004135204166, 2.262157162798205, 2.228138851986274, 2.200985160091639,
    2.1788128296672284, 2.1603686564627913, 2.144786687917804, 2.131449545559776, 2.1199052992212546,
    2.1098155778333156, 2.1009220402410382,
)  # fmt: skip
"""scipy.special.stdtrit(freedom, 0.975) for 1 degree of freedom on, up to where BCa takes over."""

_ROUNDING = 8 * sys.float_info.epsilon


@dataclass(frozen=True)
class Interval:
    """A mean and the interval around it.

    Args:
        mean: None without a finite value.
        low: None with fewer than two values.
        high: as low.
        n: finite values.
        kind: t or bca.
        degenerate: the values are equal, so the width is zero and says nothing of the spread to expect.
        excluded: values left out since they are missing, NaN or infinite.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    kind: str
    degenerate: bool
    excluded: int = 0


def interval(values: Iterable[Value], *, kind: Kind = "auto", level: float = 0.95) -> Interval:
    """Mean with its interval: Student's t below 20 values, BCa from there on.

    BCa: Efron 1987, JASA 82, 171-185, by SciPy, with a fixed seed.

    Raises:
        ValueError: a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    given = list(values)
    kept = finite(given)
    n, excluded = len(kept), len(given) - len(kept)
    chosen = kind if kind != "auto" else "bca" if n >= BCA_FROM else "t"
    bounds = {"t": _t, "bca": _bca}[chosen]
    if n < 2:
        return Interval(kept[0] if kept else None, None, None, n, chosen, False, excluded)
    if equal(kept):
        return Interval(kept[0], kept[0], kept[0], n, chosen, True, excluded)
    unit = max(map(abs, kept))  # nothing overflows among values of the order of one
    low, high = (plain(float(bound) * unit) for bound in bounds(np.asarray(kept) / unit, level))
    return Interval(mean_of(kept), low, high, n, chosen, False, excluded)


def finite(values: Iterable[Value]) -> list[float]:
    """The values that are numbers."""
    return [number for value in values if value is not None and math.isfinite(number := float(value))]


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is one; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def mean_of(values: Sequence[float]) -> float:
    """The mean of finite values, at least one, however large they are."""
    try:
        return statistics.fmean(values)
    except OverflowError:
        unit = max(map(abs, values))
        return statistics.fmean(value / unit for value in values) * unit


def spread_of(values: Sequence[float]) -> float | None:
    """The standard deviation of a sample; None with one value, or where no float can hold it."""
    if len(values) < 2:
        return None
    unit = max(map(abs, values)) if max(map(abs, values)) > 1e150 else 1.0
    return plain(statistics.stdev(value / unit for value in values) * unit)


def plain(value: float) -> float | None:
    """A float that JSON can hold, or None."""
    return float(value) if math.isfinite(value) else None


def equal(values: Sequence[float], scale: float | None = None) -> bool:
    """Whether values differ by rounding alone, at the scale of the numbers they were computed from."""
    size = max(map(abs, values)) if scale is None else scale
    return bool(max(values) - min(values) <= _ROUNDING * size)


def _t(z: np.ndarray, level: float) -> tuple[float, float]:
    half = _quantile(z.size - 1, level) * z.std(ddof=1) / math.sqrt(z.size)
    return z.mean() - half, z.mean() + half


def _quantile(freedom: int, level: float) -> float:
    """Of Student's t, so that `level` lies within it; SciPy takes a third of a second to be loaded."""
    if level == 0.95 and freedom <= len(_T_95):
        return _T_95[freedom - 1]
    from scipy import special

    return float(special.stdtrit(freedom, (1 + level) / 2))


def _bca(z: np.ndarray, level: float) -> tuple[float, float]:
    from scipy import stats

    found = stats.bootstrap(
        (z,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, 4_000_000 // z.size),
        confidence_level=level,
        method="BCa",
        random_state=np.random.default_rng(0),  # SciPy before 1.15 knows no `rng`
    )
    return found.confidence_interval


@dataclass(frozen=True)
class Band:
    """Mean and t interval of several seeds' curves, a value a step; None where a step has too few finite values."""

    steps: list[float | int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    n: list[int]


def band(curves: Mapping[Any, tuple[Iterable[float | int], Iterable[Value]]], *, level: float = 0.95) -> Band:
    """The curves' mean and interval, on the steps that all of them have.

    Args:
        curves: seed -> (steps, values); a step given twice counts as last given, a curve without points not at all.
        level: of the interval.
    """
    from scipy import special

    tables = [table for steps, values in curves.values() if (table := dict(zip(steps, values, strict=True)))]
    steps = sorted(set.intersection(*map(set, tables))) if tables else []
    rows = [[math.nan if (value := table[step]) is None else float(value) for step in steps] for table in tables]
    y = np.array(rows).reshape(len(tables), len(steps))
    n = np.isfinite(y).sum(0)
    with np.errstate(all="ignore"):
        mean = np.where(np.isfinite(y), y, 0.0).sum(0) / n
        square = np.where(np.isfinite(y), (y - mean) ** 2, 0.0).sum(0) / (n - 1)
        half = special.stdtrit(n - 1.0, (1 + level) / 2) * np.sqrt(square / n)
        bounds = mean, mean - half, mean + half
    middle, low, high = ([value if math.isfinite(value) else None for value in row.tolist()] for row in bounds)
    return Band(steps, middle, low, high, n.tolist())
