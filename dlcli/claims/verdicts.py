"""Whether a claim holds: intervals over seeds against what was stated beforehand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcli.claims.relations import Comparison, Relation
from dlcli.report.statistics.intervals import interval

ALPHA = 0.05
"""Shared by all intervals of a claim (Bonferroni)."""
FEWEST = 5
"""Seeds, below which nothing is decided."""

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"

Values = Mapping[tuple[str, str], Mapping[int, float | None]]
"""(arm, metric) -> seed -> value; None where a run has none."""


@dataclass(frozen=True)
class Judgement:
    """What became of one comparison.

    Args:
        verdict: holds, does not hold or undecided.
        estimate: mean over seeds, of a ratio the geometric one; None without a value.
        low: of its interval.
        high: as low.
        seeds: with a value.
        note: why it is undecided, or what to be wary of.
    """

    comparison: Comparison
    verdict: str
    estimate: float | None
    low: float | None
    high: float | None
    seeds: int
    note: str = ""


def level_of(relations: Sequence[Relation]) -> float:
    """Of each interval, so that all of them hold together at 95 % at least."""
    return 1 - ALPHA / sum(len(one.comparisons) for one in relations)


def judge(comparison: Comparison, values: Values, seeds: Sequence[int], level: float) -> Judgement:
    """The t interval of what is compared, against its region; arms are paired by seed."""
    columns = [
        values.get((arm, metric), {}) for arm, metric in zip(comparison.arms, comparison.metrics, strict=True)
    ]  # fmt: skip
    note = next(
        (said for arm, column in zip(comparison.arms, columns, strict=True) if (said := _lack(arm, column, seeds))), ""
    )
    whole = [seed for seed in seeds if all(_is_number(column.get(seed)) for column in columns)]
    if comparison.kind == "ratio" and any(not column[seed] > 0 for column in columns for seed in whole):  # type: ignore[operator]
        return Judgement(comparison, UNDECIDED, None, None, None, len(whole), "a ratio needs values above 0")
    found = interval([_compared(comparison, columns, seed) for seed in whole], kind="t", level=level)
    back = _exp if comparison.kind == "ratio" else _same
    estimate, low, high = back(found.mean), back(found.low), back(found.high)
    if not note and len(whole) < FEWEST:
        note = f"{FEWEST} seeds decide, not {len(whole)}"
    verdict = UNDECIDED if note or low is None or high is None else _verdict(comparison, low, high)
    if not note and found.degenerate:
        note = "all seeds are equal, so the interval says nothing of the spread to expect"
    return Judgement(comparison, verdict, estimate, low, high, len(whole), note)


def overall(verdicts: Sequence[str]) -> str:
    """Of several that must all hold."""
    if FAILS in verdicts:
        return FAILS
    return HOLDS if verdicts and all(one == HOLDS for one in verdicts) else UNDECIDED


def _lack(arm: str, column: Mapping[int, float | None], seeds: Sequence[int]) -> str:
    missing = [seed for seed in seeds if column.get(seed) is None]
    if len(missing) == len(seeds):
        return f"{arm}: no run has a value"
    if missing:
        return f"{arm}: seeds {', '.join(map(str, missing))} have no value"
    odd = [seed for seed in seeds if not _is_number(column[seed])]
    return f"{arm}: seeds {', '.join(map(str, odd))} are not numbers" if odd else ""


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _compared(comparison: Comparison, columns: Sequence[Mapping[int, float | None]], seed: int) -> float:
    a, *rest = (float(column[seed]) for column in columns)  # type: ignore[arg-type]
    if comparison.kind == "mean":
        return a
    if comparison.kind == "ratio":
        return comparison.sign * (math.log(a) - math.log(rest[0]))
    return comparison.sign * (a - rest[0])


def _verdict(comparison: Comparison, low: float, high: float) -> str:
    """A difference must lie beyond its margin; a mean may touch the end of its range."""
    if comparison.kind == "mean":
        if comparison.low <= low and high <= comparison.high:
            return HOLDS
        return FAILS if high < comparison.low or low > comparison.high else UNDECIDED
    if low > comparison.low:
        return HOLDS
    return FAILS if high <= comparison.low else UNDECIDED


def _same(value: float | None) -> float | None:
    return value


def _exp(value: float | None) -> float | None:
    if value is None:
        return None
    return math.exp(value) if value < 700 else math.inf
