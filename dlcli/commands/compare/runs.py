"""`dlcli compare runs`: mean scores of finished runs over seeds, with intervals and significance tests."""

import sys
from dataclasses import dataclass
from pathlib import Path

from dlcli.commands.compare.selection import RunSelection, select_runs
from dlcli.core.errors import UsageError
from dlcli.report import output_file
from dlcli.report.charts import panels
from dlcli.report.comparison import columns
from dlcli.report.comparison.comparison import Comparison, ComparisonOptions, compare
from dlcli.report.comparison.output import FORMATS
from dlcli.report.sanitize import one_line
from dlcli.report.statistics.intervals import Kind
from dlcli.runs.record import Direction

DIRECTIONS: dict[str, Direction] = {"max": "max", "min": "min"}
INTERVALS: dict[str, Kind] = {"auto": "auto", "t": "t", "bca": "bca"}
_MOST_REASONS = 6  # excluded runs that are printed with their reasons


@dataclass(frozen=True)
class ComparisonOutput:
    """Output of a comparison.

    Args:
        form: table, json, csv, md or latex.
        precision: significant digits, 1 to 17.
        sort: title of a column, with prefix - for descending order; None sorts by task, then by score, best first.
        limit: largest number of groups; None prints all.
        plot: image file to write.
        html: HTML page to write.
    """

    form: str = "table"
    precision: int = 4
    sort: str | None = None
    limit: int | None = None
    plot: Path | None = None
    html: Path | None = None


def output_format(flags: dict[str, bool]) -> str:
    """Return the output format that is selected by flags; a table by default.

    Args:
        flags: whether each format was selected, by name.

    Raises:
        UsageError: several formats are selected.
    """
    forms = [name for name, given in flags.items() if given]
    if len(forms) > 1:
        reason = "standard output has one format"
        raise UsageError("conflict", first=f"--{forms[0]}", second=f"--{forms[1]}", reason=reason)
    return forms[0] if forms else "table"


def main(choice: RunSelection, query: ComparisonOptions, output: ComparisonOutput) -> int:
    """Print the groups and pairs of a comparison, and write its plot and page.

    Args:
        choice: the runs to compare.
        query: metric, split, baseline and test of the comparison.
        output: format and files.

    Raises:
        UsageError: an option is invalid, or there are no runs to compare.
    """
    _check(output)
    if output.plot is not None:
        panels.check(output.plot)
    selected, damaged = select_runs(choice)
    comparison = columns.limit_groups(compare(selected, query, damaged), output.sort, output.limit)
    if output.plot is not None:
        panels.write(output.plot, comparison, query)
    if output.html is not None:
        from dlcli.report.page import html

        html.write_comparison(
            output.html, comparison, query, f"dlcli compare runs {' '.join(choice.selectors)}".strip()
        )
    FORMATS[output.form](comparison, output.precision)
    _report(comparison, output)
    return 0


def question(
    metric: str | None,
    split: str,
    baseline: str | None,
    all_pairs: bool,
    kind: str,
    x: str | None,
    direction: str | None = None,
) -> ComparisonOptions:
    """Check the options of a comparison.

    Args:
        metric: name of the metric; None is the main metric of the task.
        split: "train", "valid" or "test".
        baseline: selects the group that the others are compared with; None is the best.
        all_pairs: compare all pairs of groups.
        kind: confidence interval: "auto", "t" or "bca".
        x: counter of the x-axis, such as "steps" or "seconds".
        direction: "max" or "min" for a metric without a declared direction.

    Raises:
        UsageError: the interval or the direction is unknown.
    """
    if direction is not None and direction not in DIRECTIONS:
        raise UsageError("invalid_value", key="--direction", must="max or min", got=direction)
    if kind not in INTERVALS:
        raise UsageError("unknown_name", kind="--interval", name=kind, known=INTERVALS)
    return ComparisonOptions(
        metric, split, baseline, all_pairs, INTERVALS[kind], x, DIRECTIONS[direction] if direction else None
    )


def _check(output: ComparisonOutput) -> None:
    if not 1 <= output.precision <= 17:
        raise UsageError("invalid_value", key="--precision", must="from 1 to 17 digits", got=output.precision)
    if output.limit is not None and output.limit < 1:
        raise UsageError("invalid_value", key="--limit", must="at least 1", got=output.limit)
    for option, path in (("--plot", output.plot), ("--html", output.html)):
        if path is not None:
            output_file.resolve_path(path, option)


def _report(comparison: Comparison, output: ComparisonOutput) -> None:
    """Print notes, excluded runs and written files on standard error."""
    for note in comparison.notes:
        _say(note)
    excluded = comparison.left_out
    for run in excluded[:_MOST_REASONS]:
        _say(f"excluded: {run.id or Path(run.path).name}: {run.reason}")
    if len(excluded) > _MOST_REASONS:
        rest = [run.id or Path(run.path).name for run in excluded[_MOST_REASONS:]]
        _say(f"excluded: {len(rest)} more ({', '.join(rest[:20])}{', ...' * (len(rest) > 20)}); reasons: --json")
    for path in (output.plot, output.html):
        if path is not None:
            _say(f"written: {path}")


def _say(text: str) -> None:
    print(one_line(text), file=sys.stderr)  # noqa: T201
