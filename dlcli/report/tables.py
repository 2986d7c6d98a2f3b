"""Tables and pages in the terminal."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dlcli.report.text import one_line
from dlcli.report.words import duration, moment, number
from dlcli.run import Run

_PIPE_WIDTH = 200
_MANY = 60  # rows, from which on a table is written without rich
_SPARE = ("last valid", "effect", "best valid", "steps", "parameters")  # beginnings of titles
_COLOURS = {"completed": "green", "running": "cyan", "failed": "red", "diverged": "red", "lost": "red"}


def _console() -> Console:
    """Standard output, as wide as the terminal; files and pipes get whole lines."""
    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, width=wide)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], numeric: Sequence[str] = ()) -> None:
    """A plain table; `numeric` columns are set to the right."""
    if len(rows) > _MANY:
        _print_long(columns, rows, numeric)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else escape(one_line(cell)) for cell in row))
    _console().print(table)


def _print_long(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], numeric: Sequence[str]) -> None:
    """The same without colours and folding: rich takes a millisecond a line."""
    lines = [list(columns), *([one_line(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [">" if column in numeric else "<" for column in columns]
    form = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True)).format
    sys.stdout.write("".join(form(*line).rstrip() + "\n" for line in lines))


def print_runs(found: Sequence[Run]) -> None:
    """One line a run, newest first."""
    rows = [
        (str(place), run.id, _status(run), moment(run.info["started"]), run.info["label"], _seed(run), *_main(run),
         duration(run.info.get("seconds") or 0.0), " ".join([run.info.get("name") or "", *_tags(run)]).strip())
        for place, run in enumerate(found, 1)
    ]  # fmt: skip
    columns = ("#", "id", "status", "started", "what", "seed", "metric", "test", "time", "name")
    print_table(columns, rows, numeric=("#", "seed", "test", "time"))


def _tags(run: Run) -> list[str]:
    return [f"@{tag}" for tag in run.info.get("tags", ())]


def _seed(run: Run) -> str:
    return str(run.info.get("seed", ""))


def _status(run: Run) -> Text:
    return Text(run.status, style=_COLOURS.get(run.status, "yellow"))


def _main(run: Run) -> tuple[str, str]:
    """Name and value of the main metric, from the last split scored."""
    metric = (run.info.get("goal") or {}).get("metric", "")
    for split in ("test", "all", "valid"):
        value = run.info["metrics"].get(split, {}).get(metric)
        if value is not None:
            return metric, number(value)
    return metric, ""


def print_groups(groups: Sequence[Any], digits: int = 4) -> None:
    """One row a group of runs that differ only in the seed."""
    from dlcli.report.layout import of_groups

    print_written(of_groups(groups), digits)


def print_written(table: Any, digits: int) -> None:
    """A table of the common model; columns that can be spared are left out where the terminal is too narrow."""
    titles, cells = [column.title for column in table.columns], table.cells(digits)
    spared = _spared(titles, cells, _console().width)
    kept = [place for place, title in enumerate(titles) if title not in spared]
    numeric = [column.title for column in table.columns if not column.wordy]
    print_table([titles[place] for place in kept], [[row[place] for place in kept] for row in cells], numeric)
    if spared:
        _console().print(
            f"left out for want of width: {', '.join(spared)} (--csv, --json and --html have them)", style="dim"
        )


def _spared(titles: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """The fewest titles, the least needed first, without which a row fits the width; none where none are enough."""
    wide = {title: max([len(title), *(len(row[place]) for row in cells)]) for place, title in enumerate(titles)}
    spared: list[str] = []
    for begun in _SPARE:
        if sum(wide.values()) + 2 * len(wide) - 2 <= width:
            return spared
        for title in [title for title in wide if title.startswith(begun)]:
            del wide[title]
            spared.append(title)
    return spared


def _maybe(value: float | None) -> str:
    return "" if value is None else number(value)


def print_scores(
    metrics: Mapping[str, Mapping[str, float]], intervals: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None
) -> None:
    """Splits as rows, metrics as columns; the 95 % intervals below where there are any."""
    names = list(dict.fromkeys(name for row in metrics.values() for name in row))
    rows = []
    for split, row in metrics.items():
        rows.append([split, *(_maybe(row.get(name)) for name in names)])
        around = (intervals or {}).get(split, {})
        if around:
            count = max(round(one["rows"]) for one in around.values())
            rows.append([f"95 % over {count:,}", *(_around(around.get(name)) for name in names)])
    print_table(["split", *names], rows, numeric=names)


def _around(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else f"[{number(interval['low'])}, {number(interval['high'])}]"


def print_summary(run: Run) -> None:
    """What a run came to, and what to type next."""
    info, console = run.info, _console()
    words = [f"[bold]{escape(info['name'] or info['label'])}[/]", f"seed {info['seed']}"]
    if info["parameters"]:
        words.append(f"{info['parameters']:,} parameters")
    counted = [f"{count:,} {name}" for name, count in info.get("counters", {}).items() if name in _TOLD]
    words.append(", ".join([f"{info['steps']:,} steps", *counted]) + f" in {duration(info['seconds'])}")
    console.print("  ".join(words))
    if reach := reach_words(info):
        console.print(reach)
    if info["metrics"]:
        print_scores(info["metrics"])
    best = info.get("best") or {}
    if best.get("value") is not None:
        metric = info["goal"]["metric"]
        console.print(f"checkpoint: step {best['step']:,}, the best valid {metric} ({number(best['value'])})")
    for picture in sorted((run.path / "artifacts").glob("*.png")):
        console.print(f"{picture}", soft_wrap=True)
    console.print(f"{run.path}", soft_wrap=True)
    if info["verb"] in _NEXT:
        console.print(_NEXT[info["verb"]].format(path=run.path), soft_wrap=True)


_TOLD = ("evaluations", "env_steps", "trials")
_NEXT = {"evolve": "next: dlcli eval {path} --render episode.gif"}


def reach_words(info: Mapping[str, Any]) -> str:
    """The receptive field against the sequence, in words; nothing for models without one."""
    field, length = info.get("receptive_field"), info.get("length")
    if field is None or length is None:
        return ""
    verdict = "covers the sequence" if field >= length else "the earliest steps cannot reach the last output"
    return f"receptive field {field:,} steps, sequences of {length:,}: {verdict}"


def print_run(run: Run, configuration: str) -> None:
    """A run: status and facts, configuration, scores."""
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
    console.print(Text(configuration.rstrip(), style="dim"))
    if info["metrics"]:
        print_scores(info["metrics"])


def print_estimates(rows: Sequence[Mapping[str, Any]]) -> None:
    """What would run."""
    console = _console()
    for row in rows:
        console.print(f"[bold]{escape(row['what'])}[/]  {escape(' '.join(row['words']))}")
        console.print(escape(f"  {row['model']} on {row['task']}: {row['spec']}, {row['parameters']:,} parameters"))
        if reach := reach_words(row):
            console.print(f"  {reach}")
        steps = f"{row['steps']:,} steps of {row['milliseconds_a_step']:.1f} ms" if row["steps"] else "as long as said"
        until = ", ".join(f"{name} {limit:g}" for name, limit in row["until"].items())
        console.print(escape(f"  until {until}: {steps}, about {duration(row['seconds'])} on {row['device']}"))
    total = sum(row["seconds"] for row in rows)
    console.print(f"{len(rows)} run{'s' * (len(rows) != 1)}, about {duration(total)}")


def say(text: str) -> None:
    """A line as it is."""
    _console().print(text, markup=False, soft_wrap=True)
