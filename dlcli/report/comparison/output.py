"""Comparisons on standard output: table, JSON, CSV, Markdown, LaTeX."""

import json
import sys
from collections.abc import Callable
from typing import Any

from dlcli.report import table_formats, terminal_tables
from dlcli.report.comparison import columns
from dlcli.report.comparison.comparison import Comparison
from dlcli.report.sanitize import one_line


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


FORMS: dict[str, Callable[[Comparison, int], Any]] = {
    "table": print_table, "json": _print_json, "csv": _print_csv, "md": _print_markdown, "latex": _print_latex,
}  # fmt: skip
