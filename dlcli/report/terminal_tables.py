"""Tables and pages in the terminal."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dlcli.report.formatting import duration, moment, number
from dlcli.report.sanitize import one_line
from dlcli.runs.run import Run

_PIPE_WIDTH = 200
_MANY = 60  # rows, from which on a table is written without rich
_SPARE = {
    "groups": ("last valid", "best valid", "steps", "parameters", "std", "time", "baseline"),
    "pairs": ("test", "effect", "seeds", "p", "95 % interval"),
}
"""What is left out first where the terminal is too narrow: beginnings of titles, or single-letter ones."""
_FOLDED = 12  # letters of a name that is folded rather than a column left out
_WHOLE = ("seeds", "verdict", "test")  # words that are not folded
_COLOURS = {"completed": "green", "running": "cyan", "failed": "red", "diverged": "red", "lost": "red"}


def _console() -> Console:
    """Standard output, as wide as the terminal; files and pipes get whole lines."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, width=wide)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    numeric: Sequence[str] = (),
    whole: Sequence[str] = (),
    least: int = 0,
) -> None:
    """A plain table; `numeric` columns are set to the right, `whole` ones not broken, down to a width of `least`."""
    if len(rows) > _MANY:
        _print_long(columns, rows, numeric)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column, justify="right" if column in numeric else "left", overflow="fold", no_wrap=column in whole
        )
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else escape(one_line(cell)) for cell in row))
    console = _console()
    console.width = max(console.width, least)
    console.print(table)


def _print_long(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], numeric: Sequence[str]) -> None:
    """The same without colours and folding: rich takes a millisecond a line."""
    lines = [list(columns), *([one_line(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [">" if column in numeric else "<" for column in columns]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True)).format
    sys.stdout.write("".join(form(*line).rstrip() + "\n" for line in lines))


def print_runs(found: Sequence[Run], damaged: Sequence[str] = ()) -> None:
    """One line a run, newest first; then what cannot be read as one, in words."""
    rows = [(str(place), *_run(run)) for place, run in enumerate(found, 1)]
    rows += [("", "?", Text("damaged", style="red"), *[""] * 6, reason) for reason in damaged]
    columns = ("#", "id", "status", "started", "what", "seed", "metric", "test", "time", "name")
    print_table(columns, rows, numeric=("#", "seed", "test", "time"))


def _run(run: Run) -> tuple[str | Text, ...]:
    """The cells of a run; of one whose run.json is not as it was written only what is always there."""
    info, record = run.info, run.record
    try:
        return (
            run.id, _status(run), moment(info["started"]), record.label, _seed(run), *_main(run),
            duration(info.get("seconds") or 0.0), " ".join([record.name or "", *_tags(run)]).strip(),
        )  # fmt: skip
    except (TypeError, ValueError, AttributeError) as error:
        broken = Text("damaged", style="red")
        return run.id, broken, moment(info["started"]), info["label"], _seed(run), "", "", "", f"run.json: {error}"


def _tags(run: Run) -> list[str]:
    return [f"@{tag}" for tag in run.info.get("tags") or ()]


def _seed(run: Run) -> str:
    return str(run.info.get("seed", ""))


def _status(run: Run) -> Text:
    return Text(run.status, style=_COLOURS.get(run.status, "yellow"))


def _main(run: Run) -> tuple[str, str]:
    """Name and value of the main metric, from the last split scored."""
    if not isinstance(run.info.get("goal"), Mapping | None):
        raise TypeError(f"goal must be a mapping, got {run.info['goal']!r}")
    metric = run.record.metric or ""
    for split in ("test", "all", "valid"):
        if not isinstance(run.info["metrics"].get(split), Mapping | None):
            raise TypeError(f"metrics.{split} must be a mapping")
        value = (run.record.scores(split) or {}).get(metric)
        if isinstance(value, bool):
            raise ValueError(f"the {split} {metric} is {value!r}, no number")
        if value is not None:
            return metric, number(value)
    return metric, ""


def print_groups(groups: Sequence[Any], digits: int = 4) -> None:
    """One row a group of runs that differ only in the seed."""
    from dlcli.report.comparison.columns import of_groups

    print_written(of_groups(groups), digits)


def print_written(table: Any, digits: int) -> None:
    """A table of the common model; columns that can be spared are left out where the terminal is too narrow."""
    titles, cells = [column.title for column in table.columns], table.cells(digits)
    whole = [column.title for column in table.columns if not column.wordy or column.title in _WHOLE]
    least = _least(titles, cells, whole)
    spared = _spared(least, _SPARE.get(table.name, ()), _console().width)
    kept = [place for place, title in enumerate(titles) if title not in spared]
    numeric = [column.title for column in table.columns if not column.wordy]
    print_table(
        [titles[place] for place in kept],
        [[row[place] for place in kept] for row in cells],
        numeric,
        whole,
        _across(least),
    )
    if spared:
        _console().print(
            f"left out for want of width: {', '.join(spared)} (--csv, --json and --html have them)", style="dim"
        )


def _least(titles: Sequence[str], cells: Sequence[Sequence[str]], whole: Sequence[str]) -> dict[str, int]:
    """How wide each column is at least: what may be folded is as short as names can be read."""
    wide = {title: max([len(title), *(len(row[place]) for row in cells)]) for place, title in enumerate(titles)}
    return {title: size if title in whole else min(size, _FOLDED) for title, size in wide.items()}


def _across(wide: Mapping[str, int]) -> int:
    """The width of a row."""
    return sum(wide.values()) + 2 * len(wide) - 2


def _spared(wide: dict[str, int], order: Sequence[str], width: int) -> list[str]:
    """The fewest titles, the least needed first, without which a row fits the width; they are taken out of `wide`."""
    spared: list[str] = []
    for begun in order:
        if _across(wide) <= width:
            return spared
        for title in [title for title in wide if title == begun or (len(begun) > 1 and title.startswith(begun))]:
            del wide[title]
            spared.append(title)
    return spared


def _maybe(value: float | None) -> str:
    return "" if value is None else number(value)


def print_scores(
    metrics: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
    info: Mapping[str, Any] | None = None,
) -> None:
    """Splits as rows, metrics as columns; the 95 % intervals and the baseline below where there are any.

    Args:
        info: run.json, for `metric_info` and the name of the baseline.
    """
    names = list(dict.fromkeys(name for row in metrics.values() for name in row))
    rows = []
    for split, row in metrics.items():
        rows.append([split, *(_maybe(row.get(name)) for name in names)])
        around = (intervals or {}).get(split, {})
        if around:
            count = max(round(one["rows"]) for one in around.values())
            rows.append([f"95 % over {count:,}", *(_around(around.get(name)) for name in names)])
    baselines = {name: one.get("baseline") for name, one in ((info or {}).get("metric_info") or {}).items()}
    if any(baselines.get(name) is not None for name in names):
        rows.append(
            [f"baseline: {(info or {}).get('baseline') or 'known'}", *(_maybe(baselines.get(n)) for n in names)]
        )
    print_table(["split", *names], rows, numeric=names)


def _around(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else f"[{number(interval['low'])}, {number(interval['high'])}]"


def print_summary(run: Run) -> None:
    """What a run came to, and what to type next."""
    info, console = run.info, _console()
    words = [f"[bold]{escape(info['name'] or info['label'])}[/]", f"seed {info['seed']}"]
    if info["parameters"]:
        words.append(f"{info['parameters']:,} parameters")
    counted = [f"{count:,} {name}" for name, count in info.get("counters", {}).items() if count and name in _TOLD]
    words.append(", ".join([f"{info['steps']:,} steps", *counted]) + f" in {duration(info['seconds'])}")
    console.print("  ".join(words))
    if reach := reach_words(info):
        console.print(reach)
    if info["metrics"]:
        print_scores(info["metrics"], info=info)
    best = info.get("best") or {}
    if best.get("value") is not None:
        metric = info["goal"]["metric"]
        console.print(f"checkpoint: step {best['step']:,}, the best valid {metric} ({number(best['value'])})")
    for picture in sorted(path for path in (run.path / "artifacts").glob("*") if path.suffix in (".png", ".svg")):
        console.print(f"{picture}", soft_wrap=True)
    console.print(f"{run.path}", soft_wrap=True)
    if info.get("remark"):
        console.print(escape(str(info["remark"])), soft_wrap=True)
    if info["verb"] == "evolve" and info["metrics"]:
        film = " --render episode.gif" if info.get("renders") else ""
        console.print(f"next: dlcli eval {run.path}{film}", soft_wrap=True)


_TOLD = ("evaluations", "env_steps", "trials", "failed")


def reach_words(info: Mapping[str, Any]) -> str:
    """The receptive field against the sequence, in words; nothing for models without one."""
    field, length = info.get("receptive_field"), info.get("length")
    if field is None or length is None:
        return ""
    verdict = "covers the sequence" if field >= length else "the earliest steps cannot reach the last output"
    return f"receptive field {field:,} steps, sequences of {length:,}: {verdict}"


def print_run(run: Run) -> None:
    """Print the status, the facts and the scores of a run."""
    info, console = run.info, _console()
    head = Table(box=None, show_header=False, pad_edge=False)
    facts = {
        "run": f"{run.id}  {run.path}",
        "status": _status(run),
        "reason": info.get("reason") or "",
        "command": "dlcli " + " ".join(info.get("argv", ())),
        "started": f"{moment(info['started'])} on {info['host']}, took {duration(info.get('seconds') or 0.0)}",
        "parameters": f"{info.get('parameters') or 0:,}",
        "reach": reach_words(info),
        "parent": info.get("parent") or "",
    }
    for name, value in facts.items():
        if value:
            head.add_row(Text(name, style="bold"), value if isinstance(value, Text) else Text(str(value)))
    console.print(head)
    if info["metrics"]:
        print_scores(info["metrics"], info=info)


def print_estimates(rows: Sequence[Mapping[str, Any]]) -> None:
    """What would run."""
    console = _console()
    for row in rows:
        console.print(f"[bold]{escape(row['what'])}[/]  {escape(' '.join(row['words']))}")
        if "model" in row:
            _print_training(console, row)
        if "scenes" in row:
            each = f"{row['scenes']:,} scenes of {row['milliseconds_a_scene']:.1f} ms"
            console.print(f"  {each}, about {duration(row['scenes'] * row['milliseconds_a_scene'] / 1000)}")
        if "matrices" in row:
            console.print(f"  {row['matrices']:,} sets of matrices, at most about {duration(row['seconds'])}")
    total = sum(row["seconds"] for row in rows)
    console.print(f"{len(rows)} run{'s' * (len(rows) != 1)}, about {duration(total)}")


def _print_training(console: Console, row: Mapping[str, Any]) -> None:
    console.print(escape(f"  {row['model']} on {row['task']}: {row['spec']}, {row['parameters']:,} parameters"))
    if reach := reach_words(row):
        console.print(f"  {reach}")
    steps = f"{row['steps']:,} steps of {row['milliseconds_a_step']:.1f} ms" if row["steps"] else "as long as said"
    until = ", ".join(f"{name} {limit:g}" for name, limit in row["until"].items())
    taken = row.get("training_seconds", row["seconds"])
    console.print(escape(f"  until {until}: {steps}, about {duration(taken)} on {row['device']}"))


def say(text: str) -> None:
    """A line as it is."""
    _console().print(text, markup=False, soft_wrap=True)
