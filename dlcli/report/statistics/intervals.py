"""Means with confidence intervals over the seeds of one group."""

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
BCA_FROM, BCA_UNTIL = 20, 500
"""Numbers of values for which BCa is used: below, its coverage is lower than nominal (docs/statistics.md); above, it
equals Student's t and costs seconds."""

_T_95 = (
    12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934, 2.5705818356363146,
    2.4469118511449786, 2.364624251592784, 2.306004135204166, 2.262157162798205, 2.228138851986274, 2.200985160091639,
    2.1788128296672284, 2.1603686564627913, 2.144786687917804, 2.131449545559776, 2.1199052992212546,
    2.1098155778333156, 2.1009220402410382,
)  # fmt: skip
"""scipy.special.stdtrit(freedom, 0.975) for 1 to 18 degrees of freedom, the range of t intervals."""

_ROUNDING = 8 * sys.float_info.epsilon


@dataclass(frozen=True)
class Interval:
    """Mean with a confidence interval.

    Args:
        mean: mean of the finite values; None without one.
        low: lower end of the interval; None with fewer than two values.
        high: upper end of the interval.
        n: number of finite values.
        kind: t or bca.
        degenerate: True if the values are equal, so that the interval has zero width and does not estimate the spread.
        excluded: number of values that are missing, NaN or infinite.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    kind: str
    degenerate: bool
    excluded: int = 0


def interval(values: Iterable[Value], *, kind: Kind = "auto", level: float = 0.95) -> Interval:
    """Mean with its confidence interval.

    Args:
        values: values of the seeds; None, NaN and infinities are excluded.
        kind: "t" for Student's t; "bca" for the bootstrap of Efron 1987, JASA 82, 171-185, by SciPy with a fixed seed;
            "auto" for BCa from `BCA_FROM` to `BCA_UNTIL` values and t otherwise.
        level: confidence level in (0, 1).

    Raises:
        ValueError: the level is outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    total = list(values)
    numbers = finite(total)
    n, excluded = len(numbers), len(total) - len(numbers)
    used = kind if kind != "auto" else "bca" if BCA_FROM <= n <= BCA_UNTIL else "t"
    bounds = {"t": _t, "bca": _bca}[used]
    if n < 2:
        return Interval(numbers[0] if numbers else None, None, None, n, used, False, excluded)
    if equal(numbers):
        return Interval(numbers[0], numbers[0], numbers[0], n, used, True, excluded)
    unit = max(map(abs, numbers))  # scaled values cannot overflow
    low, high = (plain(float(bound) * unit) for bound in bounds(np.asarray(numbers) / unit, level))
    return Interval(mean_of(numbers), low, high, n, used, False, excluded)


def finite(values: Iterable[Value]) -> list[float]:
    """Values that are finite numbers."""
    return [number for value in values if value is not None and math.isfinite(number := float(value))]


def is_number(value: Any) -> TypeGuard[int | float]:
    """True for an integer or float, also NaN and infinity; False for booleans."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def mean_of(values: Sequence[float]) -> float:
    """Mean of at least one finite value, without overflow."""
    try:
        return statistics.fmean(values)
    except OverflowError:
        unit = max(map(abs, values))
        return statistics.fmean(value / unit for value in values) * unit


def standard_deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation; None with fewer than two values, or if it overflows."""
    if len(values) < 2:
        return None
    unit = max(map(abs, values)) if max(map(abs, values)) > 1e150 else 1.0
    return plain(statistics.stdev(value / unit for value in values) * unit)


def plain(value: float) -> float | None:
    """The value as a float that JSON can represent; None if it is not finite."""
    return float(value) if math.isfinite(value) else None


def equal(values: Sequence[float], scale: float | None = None) -> bool:
    """True if the values are equal up to floating-point rounding.

    Args:
        scale: magnitude of the numbers from which the values were computed; None for their own.
    """
    size = max(map(abs, values)) if scale is None else scale
    return bool(max(values) - min(values) <= _ROUNDING * size)


def _t(z: np.ndarray, level: float) -> tuple[float, float]:
    half = _quantile(z.size - 1, level) * z.std(ddof=1) / math.sqrt(z.size)
    return z.mean() - half, z.mean() + half


def _quantile(freedom: int, level: float) -> float:
    """Two-sided quantile of Student's t, from the table if possible: importing SciPy takes a third of a second."""
    if level == 0.95 and freedom <= len(_T_95):
        return _T_95[freedom - 1]
    from scipy import special

    return float(special.stdtrit(freedom, (1 + level) / 2))


def _bca(z: np.ndarray, level: float) -> tuple[float, float]:
    from scipy import stats

    result = stats.bootstrap(
        (z,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, 4_000_000 // z.size),
        confidence_level=level,
        method="BCa",
        random_state=np.random.default_rng(0),  # SciPy before 1.15 has no `rng`
    )
    return result.confidence_interval


@dataclass(frozen=True)
class Band:
    """Mean and t interval of the curves of several seeds, per step; None for steps with too few finite values."""

    steps: list[float | int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    n: list[int]


def band(curves: Mapping[Any, tuple[Iterable[float | int], Iterable[Value]]], *, level: float = 0.95) -> Band:
    """Mean and t interval of curves on their common steps.

    Args:
        curves: (steps, values) by seed; of a repeated step the last value is used, and empty curves are ignored.
        level: confidence level of the interval.
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
    center, low, high = ([value if math.isfinite(value) else None for value in row.tolist()] for row in bounds)
    return Band(steps, center, low, high, n.tolist())
