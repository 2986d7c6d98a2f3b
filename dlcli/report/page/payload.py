"""What a page shows, as plain values: tables, curves thinned to what a screen can tell apart, runs."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison import columns, history
from dlcli.report.comparison.comparison import Comparison
from dlcli.report.comparison.experiments import Bunch
from dlcli.report.comparison.groups import Group
from dlcli.report.page import cells, classes, thin
from dlcli.report.statistics.intervals import band, is_number
from dlcli.runs.run import Run

_POINTS = 140_000
"""Points of a page: 12 bytes each, under 2 MB."""
_MOST, _LEAST = 500, 24
_SAID = ("reason", "argv", "tags", "parent", "receptive_field", "length", "counters", "metrics", "signature")


def of(answer: Comparison, title: str, command: str, x: str | None) -> dict[str, Any]:
    """All of a comparison."""
    texts = Texts()
    own = [(row, answer.bunches[row.experiment]) for row in answer.groups]
    return {
        "title": title,
        "command": command,
        "made": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
        "x": x or "step",
        "sentence": answer.sentence,
        "notes": answer.notes,
        "left": [one.plain() for one in answer.left_out],
        "groups": [_group(row) for row in answer.groups],
        "table": cells.table(columns.of_groups(answer.groups)),
        "pairs": [answer.plain_pair(task, pair) for task, pair in answer.pairs],
        "pairTable": cells.table(columns.of_pairs(answer)) if answer.pairs else None,
        "curves": curves(own, x),
        "classes": classes.of(own),
        "runs": [_run(run, place, row.name, texts) for place, (row, bunch) in enumerate(own) for run in bunch.all],
        "texts": texts.found,
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
    """A number, or what is no number in YAML's words."""
    if is_number(value) and thin.is_number(value):
        return value
    return value if isinstance(value, str) else json.dumps(value, default=str)


class Texts:
    """Long texts, each once."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        if text not in self._places:
            self._places[text] = len(self.found)
            self.found.append(text)
        return self._places[text]


def _run(run: Run, group: int, name: str, texts: Texts) -> dict[str, Any]:
    facts = {name: run.info[name] for name in _SAID if run.info.get(name) not in (None, "", [], {})}
    return {
        "id": run.id,
        "name": run.record.name or name,
        "group": group,
        "seed": run.record.seed,
        "status": run.status,
        "started": run.info["started"][:16].replace("T", " "),
        "path": str(run.path),
        "host": run.record.host,
        "facts": texts.place(json.dumps(facts, indent=1)),
        "config": texts.place(_text(run, "config.yaml")),
        "environment": texts.place(_text(run, "environment.json")),
    }


def _text(run: Run, name: str) -> str:
    try:
        return (run.path / name).read_text(errors="replace")
    except OSError:
        return f"{name} is missing"


def curves(own: Sequence[tuple[Group, Bunch]], x: str | None) -> dict[str, list[dict[str, Any]]]:
    """By metric, for each group: its seeds' curves, and their mean with its interval."""
    raw: dict[str, list[tuple[int, dict[Run, history.Curve]]]] = {}
    for place, (_, bunch) in enumerate(own):
        logged = {run: history.curves(run) for run in bunch.counted or bunch.all}
        for metric in dict.fromkeys(name for lines in logged.values() for name in lines):
            raw.setdefault(metric, []).append(
                (place, {r: lines[metric] for r, lines in logged.items() if metric in lines})
            )
    lines = sum(len(members) + 3 for groups in raw.values() for _, members in groups)
    most = max(_LEAST, min(_MOST, _POINTS // max(1, lines)))
    return {
        metric: [{"group": place, **_curve(members, x, most)} for place, members in groups]
        for metric, groups in raw.items()
    }


def _curve(members: Mapping[Run, history.Curve], x: str | None, most: int) -> dict[str, Any]:
    seeds = []
    for run, (steps, values) in members.items():
        if (places := along(run, x, steps)) is not None:
            seeds.append({"seed": run.record.seed, **_line(places, {"y": values}, most)})
    if len(members) == 1:
        return {"seeds": seeds, "mean": None}
    around = band({run.id: curve for run, curve in members.items()})
    spent = [at for run in members if (at := along(run, x, around.steps)) is not None]
    middle = [sum(at) / len(at) for at in zip(*spent, strict=True)]
    series = {"y": around.mean, "low": around.low, "high": around.high}
    return {"seeds": seeds, "mean": _line(middle, series, most) if middle else None}


def along(run: Run, x: str | None, steps: Sequence[thin.Number]) -> list[thin.Number] | None:
    """Steps in units of the counter, or None where the run does not count it."""
    try:
        return history.along(run, x, steps)
    except UsageError:
        return None


def _line(x: Sequence[thin.Number], series: Mapping[str, Sequence[Any]], most: int) -> dict[str, Any]:
    places = thin.kept(series["y"], most)
    return {"x": thin.steps([x[at] for at in places])} | {
        name: thin.rounded([values[at] for at in places]) for name, values in series.items()
    }
