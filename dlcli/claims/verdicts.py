"""Verdicts on claims: confidence intervals over seeds compared with regions stated in advance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcli.claims.relations import Relation, RelationResult
from dlcli.report.statistics.intervals import interval

ALPHA = 0.05
"""Error probability of all intervals of a claim together (Bonferroni)."""
FEWEST = 5
"""Smallest number of seeds for a decision."""

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"

Values = Mapping[tuple[str, str], Mapping[int, float | None]]
"""Values by (arm, metric), then by seed; None for a run without a value."""


@dataclass(frozen=True)
class Judgment:
    """Result of one comparison.

    Args:
        comparison: the comparison.
        verdict: holds, does not hold or undecided.
        estimate: mean over seeds, geometric for a ratio; None without a value.
        low: lower end of the interval.
        high: upper end of the interval.
        seeds: number of seeds with a value.
        note: reason for an undecided verdict, or a warning.
    """

    comparison: RelationResult
    verdict: str
    estimate: float | None
    low: float | None
    high: float | None
    seeds: int
    note: str = ""


def level_of(relations: Sequence[Relation]) -> float:
    """Confidence level of each interval, such that all intervals hold together with at least 95 %."""
    return 1 - ALPHA / sum(len(relation.comparisons) for relation in relations)


def judge(comparison: RelationResult, values: Values, seeds: Sequence[int], level: float) -> Judgment:
    """Compare a t interval with its region. Arms are paired by seed.

    Args:
        comparison: arms, metrics and region.
        values: values by arm and metric, by seed.
        seeds: seeds of the runs.
        level: confidence level of the interval.
    """
    columns = [
        values.get((arm, metric), {}) for arm, metric in zip(comparison.arms, comparison.metrics, strict=True)
    ]  # fmt: skip
    note = next(
        (text for arm, column in zip(comparison.arms, columns, strict=True) if (text := _missing(arm, column, seeds))),
        "",
    )
    complete = [seed for seed in seeds if all(_is_number(column.get(seed)) for column in columns)]
    if comparison.kind == "ratio" and any(not column[seed] > 0 for column in columns for seed in complete):  # type: ignore[operator]
        return Judgment(comparison, UNDECIDED, None, None, None, len(complete), "a ratio requires positive values")
    result = interval([_compared(comparison, columns, seed) for seed in complete], kind="t", level=level)
    estimate, low, high = result.mean, result.low, result.high
    if comparison.kind == "ratio":
        estimate, low, high = _exp(estimate), _exp(low), _exp(high)
    if not note and len(complete) < FEWEST:
        note = f"at least {FEWEST} seeds are required, got {len(complete)}"
    verdict = UNDECIDED if note or low is None or high is None else _verdict(comparison, low, high)
    if not note and result.degenerate:
        note = "all values are equal, so the interval does not estimate the spread"
    return Judgment(comparison, verdict, estimate, low, high, len(complete), note)


def overall(verdicts: Sequence[str]) -> str:
    """Combine verdicts that must all hold."""
    if FAILS in verdicts:
        return FAILS
    return HOLDS if verdicts and all(verdict == HOLDS for verdict in verdicts) else UNDECIDED


def _missing(arm: str, column: Mapping[int, float | None], seeds: Sequence[int]) -> str:
    missing = [seed for seed in seeds if column.get(seed) is None]
    if len(missing) == len(seeds):
        return f"{arm}: no run has a value"
    if missing:
        return f"{arm}: seeds {', '.join(map(str, missing))} have no value"
    infinite = [seed for seed in seeds if not _is_number(column[seed])]
    return f"{arm}: the values of seeds {', '.join(map(str, infinite))} are not finite" if infinite else ""


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _compared(comparison: RelationResult, columns: Sequence[Mapping[int, float | None]], seed: int) -> float:
    a, *rest = (float(column[seed]) for column in columns)  # type: ignore[arg-type]
    if comparison.kind == "mean":
        return a
    if comparison.kind == "ratio":
        return comparison.sign * (math.log(a) - math.log(rest[0]))
    return comparison.sign * (a - rest[0])


def _verdict(comparison: RelationResult, low: float, high: float) -> str:
    """Compare an interval with its region; a mean may touch its ends, a difference must exceed its margin."""
    if comparison.kind == "mean":
        if comparison.low <= low and high <= comparison.high:
            return HOLDS
        return FAILS if high < comparison.low or low > comparison.high else UNDECIDED
    if low > comparison.low:
        return HOLDS
    return FAILS if high <= comparison.low else UNDECIDED


def _exp(value: float | None) -> float | None:
    if value is None:
        return None
    return math.exp(value) if value < 700 else math.inf
