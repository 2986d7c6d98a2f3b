"""Groups at equal cost: the best validation value within the budget of the shortest run of the task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dlcli.core.errors import UsageError
from dlcli.report.comparison import history
from dlcli.report.comparison.experiments import Experiment
from dlcli.report.comparison.groups import Group
from dlcli.report.statistics.intervals import mean_of
from dlcli.runs.run import Run


def at_equal_cost(groups: Sequence[Group], experiments: Mapping[str, Experiment], x: str | None) -> list[Group]:
    """Add to each group its mean total of a counter and its best validation value at the smallest total of its task.

    Args:
        experiments: runs of the groups, by `Group.experiment`.
        x: name of the counter; None leaves the groups as they are.

    Raises:
        UsageError: no run reports the counter.
    """
    if x is None:
        return list(groups)
    totals = {run.id: _total(run, x) for experiment in experiments.values() for run in experiment.counted}
    if totals and not any(math.isfinite(total) for total in totals.values()):
        runs = [run for experiment in experiments.values() for run in experiment.counted]
        known = {"steps", *(name for run in runs for name in history.counters(run))}
        raise UsageError("unknown_name", kind="--x counter", name=x, known=known)
    result = []
    for row in groups:
        same_task = [experiments[other.experiment] for other in groups if other.yardstick == row.yardstick]
        budget = min((totals[run.id] for experiment in same_task for run in experiment.counted), default=math.nan)
        result.append(replace(row, cost=_cost(row, experiments[row.experiment].counted, totals, budget, x)))
    return result


def uncounted(groups: Sequence[Group], x: str | None) -> list[str]:
    """Note on the groups none of whose runs reports the counter."""
    names = [row.name for row in groups if row.cost.get("total") is None and row.n]
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return [f"--x {x}: not reported by {shown}"] if x is not None and names else []


def _total(run: Run, x: str) -> float:
    steps = run.record.steps
    if x in ("step", "steps"):
        return float(steps) if steps is not None else math.nan
    known = history.counters(run)
    return known[x][1][-1] if x in known else math.nan


def _cost(
    row: Group, members: Sequence[Run], totals: Mapping[str, float], budget: float, x: str
) -> dict[str, float | str | None]:
    spent = [totals[run.id] for run in members if math.isfinite(totals[run.id])]
    reached = [value for run in members if (value := _best_within(run, row, budget, x)) is not None]
    return {
        "counter": x,
        "total": mean_of(spent) if spent else None,
        "equal": budget if math.isfinite(budget) else None,
        "value": mean_of(reached) if reached else None,
    }


def _best_within(run: Run, row: Group, budget: float, x: str) -> float | None:
    """Best validation value before the counter exceeds the budget."""
    steps, values = history.curve(run, "valid", row.metric.partition(" ")[2])
    try:
        spent = history.convert_steps(run, x, steps)
    except UsageError:
        return None
    within = [v for cost, v in zip(spent, values, strict=True) if cost <= budget * (1 + 1e-9) and math.isfinite(v)]
    return (max if row.direction == "max" else min)(within, default=None)
