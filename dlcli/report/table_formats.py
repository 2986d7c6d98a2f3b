"""Tables as text, CSV, Markdown and LaTeX, with the same columns, rows and numbers in each format."""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dlcli.report.formatting import duration
from dlcli.report.sanitize import one_line

Kind = Literal["text", "number", "count", "figure", "chance", "interval", "at", "effect", "duration"]


@dataclass(frozen=True)
class Column:
    """Column of a table.

    Args:
        title: heading.
        kind: format of the cells.
        parts: keys of the values in a cell; CSV has a column for each.
        missing: text of a missing value.
    """

    title: str
    kind: Kind
    parts: tuple[str, ...]
    missing: str = ""

    @property
    def wordy(self) -> bool:
        """True for a column of text, which is aligned left and may be folded."""
        return self.kind == "text"


@dataclass(frozen=True)
class Table:
    """Table with rows as plain values by key.

    Args:
        name: name of the table, for LaTeX comments and column priorities.
        columns: columns from left to right.
        rows: values by key, one mapping per row.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]

    def filled(self) -> "Table":
        """Copy without empty columns."""
        columns = [
            c for c in self.columns if any(row.get(part) not in (None, "") for row in self.rows for part in c.parts)
        ]
        return Table(self.name, columns, self.rows)

    def cells(self, digits: int) -> list[list[str]]:
        """Formatted cells by row.

        Args:
            digits: significant digits of numbers.
        """
        return [[_cell(column, row, digits) for column in self.columns] for row in self.rows]


def figure(value: int | float, digits: int) -> str:
    """Format with significant digits, in scientific notation only for very small and very large values."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e7):
        return f"{value:.{max(digits - 1, 0)}e}"
    if size >= 10**digits:
        return f"{value:,.0f}"
    return f"{float(value):#.{digits}g}".rstrip(".") if value else "0"


def _cell(column: Column, row: Mapping[str, Any], digits: int) -> str:
    values = [row.get(part) for part in column.parts]
    return column.missing if values[0] is None else _FORMATS[column.kind](values, digits)


def _text(values: Sequence[Any], digits: int) -> str:
    return one_line(str(values[0]))


def _count(values: Sequence[Any], digits: int) -> str:
    return f"{values[0]:,.0f}" if isinstance(values[0], int | float) else _text(values, digits)


def _figure(values: Sequence[Any], digits: int) -> str:
    return figure(values[0], digits)


def _chance(values: Sequence[Any], digits: int) -> str:
    return f"{values[0]:#.2g}" if values[0] >= 1e-4 else f"{values[0]:.0e}"


def _interval(values: Sequence[Any], digits: int) -> str:
    return f"[{figure(values[0], digits)}, {figure(values[1], digits)}]"


def _at(values: Sequence[Any], digits: int) -> str:
    return f"{figure(values[0], digits)} ({values[1]:,.0f})"


def _effect(values: Sequence[Any], digits: int) -> str:
    return f"{values[1]} {values[0]:.2f}"


def _duration(values: Sequence[Any], digits: int) -> str:
    return duration(values[0])


_FORMATS: dict[Kind, Callable[[Sequence[Any], int], str]] = {
    "text": _text, "number": _text, "count": _count, "figure": _figure, "chance": _chance, "interval": _interval,
    "at": _at, "effect": _effect, "duration": _duration,
}  # fmt: skip


def to_csv(table: Table) -> str:
    """Format as CSV with a column per part and numbers in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = list(dict.fromkeys(part for column in table.columns for part in column.parts))
    writer.writerow([part.removeprefix("key ") for part in parts])
    writer.writerows([[_full(row.get(part)) for part in parts] for row in table.rows])
    return text.getvalue()


def _full(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value


_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def to_markdown(table: Table, digits: int) -> str:
    """Format as a Markdown table for GitHub, GitLab and Pandoc."""
    headings = [escape_markdown(column.title) for column in table.columns]
    rule = [":--" if column.wordy else "--:" for column in table.columns]
    rows = [
        [escape_markdown(cell) if column.wordy else cell for column, cell in zip(table.columns, cells, strict=True)]
        for cells in table.cells(digits)
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (headings, rule, *rows))


def escape_markdown(text: str) -> str:
    """Escape the special characters of Markdown."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", text.replace("&", "&amp;"))


def to_latex(table: Table, digits: int) -> str:
    """Format as a LaTeX tabular with rules of the package booktabs."""
    alignment = "".join("l" if column.wordy else "r" for column in table.columns)
    headings = [escape_latex(column.title) for column in table.columns]
    rows = [[escape_latex(cell) for cell in cells] for cells in table.cells(digits)]
    body = "".join(f"  {' & '.join(cells)} \\\\\n" for cells in rows)
    return (
        f"% {one_line(table.name)}; requires \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{alignment}}}\n  \\toprule\n"
        f"  {' & '.join(headings)} \\\\\n  \\midrule\n{body}  \\bottomrule\n\\end{{tabular}}\n"
    )


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "[": "{[}", "]": "{]}",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """Escape the special characters of LaTeX, and brackets, which would be an option after a line break."""
    return "".join(_LATEX.get(letter, letter) for letter in one_line(text))
