"""Permutation tests of a difference of means: exact where all arrangements can be counted, drawn beyond."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.report.statistics.intervals import equal

FLIPPED = 20
"""Up to so many pairs all 2^n sign patterns are counted."""
SPLITS = 100_000
"""Up to so many ways to split the seeds into two arms all are counted."""
DRAWN = 99_999

_TIE = 1e-9
"""Of the data's own size: two thirds of 300 samples and twice one third must tie, though their floats do not."""


@dataclass(frozen=True)
class Chance:
    """A two-sided p and how it was found; None where nothing can be permuted."""

    p: float | None
    name: str


NONE = Chance(None, "none: fewer than two seeds")


def sign_flip(differences: Sequence[float]) -> Chance:
    """Share of sign patterns that give a sum at least as far from 0: Fisher 1935, The Design of Experiments, 21."""
    if len(differences) < 2:
        return NONE
    d = np.asarray(differences) / (max(map(abs, differences)) or 1.0)
    reach = abs(d.sum()) - _TIE * np.abs(d).sum()
    if d.size <= FLIPPED:
        return Chance(float(np.mean(np.abs(_flipped(d)) >= reach)), "sign-flip, exact")
    return Chance((1 + _drawn(d, reach)) / (1 + DRAWN), "sign-flip, Monte Carlo")


def _flipped(d: np.ndarray) -> np.ndarray:
    """Sums under every sign pattern that leaves the first sign: the others are their mirror images."""
    sums = d[:1]
    for step in d[1:]:
        sums = np.concatenate((sums + step, sums - step))
    return sums


def _drawn(d: np.ndarray, reach: float) -> int:
    """How many of `DRAWN` random sign patterns reach as far."""
    rng, hits, rows = np.random.default_rng(0), 0, max(1, 2_000_000 // d.size)
    for start in range(0, DRAWN, rows):
        signs = rng.integers(0, 2, (min(rows, DRAWN - start), d.size), dtype=np.int8)
        hits += int((np.abs((2 * signs - 1) @ d) >= reach).sum())
    return hits


def split(a: Sequence[float], b: Sequence[float]) -> Chance:
    """Twice the smaller share of splits whose difference of means lies as far out, as SciPy's permutation_test.

    SciPy's own p is not used: it loses ties among rounded values, such as accuracies on 300 samples.
    """
    if min(len(a), len(b)) < 2:
        return NONE
    pooled = [*a, *b]
    if equal(pooled):
        return Chance(1.0, "permutation, exact")
    z = np.asarray(pooled) / max(map(abs, pooled))
    z = (z - z.mean()) / np.ptp(z)
    exact = math.comb(len(pooled), len(a)) <= SPLITS
    null, observed = _splits(z[: len(a)], z[len(a) :], exact)
    tail = min((null >= observed - _TIE).sum(), (null <= observed + _TIE).sum())
    p = tail / null.size if exact else (tail + 1) / (null.size + 1)
    return Chance(min(1.0, 2 * float(p)), "permutation, exact" if exact else "permutation, Monte Carlo")


def _splits(a: np.ndarray, b: np.ndarray, exact: bool) -> tuple[np.ndarray, float]:
    """Differences of means over all splits, or a sample of them, and the one observed."""
    from scipy import stats  # a second, which only those who come here pay

    found = stats.permutation_test(
        (a, b),
        lambda x, y, axis: x.mean(axis) - y.mean(axis),
        n_resamples=np.inf if exact else DRAWN,
        batch=max(1, 2_000_000 // (a.size + b.size)),
        vectorized=True,
        random_state=np.random.default_rng(0),  # SciPy before 1.15 knows no `rng`
    )
    return found.null_distribution, float(found.statistic)


def smallest_p(n: int, paired: bool = True) -> float:
    """The p that n seeds an arm cannot go below: 2 of 2^n sign patterns, or 2 of the (2n over n) splits."""
    return min(1.0, 2 / (2**n if paired else math.comb(2 * n, n)))
