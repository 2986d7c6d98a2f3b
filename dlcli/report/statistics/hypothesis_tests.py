"""Hypothesis tests of differences between arms over seeds: intervals, p-values and effect sizes."""

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from dlcli.core.errors import UsageError
from dlcli.report.statistics.correction import holm, power_statement, seeds_needed
from dlcli.report.statistics.intervals import Band, Interval, Value, band, equal, finite, interval, plain
from dlcli.report.statistics.permutation import permutation_test, sign_flip_test, smallest_p

__all__ = [
    "Arm",
    "ArmComparison",
    "Band",
    "Interval",
    "band",
    "compare_arms",
    "compare_pair",
    "holm",
    "interval",
    "paired",
    "power_statement",
    "seeds_needed",
    "smallest_p",
    "unpaired",
]  # fmt: skip

Arm = Mapping[Any, Value]
"""Values by seed; None, NaN and infinities are excluded and counted."""


@dataclass(frozen=True, kw_only=True)
class ArmComparison:
    """Comparison of two arms.

    Args:
        a: name of the first arm.
        b: name of the second arm.
        n: number of pairs, or of seeds of the smaller arm.
        paired: True if values are paired by seed.
        difference: mean of a minus mean of b, over the seeds used.
        low: lower end of the confidence interval of the difference; None with fewer than two seeds.
        high: upper end of the interval.
        p: two-sided p-value; None with fewer than two seeds.
        p_holm: p corrected over the family of comparisons.
        effect: effect size; None for a nonzero difference without spread.
        effect_name: Cohen's d_z or Hedges' g.
        test: name of the test.
        degenerate: True without spread, so that the interval has zero width and does not estimate the spread.
        excluded: number of values of both arms that are missing, NaN or infinite.
        unmatched: number of finite values without a partner at the same seed.
        note: reason for which arms that share seeds are not paired.
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


def paired(a: Arm, b: Arm, *, level: float = 0.95) -> ArmComparison:
    """Compare two arms over their common seeds: t interval of the difference, exact sign-flip p, Cohen's d_z.

    Args:
        a, b: values by seed.
        level: confidence level of the interval.
    """
    shared = [seed for seed in a if seed in b and len(finite((a[seed], b[seed]))) == 2]
    x, y = finite(a[seed] for seed in shared), finite(b[seed] for seed in shared)
    d = _differences(x, y)
    estimate, test = interval(d, kind="t", level=level), sign_flip_test(d)
    return ArmComparison(
        n=len(d),
        paired=True,
        difference=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        p=test.p,
        effect=_effect(d) if len(d) > 1 else None,
        effect_name="Cohen's d_z",
        test=test.name,
        degenerate=estimate.degenerate,
        excluded=_excluded(a, b),
        unmatched=len(finite(a.values())) + len(finite(b.values())) - 2 * len(d),
    )


def _differences(x: Sequence[float], y: Sequence[float]) -> list[float]:
    """Differences x - y; those within floating-point rounding become 0, and nearly equal ones become equal."""
    d = [0.0 if equal((v, w)) else v - w for v, w in zip(x, y, strict=True)]
    if d and equal(d, scale=max(map(abs, (*x, *y)))):
        d = [d[0]] * len(d)
    return finite(d)


def _excluded(a: Arm, b: Arm) -> int:
    return sum(len(arm) - len(finite(arm.values())) for arm in (a, b))


def _effect(d: Sequence[float]) -> float | None:
    """Cohen's d_z: mean over standard deviation, scaled against overflow."""
    unit = max(map(abs, d)) or 1.0
    z = [value / unit for value in d]
    return _ratio(statistics.fmean(z), statistics.stdev(z))


def _ratio(difference: float, spread: float) -> float | None:
    if spread == 0:
        return 0.0 if difference == 0 else None
    return plain(difference / spread)


def unpaired(a: Arm, b: Arm, *, level: float = 0.95) -> ArmComparison:
    """Compare two arms over all of their seeds: Welch's interval, permutation p, Hedges' g.

    Args:
        a, b: values by seed.
        level: confidence level of the interval.
    """
    x, y = finite(a.values()), finite(b.values())
    test, same = permutation_test(x, y), bool(x and y) and equal((*x, *y))
    difference = (0.0 if same else statistics.mean(x) - statistics.mean(y)) if x and y else None
    testable = difference is not None and min(len(x), len(y)) > 1
    constant = testable and equal(x) and equal(y)
    low, high = (difference, difference) if constant else _welch(x, y, level) if testable else (None, None)
    return ArmComparison(
        n=min(len(x), len(y)),
        paired=False,
        difference=None if difference is None else plain(difference),
        low=low,
        high=high,
        p=test.p,
        effect=_hedges(difference, x, y, constant) if testable and difference is not None else None,
        effect_name="Hedges' g",
        test=test.name,
        degenerate=constant,
        excluded=_excluded(a, b),
    )


def _welch(x: Sequence[float], y: Sequence[float], level: float) -> tuple[float | None, float | None]:
    """Confidence interval of Welch 1947, Biometrika 34, 28-35, by SciPy, scaled against overflow."""
    from scipy import stats  # the import takes about a second

    unit = max(map(abs, (*x, *y)))
    z = np.asarray([*x, *y]) / unit
    z -= z.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one arm without spread
        low, high = stats.ttest_ind(z[: len(x)], z[len(x) :], equal_var=False).confidence_interval(level)
    return plain(float(low) * unit), plain(float(high) * unit)


def _hedges(difference: float, x: Sequence[float], y: Sequence[float], constant: bool) -> float | None:
    """Unbiased standardized difference: Hedges 1981, Journal of Educational Statistics 6, equation 6e."""
    freedom, unit = len(x) + len(y) - 2, max(map(abs, (*x, *y))) or 1.0
    x, y = ([value / unit for value in arm] for arm in (x, y))
    spread = math.hypot(*((len(arm) - 1) ** 0.5 * statistics.stdev(arm) for arm in (x, y))) / freedom**0.5
    log_j = math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2) - math.log(freedom / 2) / 2
    return _ratio(math.exp(log_j) * (difference / unit), 0.0 if constant else spread)


def compare_pair(a: Arm, b: Arm, *, level: float = 0.95) -> ArmComparison:
    """Compare two arms, paired if the other arm has all seeds of the smaller one and two pairs are finite.

    The seeds decide on pairing, not the values: a diverged run does not change it while two finite pairs remain.

    Args:
        a, b: values by seed.
        level: confidence level of the interval.
    """
    shared = a.keys() & b.keys()
    complete = [seed for seed in shared if len(finite((a[seed], b[seed]))) == 2]
    smaller = min(len(a), len(b))
    if len(shared) == smaller and len(complete) >= 2:
        return paired(a, b, level=level)
    count = f"{len(shared)} of {smaller} seeds shared" if len(shared) < smaller else f"{len(complete)} complete pairs"
    return replace(unpaired(a, b, level=level), note=f"{count}: not paired" if shared and smaller > 1 else "")


def compare_arms(
    arms: Mapping[str, Arm], baseline: str, all_pairs: bool = False, *, picked: bool = False, level: float = 0.95
) -> list[ArmComparison]:
    """Compare every arm with the baseline, or every pair, with p corrected by Holm over the family.

    Args:
        arms: values by seed, by name of the arm; of one task and one metric.
        baseline: name of the baseline, which is the `b` of its pairs.
        all_pairs: compare every pair.
        picked: True if the baseline was chosen by its results. Any pair could then have been selected, so that p is
            corrected over all pairs.
        level: confidence level of the intervals.

    Raises:
        UsageError: the baseline is not among the arms.
    """
    if baseline not in arms:
        raise UsageError("unknown_name", kind="baseline", name=baseline, known=arms)
    names = [*(name for name in arms if name != baseline), baseline]
    family = [pair for pair in combinations(names, 2) if all_pairs or picked or baseline in pair]
    pairs = [replace(compare_pair(arms[a], arms[b], level=level), a=a, b=b) for a, b in family]
    corrected = [replace(pair, p_holm=p) for pair, p in zip(pairs, holm([pair.p for pair in pairs]), strict=True)]
    return [pair for pair in corrected if all_pairs or pair.b == baseline]
