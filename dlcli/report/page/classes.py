"""Scores per class (precision, recall, F1) and confusion matrices of the HTML page."""

import csv
from collections.abc import Iterable, Sequence
from typing import Any

from dlcli.report.comparison.experiments import Experiment
from dlcli.report.comparison.groups import Group
from dlcli.report.page import thin
from dlcli.report.page.cells import table
from dlcli.report.table_formats import Column, Table
from dlcli.runs.run import Run

_MOST_CLASSES = 200
_MOST_CONFUSED = 40  # classes of the largest confusion matrix that fits the page
_MOST_GROUPS = 24


def class_tables(groups: Sequence[tuple[Group, Experiment]]) -> list[dict[str, Any]]:
    """Tables of the first run of each group that has artifacts/per_class.csv or confusion.csv.

    Each entry has `group` (its position), `run`, `seed`, `table` and `confusion`; the latter two may be None.
    """
    entries = []
    for index, (_, experiment) in enumerate(groups):
        runs = experiment.counted or experiment.all
        entry = next((entry for run in runs if (entry := _entry(run, index))), None)
        entries += [entry] if entry else []
    return entries[:_MOST_GROUPS]


def _entry(run: Run, group: int) -> dict[str, Any] | None:
    table, confusion = _scores(_rows(run, "per_class.csv")), _confusion(_rows(run, "confusion.csv"))
    if table is None and confusion is None:
        return None
    return {"group": group, "run": run.id, "seed": run.record.seed, "table": table, "confusion": confusion}


def _rows(run: Run, name: str) -> list[list[str]]:
    """Rows of an artifact, the heading first; empty if it is missing or damaged."""
    try:
        with (run.path / "artifacts" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except (OSError, ValueError, csv.Error):
        return []


def _scores(rows: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    if len(rows) < 2:
        return None
    heading, body = rows[0], rows[1 : 1 + _MOST_CLASSES]
    columns = [Column(name, _KINDS.get(name, "text"), (name,)) for name in heading]
    cells = [
        {name: _number(text) if name in _KINDS else text for name, text in zip(heading, row, strict=False)}
        for row in body
    ]
    return table(Table("per class", columns, cells))


_KINDS: dict[str, Any] = {"precision": "figure", "recall": "figure", "f1": "figure", "support": "count"}


def _number(text: str) -> float | None:
    """The value of a cell; None if it is empty or not finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if thin.is_number(value) else None


def _confusion(rows: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    """Names of the classes, and counts with true classes as rows and predicted classes as columns."""
    names, counts = [row[0] for row in rows[1:] if row], [_counts(row[1:]) for row in rows[1:] if row]
    square = all(len(row) == len(names) for row in (*counts, *(row[1:] for row in rows[:1])))
    return {"names": names, "counts": counts} if names and square and len(names) <= _MOST_CONFUSED else None


def _counts(cells: Iterable[str]) -> list[int]:
    return [int(text) for text in cells if text.isdecimal()]
