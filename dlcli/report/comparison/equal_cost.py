"""Groups at equal cost: what each had reached when the shortest of its task had used up its budget."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dlcli.core.errors import UsageError, nearest
from dlcli.report.comparison import history
from dlcli.report.comparison.experiments import Bunch
from dlcli.report.comparison.groups import Group
from dlcli.report.statistics.intervals import mean_of
from dlcli.runs.run import Run


def at_equal_cost(groups: Sequence[Group], bunches: Mapping[str, Bunch], x: str | None) -> list[Group]:
    """The groups, each with its mean total of the counter, and its best value on valid by the smallest total of all.

    Raises:
        UsageError: no run counts such a thing.
    """
    if x is None:
        return list(groups)
    totals = {run.id: _total(run, x) for one in bunches.values() for run in one.counted}
    if totals and not any(math.isfinite(total) for total in totals.values()):
        known = {name for one in bunches.values() for run in one.counted for name in history.counters(run)}
        raise UsageError(f"--x: no run counts {x!r}{nearest(x, {'steps', *known})}")
    found = []
    for row in groups:
        alike = [bunches[other.experiment] for other in groups if other.yardstick == row.yardstick]
        common = min((totals[run.id] for one in alike for run in one.counted), default=math.nan)
        found.append(replace(row, cost=_cost(row, bunches[row.experiment].counted, totals, common, x)))
    return found


def uncounted(groups: Sequence[Group], x: str | None) -> list[str]:
    """Groups none of whose runs counts such a thing, in words."""
    names = [row.name for row in groups if row.cost.get("total") is None and row.n]
    few = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return [f"--x {x}: not counted by {few}"] if x is not None and names else []


def _total(run: Run, x: str) -> float:
    steps = run.record.steps
    if x in ("step", "steps"):
        return float(steps) if steps is not None else math.nan
    known = history.counters(run)
    return known[x][1][-1] if x in known else math.nan


def _cost(
    row: Group, members: Sequence[Run], totals: Mapping[str, float], common: float, x: str
) -> dict[str, float | str | None]:
    spent = [totals[run.id] for run in members if math.isfinite(totals[run.id])]
    reached = [value for run in members if (value := _reached(run, row, common, x)) is not None]
    return {
        "counter": x,
        "total": mean_of(spent) if spent else None,
        "equal": common if math.isfinite(common) else None,
        "value": mean_of(reached) if reached else None,
    }


def _reached(run: Run, row: Group, common: float, x: str) -> float | None:
    """The best value on valid before the counter passed `common`."""
    steps, values = history.curve(run, "valid", row.metric.partition(" ")[2])
    try:
        spent = history.along(run, x, steps)
    except UsageError:
        return None
    within = [v for cost, v in zip(spent, values, strict=True) if cost <= common * (1 + 1e-9) and math.isfinite(v)]
    return (max if row.direction == "max" else min)(within, default=None)
