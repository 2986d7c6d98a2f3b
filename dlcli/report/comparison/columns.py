"""What the tables of `compare runs` show: groups, and pairs of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlcli.core.errors import UsageError, nearest
from dlcli.report.comparison.comparison import Comparison
from dlcli.report.comparison.groups import Group
from dlcli.report.statistics.hypothesis_tests import Pair
from dlcli.report.table_formats import Column, Table


def of_groups(groups: Sequence[Group]) -> Table:
    """One row a group, with the configuration keys that differ."""
    keys = list(dict.fromkeys(key for row in groups for key in row.keys))
    rows = [_plain(row) for row in groups]
    several = [column for column in (_TASK, _MODEL, _METRIC) if _different(rows, column.parts[0])]
    if _MODEL in several and all(row.name.startswith(row.model) for row in groups):
        several.remove(_MODEL)
    mean = Column("mean" if _METRIC in several or not rows else groups[0].metric, "figure", ("mean",))
    columns = [
        Column("what", "text", ("name",)), *several, *(Column(key, _kind(rows, key), (f"key {key}",)) for key in keys),
        Column("n", "count", ("n",)), mean, _BASELINE, *_MEASURED, *_costs(groups), *_SIZES,
        Column("note", "text", ("note",)),
    ]  # fmt: skip
    return Table("groups", columns, rows).filled()


_TASK = Column("task", "text", ("yardstick",))
_MODEL = Column("model", "text", ("model",))
_METRIC = Column("metric", "text", ("metric",))
_BASELINE = Column("baseline", "figure", ("baseline",))
"""Score of the task's trivial baseline (majority class, mean, last value, random policy ...)."""
_MEASURED = (
    Column("std", "figure", ("std",)),
    Column("95 % interval", "interval", ("low", "high")),
    Column("best valid @ step", "at", ("best", "best_step")),
    Column("last valid @ step", "at", ("last", "last_step")),
)
_SIZES = (
    Column("parameters", "count", ("parameters",)),
    Column("steps", "count", ("steps",)),
    Column("time", "duration", ("seconds",)),
)


def _costs(groups: Sequence[Group]) -> list[Column]:
    """What was spent of the counter of `--x`, and the best value by the same spending."""
    counter = next((str(row.cost["counter"]) for row in groups if row.cost), None)
    if counter is None:
        return []
    return [Column(counter, "count", ("total",)), Column(f"best valid @ {counter}", "at", ("value", "equal"))]


def _plain(row: Group) -> dict[str, Any]:
    keys = {f"key {key}": "null" if value is None else value for key, value in row.keys.items()}
    return vars(row) | keys | row.cost


def _different(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({row[key] for row in rows}) > 1


def _kind(rows: Sequence[Mapping[str, Any]], key: str) -> Any:
    """Numbers to the right, anything else to the left."""
    values = [row[f"key {key}"] for row in rows if f"key {key}" in row]
    return "number" if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values) else "text"


def of_pairs(found: Comparison) -> Table:
    """One row a pair, p corrected."""
    rows = [found.plain_pair(task, pair) for task, pair in found.pairs]
    for row in rows:
        row["seeds"] = f"{row['n']} {'paired' if row['paired'] else 'an arm'}"
        row["said"] = _VERDICTS[row["verdict"]]
        row["by"] = row["effect_name"].split()[-1] if row["effect"] is not None else None
    columns = [Column("task", "text", ("task",))] if rows and _different(rows, "task") else []
    return Table("pairs", [*columns, *_PAIRS], rows)


_VERDICTS = {"better": "better", "worse": "worse", "open": "not shown", "untested": "not tested"}
_PAIRS = (
    Column("what", "text", ("a",)),
    Column("against", "text", ("b",)),
    Column("difference", "figure", ("difference",)),
    Column("95 % interval", "interval", ("low", "high")),
    Column("p", "chance", ("p",)),
    Column("p corrected", "chance", ("p_holm",)),
    Column("effect", "effect", ("effect", "by")),
    Column("seeds", "text", ("seeds",)),
    Column("verdict", "text", ("said",)),
    Column("test", "text", ("test",)),
)


def ordered(groups: Sequence[Group], sort: str | None) -> list[Group]:
    """Groups by a column, the ones without a value last; `-mean` turns it round.

    Raises:
        UsageError: there is no such column.
    """
    if sort is None:
        return list(groups)
    name, down = sort.removeprefix("-"), sort.startswith("-")
    flat = [_sortable(row) for row in groups]
    known = {key for row in flat for key in row}
    if groups and name not in known:
        raise UsageError(f"--sort: there is no column {name!r}{nearest(name, known)}")
    having = [place for place in range(len(groups)) if flat[place].get(name) is not None]
    having.sort(key=lambda place: _rank(flat[place][name]), reverse=down)
    return [groups[place] for place in (*having, *(p for p in range(len(groups)) if p not in set(having)))]


_UNSORTED = ("values", "seeds", "runs", "keys", "cost", "signature", "experiment", "degenerate")


def _sortable(row: Group) -> dict[str, Any]:
    names = {name: value for name, value in vars(row).items() if name not in _UNSORTED}
    return {"task": row.task, **row.keys, **names, **row.cost, "time": row.seconds}


def _rank(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return not number, float(value) if number else 0.0, "" if number else str(value)


def limited(found: Comparison, sort: str | None, limit: int | None) -> Comparison:
    """The first groups of the order asked for, the pairs whose arms are among them, and what that leaves out."""
    rows = ordered(found.groups, sort)
    shown = rows if limit is None else rows[:limit]
    names = {row.name for row in shown}
    pairs = [(task, pair) for task, pair in found.pairs if pair.a in names] if limit is not None else found.pairs
    hidden = len(rows) - len(shown)
    notes = [*found.notes, *([f"--limit {limit}: {hidden} more group{'s' * (hidden > 1)}"] if hidden else [])]
    return replace(found, groups=shown, pairs=_sorted_pairs(pairs, rows), notes=notes)


def _sorted_pairs(pairs: Iterable[Any], rows: Sequence[Group]) -> list[Any]:
    place = {row.name: number for number, row in enumerate(rows)}
    return sorted(pairs, key=lambda one: (place[one[1].a], place[one[1].b]))


def of_csv(found: Comparison) -> Table:
    """The groups with their difference from the baseline, in one table; all pairs are rows of their own."""
    groups = [_plain(group) for group in found.groups]
    rows = _with_pairs(groups, found) if found.all_pairs else _with_baseline(groups, found)
    keys = [column for column in of_groups(found.groups).columns if column.parts[0].startswith("key ")]
    first, rest = ([Column(name, "text", (name,)) for name in names] for names in (_FIRST, _REST))
    named = [Column(column.title, "text", column.parts) for column in keys]
    kind = [Column("row", "text", ("row",))] if found.all_pairs else []
    return Table("groups", [*kind, *first, *named, *rest], rows)


_FIRST = ("name", "task", "yardstick", "model")
_REST = (
    "metric", "direction", "n", "mean", "low", "high", "baseline", "interval", "std", "best", "best_step", "last",
    "last_step", "parameters", "seconds", "steps", "counter", "total", "value", "equal", "against", "difference",
    "difference_low", "difference_high", "p", "p_holm", "effect", "verdict", "signature", "seeds", "runs", "note",
    "test", "paired", "pairs", "pair_note", "experiment",
)  # fmt: skip


def _with_baseline(groups: Sequence[Mapping[str, Any]], found: Comparison) -> list[Mapping[str, Any]]:
    """Each group with its pair."""
    against = {pair.a: _against(found, task, pair) for task, pair in found.pairs}
    return [{**row, **against.get(row["name"], {})} for row in groups]


def _with_pairs(groups: Sequence[Mapping[str, Any]], found: Comparison) -> list[Mapping[str, Any]]:
    """The groups, then the pairs, which `row` tells apart."""
    known = {row["name"]: {name: row[name] for name in ("task", "yardstick", "metric")} for row in groups}
    pairs = [
        {"row": "pair", "name": pair.a, **known.get(pair.a, {}), **_against(found, task, pair)}
        for task, pair in found.pairs
    ]
    return [*({"row": "group", **row} for row in groups), *pairs]


def _against(found: Comparison, task: str, pair: Pair) -> dict[str, Any]:
    plain = found.plain_pair(task, pair)
    same = {name: plain[name] for name in ("difference", "p", "p_holm", "effect", "verdict", "test", "paired")}
    named = {"difference_low": pair.low, "difference_high": pair.high, "pairs": pair.n, "pair_note": pair.note}
    return same | named | {"against": pair.b}
