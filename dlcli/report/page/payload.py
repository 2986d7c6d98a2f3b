"""Data of the HTML page as plain values: tables, decimated curves, runs and their files."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison import columns, history
from dlcli.report.comparison.comparison import Comparison
from dlcli.report.comparison.experiments import Experiment
from dlcli.report.comparison.groups import Group
from dlcli.report.page import cells, classes, thin
from dlcli.report.statistics.intervals import band, is_number
from dlcli.runs.run import Run

_POINTS = 140_000
"""Curve points of a page, at most: 12 bytes each, under 2 MB."""
_MOST, _LEAST = 500, 24  # points of a curve
_FACTS = ("reason", "argv", "tags", "parent", "receptive_field", "length", "counters", "metrics", "signature")


def build(comparison: Comparison, title: str, command: str, x: str | None) -> dict[str, Any]:
    """Build the data of a comparison.

    Args:
        command: command line that the page shows.
        x: counter of the x-axis; None for steps.
    """
    texts = Texts()
    groups = [(row, comparison.experiments[row.experiment]) for row in comparison.groups]
    return {
        "title": title,
        "command": command,
        "made": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
        "x": x or "step",
        "sentence": comparison.sentence,
        "notes": comparison.notes,
        "left": [run.plain() for run in comparison.left_out],
        "groups": [_group(row) for row in comparison.groups],
        "table": cells.table(columns.groups_table(comparison.groups)),
        "pairs": [comparison.plain_pair(task, pair) for task, pair in comparison.pairs],
        "pairTable": cells.table(columns.pairs_table(comparison)) if comparison.pairs else None,
        "curves": curves(groups, x),
        "classes": classes.class_tables(groups),
        "runs": [
            _run(run, index, row.name, texts)
            for index, (row, experiment) in enumerate(groups)
            for run in experiment.all
        ],
        "texts": texts.texts,
    }


def _group(row: Group) -> dict[str, Any]:
    names = (
        "name", "yardstick", "metric", "direction", "n", "mean", "low", "high", "baseline", "degenerate", "values",
        "seeds",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names} | {
        "keys": {key: _setting(value) for key, value in row.keys.items()}
    }


def _setting(value: Any) -> int | float | str:
    """Value of a key: a number or text; other values as JSON."""
    if is_number(value) and thin.is_number(value):
        return value
    return value if isinstance(value, str) else json.dumps(value, default=str)


class Texts:
    """Table of long texts without duplicates."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._indices: dict[str, int] = {}

    def index(self, text: str) -> int:
        """Index of a text, which is added if it is new."""
        if text not in self._indices:
            self._indices[text] = len(self.texts)
            self.texts.append(text)
        return self._indices[text]


def _run(run: Run, group: int, name: str, texts: Texts) -> dict[str, Any]:
    facts = {name: run.info[name] for name in _FACTS if run.info.get(name) not in (None, "", [], {})}
    return {
        "id": run.id,
        "name": run.record.name or name,
        "group": group,
        "seed": run.record.seed,
        "status": run.status,
        "started": run.info["started"][:16].replace("T", " "),
        "path": str(run.path),
        "host": run.record.host,
        "facts": texts.index(json.dumps(facts, indent=1)),
        "config": texts.index(_text(run, "config.yaml")),
        "environment": texts.index(_text(run, "environment.json")),
    }


def _text(run: Run, name: str) -> str:
    try:
        return (run.path / name).read_text(errors="replace")
    except OSError:
        return f"{name} is missing"


def curves(groups: Sequence[tuple[Group, Experiment]], x: str | None) -> dict[str, list[dict[str, Any]]]:
    """Curves by metric, per group: those of the seeds, and their mean with its interval."""
    raw: dict[str, list[tuple[int, dict[Run, history.Curve]]]] = {}
    for index, (_, experiment) in enumerate(groups):
        logged = {run: history.curves(run) for run in experiment.counted or experiment.all}
        for metric in dict.fromkeys(name for by_metric in logged.values() for name in by_metric):
            members = {run: by_metric[metric] for run, by_metric in logged.items() if metric in by_metric}
            raw.setdefault(metric, []).append((index, members))
    count = sum(len(members) + 3 for entries in raw.values() for _, members in entries)
    most = max(_LEAST, min(_MOST, _POINTS // max(1, count)))
    return {
        metric: [{"group": index, **_curve(members, x, most)} for index, members in entries]
        for metric, entries in raw.items()
    }


def _curve(members: Mapping[Run, history.Curve], x: str | None, most: int) -> dict[str, Any]:
    seeds = []
    for run, (steps, values) in members.items():
        if (positions := along(run, x, steps)) is not None:
            seeds.append({"seed": run.record.seed, **_line(positions, {"y": values}, most)})
    if len(members) == 1:
        return {"seeds": seeds, "mean": None}
    mean = band({run.id: curve for run, curve in members.items()})
    by_run = [positions for run in members if (positions := along(run, x, mean.steps)) is not None]
    positions = [sum(column) / len(column) for column in zip(*by_run, strict=True)]
    series = {"y": mean.mean, "low": mean.low, "high": mean.high}
    return {"seeds": seeds, "mean": _line(positions, series, most) if positions else None}


def along(run: Run, x: str | None, steps: Sequence[thin.Number]) -> list[thin.Number] | None:
    """Convert steps to units of a counter; None if the run does not report it."""
    try:
        return history.convert_steps(run, x, steps)
    except UsageError:
        return None


def _line(x: Sequence[thin.Number], series: Mapping[str, Sequence[Any]], most: int) -> dict[str, Any]:
    indices = thin.kept(series["y"], most)
    return {"x": thin.steps([x[index] for index in indices])} | {
        name: thin.rounded([values[index] for index in indices]) for name, values in series.items()
    }
