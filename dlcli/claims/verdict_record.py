"""Result of a claim as plain values: verdict, intervals and values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dlcli.claims import results
from dlcli.claims.claim import Claim
from dlcli.claims.verdicts import FEWEST, Judgment, Values, judge, level_of, overall
from dlcli.report.formatting import number
from dlcli.report.statistics.intervals import interval
from dlcli.runs.run import Run


def compared_metrics(claim: Claim) -> list[tuple[str, str]]:
    """Pairs of arm and metric that the relations compare, in the order of the claim."""
    pairs = [
        pair for relation in claim.relations for comparison in relation.comparisons
        for pair in zip(comparison.arms, comparison.metrics, strict=True)
    ]  # fmt: skip
    names = [*claim.metrics]
    arms = [*claim.arms]
    return sorted(dict.fromkeys(pairs), key=lambda pair: (names.index(pair[1]), arms.index(pair[0])))


def check_directions(claim: Claim, runs: Mapping[str, Sequence[Run]]) -> None:
    """Check the directions that the claim states against those of its runs, for relations in which they matter.

    Args:
        runs: runs by arm.

    Raises:
        UsageError: a direction contradicts a run.
    """
    comparisons = [comparison for relation in claim.relations for comparison in relation.comparisons]
    for comparison in (comparison for comparison in comparisons if comparison.directed):
        for arm, name in zip(comparison.arms, comparison.metrics, strict=True):
            metric = claim.metrics[name]
            for run in runs.get(arm, ()):
                metric.check(run.record.direction(metric.of), claim.name, run.id)


def judge_claim(claim: Claim, values: Values, seeds: Sequence[int]) -> dict[str, Any]:
    """Judge a claim.

    Args:
        values: values by arm and metric, by seed.
        seeds: seeds of the runs.

    Returns:
        the verdict with intervals, values and a table, as plain values.
    """
    level = level_of(claim.relations)
    relations = []
    for relation in claim.relations:
        parts = [judge(comparison, values, seeds, level) for comparison in relation.comparisons]
        verdict = overall([part.verdict for part in parts])
        relations.append({"text": relation.text, "verdict": verdict, "comparisons": [_plain(part) for part in parts]})
    by_arm: dict[str, dict[str, dict[str, float | None]]] = {}
    for (arm, metric), column in values.items():
        by_arm.setdefault(arm, {})[metric] = {str(seed): column.get(seed) for seed in seeds}
    return {
        "schema": results.SCHEMA, "claim": claim.name, "definition": claim.definition,
        "verdict": overall([str(relation["verdict"]) for relation in relations]),
        "split": claim.split, "seeds": list(seeds),
        "level": level, "fewest": FEWEST, "relations": relations, "table": _table(values, seeds), "values": by_arm,
    }  # fmt: skip


def _plain(part: Judgment) -> dict[str, Any]:
    fields = asdict(part)
    comparison = fields.pop("comparison")
    return {name: comparison[name] for name in ("text", "kind", "low", "high")} | fields | {
        "from": comparison["low"], "to": comparison["high"]
    }  # fmt: skip


def _table(values: Values, seeds: Sequence[int]) -> dict[str, Any]:
    """Table with one row per arm and metric: mean with its 95 % interval, and the values of the seeds."""
    rows = []
    for (arm, metric), column in values.items():
        estimate = interval([column.get(seed) for seed in seeds], kind="t")
        low, high = estimate.low, estimate.high
        bounds = f" [{number(low)}, {number(high)}]" if low is not None and high is not None else ""
        mean = number(estimate.mean) + bounds if estimate.mean is not None else "-"
        rows.append([arm, metric, mean, ", ".join(_optional(column.get(seed)) for seed in seeds)])
    return {"columns": ["arm", "metric", "mean and 95 % interval", "seeds"], "rows": rows}


def _optional(value: float | None) -> str:
    return "-" if value is None else number(value)
