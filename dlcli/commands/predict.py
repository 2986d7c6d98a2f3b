"""`dlcli predict`: predictions of a run for a file or folder without targets."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcli.engine.predict import Columns, predict_file
from dlcli.report import output_file
from dlcli.runs import selectors

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet evaluate a cell of text."""
_ROWS = 65_536  # rows that are converted to text at a time


def main(
    selector: str, path: Path, overrides: Sequence[str], out: Path, to: Path | None, as_json: bool, last: bool = False
) -> int:
    """Write the predictions to `to`, or to standard output, and return the exit code."""
    if to is not None:
        output_file.resolve_path(to, "--to")
    columns = predict_file(selectors.one(selector, out), path, overrides, last=last)
    text = json.dumps(records(columns)) + "\n" if as_json else to_csv(columns)
    if to is None:
        sys.stdout.write(text)
        return 0
    output_file.write(to, text.encode(), "--to")
    print(f"{len(next(iter(columns.values()))):,} predictions: {to}", file=sys.stderr)  # noqa: T201
    return 0


def to_csv(columns: Columns) -> str:
    """Return the columns as CSV; text that a spreadsheet would evaluate as a formula gets a leading apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(list(map(_plain, columns)))
    rows = len(next(iter(columns.values())))
    for start in range(0, rows, _ROWS):
        parts = [_cells(values[start : start + _ROWS]) for values in columns.values()]
        writer.writerows(zip(*parts, strict=True))
    return text.getvalue()


def records(columns: Columns) -> list[dict[str, object]]:
    """Return one mapping per row; values that are not finite are None."""
    names = list(columns)
    lists = [[None if value != value else value for value in values.tolist()] for values in columns.values()]
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]


def _cells(values: np.ndarray) -> list[object]:
    """Cells of a column: numbers in full, missing ones empty."""
    if values.dtype.kind == "f":
        return ["" if value != value else value for value in values.tolist()]
    return [_plain(value) if isinstance(value, str) else value for value in values.tolist()]


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
