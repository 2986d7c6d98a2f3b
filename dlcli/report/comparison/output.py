"""Output of a comparison on standard output: table, JSON, CSV, Markdown or LaTeX."""

import json
import sys
from collections.abc import Callable
from typing import Any

from dlcli.report import table_formats, terminal_tables
from dlcli.report.comparison import columns
from dlcli.report.comparison.comparison import Comparison
from dlcli.report.sanitize import one_line


def _print_json(comparison: Comparison, digits: int) -> None:
    print(json.dumps(comparison.plain(), indent=1, allow_nan=False))  # noqa: T201


def _print_csv(comparison: Comparison, digits: int) -> None:
    sys.stdout.write(table_formats.to_csv(columns.csv_table(comparison)))


def _print_markdown(comparison: Comparison, digits: int) -> None:
    parts = [table_formats.to_markdown(table, digits) for table in _tables(comparison)]
    summary = [table_formats.escape_markdown(line) for line in comparison.sentence.splitlines()]
    sys.stdout.write("\n".join([*parts, *(line + "\n" for line in summary)]))


def _print_latex(comparison: Comparison, digits: int) -> None:
    parts = [table_formats.to_latex(table, digits) for table in _tables(comparison)]
    summary = [table_formats.escape_latex(line) for line in comparison.sentence.splitlines()]
    sys.stdout.write("\n".join([*parts, *(line + "\n" for line in summary)]))


def print_table(comparison: Comparison, digits: int) -> None:
    """Print the tables of groups and pairs, and the statement on the significant differences."""
    for table in _tables(comparison):
        terminal_tables.print_formatted_table(table, digits)
        print()  # noqa: T201
    if comparison.sentence:
        print("\n".join(map(one_line, comparison.sentence.splitlines())))  # noqa: T201


def _tables(comparison: Comparison) -> list[table_formats.Table]:
    pairs = [columns.pairs_table(comparison)] if comparison.pairs else []
    return [columns.groups_table(comparison.groups), *pairs]


FORMATS: dict[str, Callable[[Comparison, int], Any]] = {
    "table": print_table, "json": _print_json, "csv": _print_csv, "md": _print_markdown, "latex": _print_latex,
}  # fmt: skip
