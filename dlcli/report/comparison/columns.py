"""Columns and rows of the tables of `compare runs`: groups, and pairs of groups."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison.comparison import Comparison
from dlcli.report.comparison.groups import Group
from dlcli.report.statistics.hypothesis_tests import ArmComparison
from dlcli.report.table_formats import Column, Table


def groups_table(groups: Sequence[Group]) -> Table:
    """Build a table with one row per group and a column for each configuration key that differs."""
    keys = list(dict.fromkeys(key for row in groups for key in row.keys))
    rows = [_plain(row) for row in groups]
    differing = [column for column in (_TASK, _MODEL, _METRIC) if _differs(rows, column.parts[0])]
    if _MODEL in differing and all(row.name.startswith(row.model) for row in groups):
        differing.remove(_MODEL)
    mean = Column("mean" if _METRIC in differing or not rows else groups[0].metric, "figure", ("mean",))
    key_columns = [Column(key, _kind(rows, key), (f"key {key}",)) for key in keys]
    columns = [
        Column("group", "text", ("name",)), *differing, *key_columns,
        Column("n", "count", ("n",)), mean, _BASELINE, *_STATISTICS, *_cost_columns(groups), *_SIZES,
        Column("note", "text", ("note",)),
    ]  # fmt: skip
    return Table("groups", columns, rows).filled()


_TASK = Column("task", "text", ("yardstick",))
_MODEL = Column("model", "text", ("model",))
_METRIC = Column("metric", "text", ("metric",))
_BASELINE = Column("baseline", "figure", ("baseline",), missing="-")
"""Score of the task's trivial baseline (majority class, mean, last value, random policy ...)."""
_STATISTICS = (
    Column("std", "figure", ("std",)),
    Column("95 % CI", "interval", ("low", "high")),
    Column("best val. (step)", "at", ("best", "best_step")),
    Column("final val. (step)", "at", ("last", "last_step")),
)
_SIZES = (
    Column("parameters", "count", ("parameters",)),
    Column("steps", "count", ("steps",)),
    Column("time", "duration", ("seconds",)),
)


def _cost_columns(groups: Sequence[Group]) -> list[Column]:
    """Columns of the total of the `--x` counter, and of the best validation value at equal cost."""
    counter = next((str(row.cost["counter"]) for row in groups if row.cost), None)
    if counter is None:
        return []
    return [Column(counter, "count", ("total",)), Column(f"best val. ({counter})", "at", ("value", "equal"))]


def _plain(row: Group) -> dict[str, Any]:
    keys = {f"key {key}": "null" if value is None else value for key, value in row.keys.items()}
    return vars(row) | keys | row.cost


def _differs(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({row[key] for row in rows}) > 1


def _kind(rows: Sequence[Mapping[str, Any]], key: str) -> Any:
    """Column kind: `number` (aligned right) if all values are numbers, else `text`."""
    values = [row[f"key {key}"] for row in rows if f"key {key}" in row]
    return "number" if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values) else "text"


def pairs_table(comparison: Comparison) -> Table:
    """Build a table with one row per pair of groups: difference, interval, p, corrected p and effect size."""
    rows = [comparison.plain_pair(task, pair) for task, pair in comparison.pairs]
    for row in rows:
        row["seeds"] = f"{row['n']} {'paired' if row['paired'] else 'per group'}"
        row["verdict_text"] = _VERDICTS[row["verdict"]]
        row["effect_symbol"] = row["effect_name"].split()[-1] if row["effect"] is not None else None
    columns = [Column("task", "text", ("task",))] if rows and _differs(rows, "task") else []
    reference = Column("versus" if comparison.all_pairs else "baseline", "text", ("b",))
    return Table("pairs", [*columns, Column("group", "text", ("a",)), reference, *_PAIR_STATISTICS], rows)


_VERDICTS = {"better": "better", "worse": "worse", "open": "not significant", "untested": "not tested"}
_PAIR_STATISTICS = (
    Column("difference", "figure", ("difference",)),
    Column("95 % CI", "interval", ("low", "high")),
    Column("p", "chance", ("p",)),
    Column("p corrected", "chance", ("p_holm",)),
    Column("effect", "effect", ("effect", "effect_symbol")),
    Column("seeds", "text", ("seeds",)),
    Column("verdict", "text", ("verdict_text",)),
    Column("test", "text", ("test",)),
)


def sort_groups(groups: Sequence[Group], sort: str | None) -> list[Group]:
    """Sort groups by a column, missing values last; the prefix `-` sorts in descending order.

    Raises:
        UsageError: the column is unknown.
    """
    if sort is None:
        return list(groups)
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    flat = [_sortable(row) for row in groups]
    known = {key for row in flat for key in row}
    if groups and name not in known:
        raise UsageError("unknown_name", kind="--sort column", name=name, known=known)
    present = [index for index in range(len(groups)) if flat[index].get(name) is not None]
    present.sort(key=lambda index: _sort_key(flat[index][name]), reverse=descending)
    missing = [index for index in range(len(groups)) if flat[index].get(name) is None]
    return [groups[index] for index in (*present, *missing)]


_UNSORTED = ("values", "seeds", "runs", "keys", "cost", "signature", "experiment", "degenerate")


def _sortable(row: Group) -> dict[str, Any]:
    names = {name: value for name, value in vars(row).items() if name not in _UNSORTED}
    return {"task": row.task, **row.keys, **names, **row.cost, "time": row.seconds}


def _sort_key(value: Any) -> tuple[bool, float, str]:
    numeric = isinstance(value, int | float)
    return not numeric, float(value) if numeric else 0.0, "" if numeric else str(value)


def limit_groups(comparison: Comparison, sort: str | None, limit: int | None) -> Comparison:
    """Sort the groups and keep the first `limit` of them with their pairs; a note states the number hidden."""
    rows = sort_groups(comparison.groups, sort)
    shown = rows if limit is None else rows[:limit]
    names = {row.name for row in shown}
    pairs = comparison.pairs if limit is None else [entry for entry in comparison.pairs if entry[1].a in names]
    rank = {row.name: index for index, row in enumerate(rows)}
    hidden = len(rows) - len(shown)
    notes = [*comparison.notes, *([f"--limit {limit}: {hidden} more group{'s' * (hidden > 1)}"] if hidden else [])]
    in_order = sorted(pairs, key=lambda entry: (rank[entry[1].a], rank[entry[1].b]))
    return replace(comparison, groups=shown, pairs=in_order, notes=notes)


def csv_table(comparison: Comparison) -> Table:
    """Build the table of `--csv`: groups with their difference from the baseline.

    With all pairs, the pairs are rows of their own, and the column `row` distinguishes them from groups.
    """
    groups = [_plain(group) for group in comparison.groups]
    rows = _with_pairs(groups, comparison) if comparison.all_pairs else _with_baseline(groups, comparison)
    keys = [column for column in groups_table(comparison.groups).columns if column.parts[0].startswith("key ")]
    first, rest = ([Column(name, "text", (name,)) for name in names] for names in (_FIRST, _REST))
    key_columns = [Column(column.title, "text", column.parts) for column in keys]
    kind = [Column("row", "text", ("row",))] if comparison.all_pairs else []
    return Table("groups", [*kind, *first, *key_columns, *rest], rows)


_FIRST = ("name", "task", "yardstick", "model")
_REST = (
    "metric", "direction", "n", "mean", "low", "high", "baseline", "interval", "std", "best", "best_step", "last",
    "last_step", "parameters", "seconds", "steps", "counter", "total", "value", "equal", "against", "difference",
    "difference_low", "difference_high", "p", "p_holm", "effect", "verdict", "signature", "seeds", "runs", "note",
    "test", "paired", "pairs", "pair_note", "experiment",
)  # fmt: skip


def _with_baseline(groups: Sequence[Mapping[str, Any]], comparison: Comparison) -> list[Mapping[str, Any]]:
    """Rows of the groups, each with its difference from the baseline."""
    differences = {pair.a: _pair_columns(comparison, task, pair) for task, pair in comparison.pairs}
    return [{**row, **differences.get(row["name"], {})} for row in groups]


def _with_pairs(groups: Sequence[Mapping[str, Any]], comparison: Comparison) -> list[Mapping[str, Any]]:
    """Rows of the groups, then rows of the pairs; the value of `row` is `group` or `pair`."""
    known = {row["name"]: {name: row[name] for name in ("task", "yardstick", "metric")} for row in groups}
    pairs = [
        {"row": "pair", "name": pair.a, **known.get(pair.a, {}), **_pair_columns(comparison, task, pair)}
        for task, pair in comparison.pairs
    ]
    return [*({"row": "group", **row} for row in groups), *pairs]


def _pair_columns(comparison: Comparison, task: str, pair: ArmComparison) -> dict[str, Any]:
    plain = comparison.plain_pair(task, pair)
    columns = {name: plain[name] for name in ("difference", "p", "p_holm", "effect", "verdict", "test", "paired")}
    bounds = {"difference_low": pair.low, "difference_high": pair.high}
    return columns | bounds | {"pairs": pair.n, "pair_note": pair.note, "against": pair.b}
