"""`dlcli compare runs`: what finished runs came to over their seeds, and which differences the seeds support."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.core.errors import UsageError, nearest
from dlcli.report import table_formats, output_file, terminal_tables
from dlcli.report.comparison import columns
from dlcli.report.charts import panels
from dlcli.report.comparison.comparison import Comparison, Question, compare
from dlcli.report.statistics.intervals import Kind
from dlcli.report.sanitize import one_line
from dlcli.runs.record import Direction
from dlcli.commands.compare.selection import Choice, chosen

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
    _FORMS[output.form](answer, output.precision)
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


def _print_json(answer: Comparison, digits: int) -> None:
    print(json.dumps(answer.plain(), indent=1, allow_nan=False))  # noqa: T201


def _print_csv(answer: Comparison, digits: int) -> None:
    sys.stdout.write(table_formats.to_csv(columns.of_csv(answer)))


def _print_markdown(answer: Comparison, digits: int) -> None:
    parts = [table_formats.to_markdown(table, digits) for table in _tables(answer)]
    said = [table_formats.marked(line) for line in answer.sentence.splitlines()]
    sys.stdout.write("\n".join([*parts, *(line + "\n" for line in said)]))


def _print_latex(answer: Comparison, digits: int) -> None:
    parts = [table_formats.to_latex(table, digits) for table in _tables(answer)]
    said = [table_formats.latex(line) for line in answer.sentence.splitlines()]
    sys.stdout.write("\n".join([*parts, *(line + "\n" for line in said)]))


def print_table(answer: Comparison, digits: int) -> None:
    for table in _tables(answer):
        terminal_tables.print_written(table, digits)
        print()  # noqa: T201
    if answer.sentence:
        print(one_line_each(answer.sentence))  # noqa: T201


def _tables(answer: Comparison) -> list[table_formats.Table]:
    pairs = [columns.of_pairs(answer)] if answer.pairs else []
    return [columns.of_groups(answer.groups), *pairs]


def one_line_each(text: str) -> str:
    """Lines without control characters."""
    return "\n".join(map(one_line, text.splitlines()))


_FORMS: dict[str, Callable[[Comparison, int], Any]] = {
    "table": print_table, "json": _print_json, "csv": _print_csv, "md": _print_markdown, "latex": _print_latex,
}  # fmt: skip


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
