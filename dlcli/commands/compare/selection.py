"""Selection of the runs of a comparison: selectors and filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import Missing
from dlcli.report.comparison.excluded import ExcludedRun
from dlcli.report.comparison.filter import parse
from dlcli.report.comparison.run_table import filter_runs
from dlcli.runs import selectors
from dlcli.runs.run import Run


@dataclass(frozen=True)
class RunSelection:
    """Selectors and filters of a comparison.

    Args:
        selectors: runs to compare; empty selects all.
        out: folder of the runs.
        where: conditions on the configuration, such as "task.length>=100".
        since: earliest date or largest age of the runs, such as "7d".
        status: statuses, separated by commas.
    """

    selectors: Sequence[str]
    out: Path
    where: Sequence[str] = ()
    since: str | None = None
    status: str | None = None


def select_runs(choice: RunSelection) -> tuple[list[Run], list[ExcludedRun]]:
    """Return the selected runs, newest first, and the directories that cannot be read.

    Raises:
        UsageError: a filter is invalid.
        Missing: no run is selected.
    """
    conditions = [parse(text) for text in choice.where]
    damaged: dict[Path, ExcludedRun] = {}

    def report_damaged(path: Path, reason: str) -> None:
        damaged.setdefault(path.resolve(), ExcludedRun.damaged(path, reason))

    runs = selectors.select(choice.selectors, choice.out, report_damaged)
    if not runs and not damaged:
        raise Missing("no_runs", path=choice.out, hint="Start a run: dlcli train model=tcn")
    if not runs:
        hint = "\n".join(excluded.reason for excluded in [*damaged.values()][:3])
        raise Missing("not_found", kind="readable run", name=str(choice.out), hint=hint)
    count = len(runs)
    if choice.since is not None:
        runs = selectors.since(runs, choice.since)
    if choice.status is not None:
        runs = selectors.of_status(runs, choice.status)
    for condition in conditions:
        runs = filter_runs(runs, condition)
    if not runs:
        raise Missing("no_matching_runs", count=count)
    return runs, list(damaged.values())
