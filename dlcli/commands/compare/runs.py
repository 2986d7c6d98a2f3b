"""`dlcli compare runs`: what finished runs came to over their seeds, and which differences the seeds support."""

import sys
from dataclasses import dataclass
from pathlib import Path

from dlcli.commands.compare.selection import Choice, chosen
from dlcli.core.errors import UsageError, nearest
from dlcli.report import output_file
from dlcli.report.charts import panels
from dlcli.report.comparison import columns
from dlcli.report.comparison.comparison import Comparison, Question, compare
from dlcli.report.comparison.output import FORMS
from dlcli.report.sanitize import one_line
from dlcli.report.statistics.intervals import Kind
from dlcli.runs.record import Direction

DIRECTIONS: dict[str, Direction] = {"max": "max", "min": "min"}
INTERVALS: dict[str, Kind] = {"auto": "auto", "t": "t", "bca": "bca"}
_SAID = 6  # runs left out that are named one by one


@dataclass(frozen=True)
class Output:
    """How the answer is written.

    Args:
        form: table, json, csv, md or latex.
        precision: significant digits.
        sort: a column, `-column` from above; None is the best first, task by task.
        limit: groups.
        plot: a picture to write.
        html: a page to write.
    """

    form: str = "table"
    precision: int = 4
    sort: str | None = None
    limit: int | None = None
    plot: Path | None = None
    html: Path | None = None


def form_of(flags: dict[str, bool]) -> str:
    """The one form that is asked for.

    Raises:
        UsageError: several are.
    """
    wanted = [name for name, given in flags.items() if given]
    if len(wanted) > 1:
        raise UsageError(f"--{wanted[0]} and --{wanted[1]}: standard output takes one of them")
    return wanted[0] if wanted else "table"


def main(choice: Choice, asked: Question, output: Output) -> int:
    """Print the groups and pairs, and write the picture and the page that are asked for."""
    _check(output)
    if output.plot is not None:
        panels.check(output.plot)
    found, damaged = chosen(choice)
    answer = columns.limited(compare(found, asked, damaged), output.sort, output.limit)
    if output.plot is not None:
        panels.write(output.plot, answer, asked)
    if output.html is not None:
        from dlcli.report.page import html

        html.write(output.html, answer, asked, f"dlcli compare runs {' '.join(choice.selectors)}".strip())
    FORMS[output.form](answer, output.precision)
    _tell(answer, output)
    return 0


def question(
    metric: str | None,
    split: str,
    baseline: str | None,
    all_pairs: bool,
    kind: str,
    x: str | None,
    direction: str | None = None,
) -> Question:
    """The question of a command line, its values checked.

    Raises:
        UsageError: the interval or the direction is unknown.
    """
    if direction is not None and direction not in DIRECTIONS:
        raise UsageError("invalid_value", key="--direction", must="max or min", got=direction)
    if kind not in INTERVALS:
        raise UsageError(f"--interval {kind!r}{nearest(kind, INTERVALS)}")
    return Question(
        metric, split, baseline, all_pairs, INTERVALS[kind], x, DIRECTIONS[direction] if direction else None
    )


def _check(output: Output) -> None:
    if not 1 <= output.precision <= 17:
        raise UsageError(f"--precision is 1 to 17 significant digits, not {output.precision}")
    if output.limit is not None and output.limit < 1:
        raise UsageError(f"--limit is at least 1, not {output.limit}")
    for option, path in (("--plot", output.plot), ("--html", output.html)):
        if path is not None:
            output_file.place(path, option)


def _tell(answer: Comparison, output: Output) -> None:
    """Remarks, and every run that does not count, on standard error."""
    for note in answer.notes:
        _say(note)
    for one in answer.left_out[:_SAID]:
        _say(f"left out: {one.id or Path(one.path).name}: {one.reason}")
    if len(answer.left_out) > _SAID:
        rest = [one.id or Path(one.path).name for one in answer.left_out[_SAID:]]
        _say(f"left out: {len(rest)} more ({', '.join(rest[:20])}{', ...' * (len(rest) > 20)}); reasons: --json")
    for path in (output.plot, output.html):
        if path is not None:
            _say(f"written: {path}")


def _say(text: str) -> None:
    print(one_line(text), file=sys.stderr)  # noqa: T201
