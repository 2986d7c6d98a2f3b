"""Whether a difference between arms is more than the seeds': the intervals, tests and effects `compare` prints."""

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from dlcli.core.errors import UsageError, nearest
from dlcli.report.statistics.correction import holm, seeds_needed, sentence
from dlcli.report.statistics.intervals import Band, Interval, Value, band, equal, finite, interval, plain
from dlcli.report.statistics.permutation import sign_flip, smallest_p, split

__all__ = [
    "Arm", "Band", "Interval", "Pair", "band", "compare_arms", "compare_pair", "holm", "interval", "paired",
    "seeds_needed", "sentence", "smallest_p", "unpaired",
]  # fmt: skip

Arm = Mapping[Any, Value]
"""Seed -> value; None, NaN and infinities are left out and counted."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two arms compared.

    Args:
        n: pairs, or seeds of the smaller arm.
        paired: by seed.
        difference: mean of a minus mean of b, over the seeds used.
        low: of its interval; None with fewer than two seeds.
        high: as low.
        p: two-sided; None with fewer than two seeds.
        p_holm: p corrected over the family.
        effect: None where the spread is zero and the difference is not.
        effect_name: Cohen's d_z or Hedges' g.
        test: how p was found.
        degenerate: no spread, so the interval has no width and says nothing of the spread to expect.
        excluded: values of both arms left out since they are missing, NaN or infinite.
        unmatched: finite values left out since the other arm has none at that seed.
        note: why arms that share seeds are not paired.
    """

    a: str = "a"
    b: str = "b"
    n: int
    paired: bool
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None = None
    effect: float | None
    effect_name: str
    test: str
    degenerate: bool = False
    excluded: int = 0
    unmatched: int = 0
    note: str = ""


def paired(a: Arm, b: Arm, *, level: float = 0.95) -> Pair:
    """Over the seeds both arms have: t interval of the difference, exact sign-flip p, Cohen's d_z."""
    both = [seed for seed in a if seed in b and len(finite((a[seed], b[seed]))) == 2]
    x, y = finite(a[seed] for seed in both), finite(b[seed] for seed in both)
    d = _differences(x, y)
    around, test = interval(d, kind="t", level=level), sign_flip(d)
    return Pair(
        n=len(d),
        paired=True,
        difference=around.mean,
        low=around.low,
        high=around.high,
        p=test.p,
        effect=_effect(d) if len(d) > 1 else None,
        effect_name="Cohen's d_z",
        test=test.name,
        degenerate=around.degenerate,
        excluded=_excluded(a, b),
        unmatched=len(finite(a.values())) + len(finite(b.values())) - 2 * len(d),
    )


def _differences(x: Sequence[float], y: Sequence[float]) -> list[float]:
    """x - y where that is more than rounding: arms that agree to the last digit but one differ by nothing."""
    d = [0.0 if equal((v, w)) else v - w for v, w in zip(x, y, strict=True)]
    if d and equal(d, scale=max(map(abs, (*x, *y)))):
        d = [d[0]] * len(d)
    return finite(d)


def _excluded(a: Arm, b: Arm) -> int:
    return sum(len(arm) - len(finite(arm.values())) for arm in (a, b))


def _effect(d: Sequence[float]) -> float | None:
    """Mean over standard deviation, of values of the order of one."""
    unit = max(map(abs, d)) or 1.0
    z = [value / unit for value in d]
    return _ratio(statistics.fmean(z), statistics.stdev(z))


def _ratio(difference: float, spread: float) -> float | None:
    if spread == 0:
        return 0.0 if difference == 0 else None
    return plain(difference / spread)


def unpaired(a: Arm, b: Arm, *, level: float = 0.95) -> Pair:
    """Over all seeds of both arms: Welch's interval, permutation p, Hedges' g."""
    x, y = finite(a.values()), finite(b.values())
    test, same = split(x, y), bool(x and y) and equal((*x, *y))
    difference = (0.0 if same else statistics.mean(x) - statistics.mean(y)) if x and y else None
    measured = difference is not None and min(len(x), len(y)) > 1
    still = measured and equal(x) and equal(y)
    low, high = (difference, difference) if still else _welch(x, y, level) if measured else (None, None)
    return Pair(
        n=min(len(x), len(y)),
        paired=False,
        difference=None if difference is None else plain(difference),
        low=low,
        high=high,
        p=test.p,
        effect=_hedges(difference, x, y, still) if measured and difference is not None else None,
        effect_name="Hedges' g",
        test=test.name,
        degenerate=still,
        excluded=_excluded(a, b),
    )


def _welch(x: Sequence[float], y: Sequence[float], level: float) -> tuple[float | None, float | None]:
    """Welch 1947, Biometrika 34, 28-35, by SciPy, on values of the order of one."""
    from scipy import stats  # a second, which only those who come here pay

    unit = max(map(abs, (*x, *y)))
    z = np.asarray([*x, *y]) / unit
    z -= z.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an arm without spread of its own
        low, high = stats.ttest_ind(z[: len(x)], z[len(x) :], equal_var=False).confidence_interval(level)
    return plain(float(low) * unit), plain(float(high) * unit)


def _hedges(difference: float, x: Sequence[float], y: Sequence[float], still: bool) -> float | None:
    """Standardised difference, unbiased: Hedges 1981, Journal of Educational Statistics 6, equation 6e."""
    freedom, unit = len(x) + len(y) - 2, max(map(abs, (*x, *y))) or 1.0
    x, y = ([value / unit for value in arm] for arm in (x, y))
    spread = math.hypot(*((len(arm) - 1) ** 0.5 * statistics.stdev(arm) for arm in (x, y))) / freedom**0.5
    log_j = math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2) - math.log(freedom / 2) / 2
    return _ratio(math.exp(log_j) * (difference / unit), 0.0 if still else spread)


def compare_pair(a: Arm, b: Arm, *, level: float = 0.95) -> Pair:
    """Paired where all seeds of the smaller arm, and at least two, are the other's too; unpaired otherwise.

    Seeds decide, not values: a run that diverged changes no pairing, as long as two pairs of numbers remain.
    """
    shared = a.keys() & b.keys()
    whole = [seed for seed in shared if len(finite((a[seed], b[seed]))) == 2]
    smaller = min(len(a), len(b))
    if len(shared) == smaller and len(whole) >= 2:
        return paired(a, b, level=level)
    count = f"{len(shared)} of {smaller} seeds shared" if len(shared) < smaller else f"{len(whole)} whole pairs"
    return replace(unpaired(a, b, level=level), note=f"{count}: not paired" if shared and smaller > 1 else "")


def compare_arms(
    arms: Mapping[str, Arm], baseline: str, all_pairs: bool = False, *, picked: bool = False, level: float = 0.95
) -> list[Pair]:
    """Every arm against the baseline, or every pair, with p corrected by Holm over the family.

    Args:
        arms: seed -> value, by name; of one task and one metric.
        baseline: always the `b` of its pairs.
        all_pairs: the family is every pair.
        picked: the baseline was chosen for its results (the best): any pair might then have been shown, so p is
            corrected over all of them.
        level: of the intervals.

    Raises:
        UsageError: the baseline is no arm.
    """
    if baseline not in arms:
        raise UsageError(f"no arm is called {baseline!r}{nearest(baseline, arms)}")
    names = [*(name for name in arms if name != baseline), baseline]
    family = [names_of for names_of in combinations(names, 2) if all_pairs or picked or baseline in names_of]
    found = [replace(compare_pair(arms[a], arms[b], level=level), a=a, b=b) for a, b in family]
    corrected = [replace(pair, p_holm=p) for pair, p in zip(found, holm([pair.p for pair in found]), strict=True)]
    return [pair for pair in corrected if all_pairs or pair.b == baseline]
