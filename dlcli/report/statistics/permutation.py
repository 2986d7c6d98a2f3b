"""Permutation tests of a difference of means: exact for small samples, Monte Carlo otherwise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.report.statistics.intervals import equal

MOST_EXACT_PAIRS = 20
"""Largest number of pairs for which all 2^n sign patterns are enumerated."""
MOST_EXACT_SPLITS = 100_000
"""Largest number of splits of the seeds into two arms for which all are enumerated."""
RANDOM_SAMPLES = 99_999
_FEWEST_SAMPLES, _MOST_SIGNS = 9_999, 10_000_000  # large arms: standard error of p at most 0.005, 0.002 at p = 0.05

_TIE = 1e-9
"""Relative tolerance of ties: equal accuracies on 300 samples can differ in floating point."""


@dataclass(frozen=True)
class PValue:
    """Two-sided p-value and the name of its test; None if nothing can be permuted."""

    p: float | None
    name: str


UNTESTED = PValue(None, "none: fewer than two seeds")


def sign_flip_test(differences: Sequence[float]) -> PValue:
    """Sign-flip test: fraction of sign patterns with a sum at least as far from 0.

    Source: Fisher 1935, The Design of Experiments, section 21.
    """
    if len(differences) < 2:
        return UNTESTED
    d = np.asarray(differences) / (max(map(abs, differences)) or 1.0)
    observed = abs(d.sum()) - _TIE * np.abs(d).sum()
    if d.size <= MOST_EXACT_PAIRS:
        return PValue(float(np.mean(np.abs(_all_sums(d)) >= observed)), "sign-flip, exact")
    samples = min(RANDOM_SAMPLES, max(_FEWEST_SAMPLES, _MOST_SIGNS // d.size))
    return PValue((1 + _count_extreme(d, observed, samples)) / (1 + samples), "sign-flip, Monte Carlo")


def _all_sums(d: np.ndarray) -> np.ndarray:
    """Sums under every sign pattern that keeps the first sign; the others are their mirror images."""
    sums = d[:1]
    for step in d[1:]:
        sums = np.concatenate((sums + step, sums - step))
    return sums


def _count_extreme(d: np.ndarray, observed: float, samples: int) -> int:
    """Number of random sign patterns, out of `samples`, with a sum at least as extreme as the observed one."""
    rng, hits, rows = np.random.default_rng(0), 0, max(1, 2_000_000 // d.size)
    for start in range(0, samples, rows):
        signs = rng.integers(0, 2, (min(rows, samples - start), d.size), dtype=np.int8)
        hits += int((np.abs((2 * signs - 1) @ d) >= observed).sum())
    return hits


def permutation_test(a: Sequence[float], b: Sequence[float]) -> PValue:
    """Permutation test of two samples: twice the smaller tail of the differences of means, as in SciPy.

    The p of SciPy is not used because it misses ties of rounded values, such as accuracies on 300 samples.
    """
    if min(len(a), len(b)) < 2:
        return UNTESTED
    pooled = [*a, *b]
    if equal(pooled):
        return PValue(1.0, "permutation, exact")
    z = np.asarray(pooled) / max(map(abs, pooled))
    z = (z - z.mean()) / np.ptp(z)
    exact = math.comb(len(pooled), len(a)) <= MOST_EXACT_SPLITS
    null, observed = _splits(z[: len(a)], z[len(a) :], exact)
    tail = min((null >= observed - _TIE).sum(), (null <= observed + _TIE).sum())
    p = tail / null.size if exact else (tail + 1) / (null.size + 1)
    return PValue(min(1.0, 2 * float(p)), "permutation, exact" if exact else "permutation, Monte Carlo")


def _splits(a: np.ndarray, b: np.ndarray, exact: bool) -> tuple[np.ndarray, float]:
    """Differences of means over all splits or a sample of them, and the observed difference."""
    from scipy import stats  # the import takes about a second

    result = stats.permutation_test(
        (a, b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        n_resamples=np.inf if exact else RANDOM_SAMPLES,
        batch=max(1, 2_000_000 // (a.size + b.size)),
        vectorized=True,
        random_state=np.random.default_rng(0),  # SciPy before 1.15 has no `rng`
    )
    return result.null_distribution, float(result.statistic)


def smallest_p(n: int, paired: bool = True) -> float:
    """Smallest attainable p with n seeds per arm: 2 of 2^n sign patterns, or 2 of (2n choose n) splits."""
    return min(1.0, 2 / (2**n if paired else math.comb(2 * n, n)))
