"""Tables and summaries in the terminal."""

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
_MOST_RICH_ROWS = 60  # rich needs about a millisecond per row, so that longer tables are printed without it
_HIDEABLE = {
    "groups": ("final val.", "best val.", "steps", "parameters", "std", "time", "baseline"),
    "pairs": ("test", "effect", "seeds", "p", "95 % CI"),
}
"""Columns to hide in a narrow terminal by table, least important first: prefixes of titles, or single letters."""
_LEAST_FOLDED = 12  # characters to which a folded column may shrink
_UNFOLDED = ("seeds", "verdict", "test")  # text columns that are never folded
_COLORS = {"completed": "green", "running": "cyan", "failed": "red", "diverged": "red", "lost": "red"}


def _console() -> Console:
    """Console on standard output: as wide as the terminal, or wide enough for complete lines in files and pipes."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(highlight=False, width=width)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    numeric: Sequence[str] = (),
    whole: Sequence[str] = (),
    least: int = 0,
) -> None:
    """Print a plain table.

    Args:
        columns: headings.
        rows: cells by row.
        numeric: headings of the columns to align right.
        whole: headings of the columns that are not folded.
        least: smallest width of the table in characters; a narrower terminal wraps its lines.
    """
    if len(rows) > _MOST_RICH_ROWS:
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
    """Print a table without colors and folding."""
    cells = [list(columns), *([one_line(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    alignments = [">" if column in numeric else "<" for column in columns]
    template = "  ".join(f"{{:{side}{width}}}" for side, width in zip(alignments, widths, strict=True))
    sys.stdout.write("".join(template.format(*row).rstrip() + "\n" for row in cells))


def print_runs(runs: Sequence[Run], damaged: Sequence[str] = ()) -> None:
    """Print one line per run.

    Args:
        runs: newest first.
        damaged: messages on run directories that cannot be read, printed below the runs.
    """
    rows = [(str(number), *_run_cells(run)) for number, run in enumerate(runs, 1)]
    rows += [("", "?", Text("damaged", style="red"), *[""] * 6, reason) for reason in damaged]
    columns = ("#", "id", "status", "started", "recipe", "seed", "metric", "test", "time", "name")
    print_table(columns, rows, numeric=("#", "seed", "test", "time"))


def _run_cells(run: Run) -> tuple[str | Text, ...]:
    """Cells of a run; of a damaged run.json only the fields that are always present."""
    info, record = run.info, run.record
    try:
        tags = [f"@{tag}" for tag in info.get("tags") or ()]
        return (
            run.id, _status(run), moment(info["started"]), record.label, _seed(run), *_main_metric(run),
            duration(info.get("seconds") or 0.0), " ".join([record.name or "", *tags]).strip(),
        )  # fmt: skip
    except (TypeError, ValueError, AttributeError) as error:
        broken = Text("damaged", style="red")
        return run.id, broken, moment(info["started"]), info["label"], _seed(run), "", "", "", f"run.json: {error}"


def _seed(run: Run) -> str:
    return str(run.info.get("seed", ""))


def _status(run: Run) -> Text:
    return Text(run.status, style=_COLORS.get(run.status, "yellow"))


def _main_metric(run: Run) -> tuple[str, str]:
    """Name and value of the main metric: from test, else all, else the validation split."""
    if not isinstance(run.info.get("goal"), Mapping | None):
        raise TypeError(f"goal must be a mapping, got {run.info['goal']!r}")
    metric = run.record.metric or ""
    for split in ("test", "all", "valid"):
        if not isinstance(run.info["metrics"].get(split), Mapping | None):
            raise TypeError(f"metrics.{split} must be a mapping, got {run.info['metrics'][split]!r}")
        value = (run.record.scores(split) or {}).get(metric)
        if isinstance(value, bool):
            raise ValueError(f"metrics.{split}.{metric} must be a number, got {value!r}")
        if value is not None:
            return metric, number(value)
    return metric, ""


def print_groups(groups: Sequence[Any], digits: int = 4) -> None:
    """Print one row per group of runs that differ only in the seed.

    Args:
        digits: significant digits of numbers.
    """
    from dlcli.report.comparison.columns import groups_table

    print_formatted_table(groups_table(groups), digits)


def print_formatted_table(table: Any, digits: int) -> None:
    """Print a `table_formats.Table`. In a narrow terminal the least important columns are hidden.

    Args:
        digits: significant digits of numbers.
    """
    titles, cells = [column.title for column in table.columns], table.cells(digits)
    whole = [column.title for column in table.columns if not column.wordy or column.title in _UNFOLDED]
    widths = _least_widths(titles, cells, whole)
    hidden = _hidden(widths, _HIDEABLE.get(table.name, ()), _console().width)
    shown = [index for index, title in enumerate(titles) if title not in hidden]
    numeric = [column.title for column in table.columns if not column.wordy]
    visible = {title: width for title, width in widths.items() if title not in hidden}
    print_table(
        [titles[index] for index in shown],
        [[row[index] for index in shown] for row in cells],
        numeric,
        whole,
        _row_width(visible),
    )
    if hidden:
        names = ", ".join(hidden)
        _console().print(f"hidden columns (terminal too narrow): {names}. See --csv, --json or --html", style="dim")


def _least_widths(titles: Sequence[str], cells: Sequence[Sequence[str]], whole: Sequence[str]) -> dict[str, int]:
    """Smallest width of each column in characters; columns of text may be folded."""
    widths = {title: max([len(title), *(len(row[index]) for row in cells)]) for index, title in enumerate(titles)}
    return {title: width if title in whole else min(width, _LEAST_FOLDED) for title, width in widths.items()}


def _row_width(widths: Mapping[str, int]) -> int:
    """Width of a row in characters, with two spaces between columns."""
    return sum(widths.values()) + 2 * len(widths) - 2


def _hidden(widths: Mapping[str, int], order: Sequence[str], available: int) -> list[str]:
    """Titles of the columns to hide so that a row fits the available width, at most those of the given order."""
    remaining, hidden = dict(widths), []
    for prefix in order:
        if _row_width(remaining) <= available:
            break
        matches = [title for title in remaining if title == prefix or (len(prefix) > 1 and title.startswith(prefix))]
        hidden += matches
        for title in matches:
            del remaining[title]
    return hidden


def _optional(value: float | None) -> str:
    return "" if value is None else number(value)


def print_scores(
    metrics: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, Mapping[str, float]]] | None = None,
    info: Mapping[str, Any] | None = None,
) -> None:
    """Print scores with splits as rows and metrics as columns, with confidence intervals and the baseline.

    Args:
        metrics: scores by split and metric.
        intervals: 95 % confidence intervals (`low`, `high`, `rows`) by split and metric.
        info: content of run.json, for `metric_info` and the name of the baseline.
    """
    names = list(dict.fromkeys(name for row in metrics.values() for name in row))
    rows = []
    for split, row in metrics.items():
        rows.append([split, *(_optional(row.get(name)) for name in names)])
        of_split = (intervals or {}).get(split, {})
        if of_split:
            count = max(round(interval["rows"]) for interval in of_split.values())
            rows.append([f"95 % CI (n = {count:,})", *(_interval(of_split.get(name)) for name in names)])
    metric_info = (info or {}).get("metric_info") or {}
    baselines = {name: facts.get("baseline") for name, facts in metric_info.items()}
    if baselines:
        known = any(baselines.get(name) is not None for name in names)
        label = (info or {}).get("baseline") if known else "none declared"
        heading = f"baseline: {label}" if label else "baseline"
        rows.append([heading, *(_optional(baselines.get(name)) or "-" for name in names)])
    print_table(["split", *names], rows, numeric=names)


def _interval(interval: Mapping[str, float] | None) -> str:
    return "" if interval is None else f"[{number(interval['low'])}, {number(interval['high'])}]"


def print_summary(run: Run) -> None:
    """Print the result of a run, and the next command for an evolved policy."""
    info, console = run.info, _console()
    parts = [f"[bold]{escape(info['name'] or info['label'])}[/]", f"seed {info['seed']}"]
    if info["parameters"]:
        parts.append(f"{info['parameters']:,} parameters")
    counters = [f"{count:,} {name}" for name, count in info.get("counters", {}).items() if count and name in _COUNTERS]
    parts.append(", ".join([f"{info['steps']:,} steps", *counters]) + f" in {duration(info['seconds'])}")
    console.print("  ".join(parts))
    if receptive_field := receptive_field_text(info):
        console.print(receptive_field)
    if info["metrics"]:
        print_scores(info["metrics"], info=info)
    best = info.get("best") or {}
    if best.get("value") is not None:
        metric = info["goal"]["metric"]
        console.print(f"best checkpoint: step {best['step']:,} (validation {metric} {number(best['value'])})")
    for image in sorted(path for path in (run.path / "artifacts").glob("*") if path.suffix in (".png", ".svg")):
        console.print(f"{image}", soft_wrap=True)
    console.print(f"{run.path}", soft_wrap=True)
    if info.get("remark"):
        console.print(escape(str(info["remark"])), soft_wrap=True)
    if info["verb"] == "evolve" and info["metrics"]:
        render = " --render episode.gif" if info.get("renders") else ""
        console.print(f"next: dlcli eval {run.path}{render}", soft_wrap=True)


_COUNTERS = ("evaluations", "env_steps", "trials", "failed")


def receptive_field_text(info: Mapping[str, Any]) -> str:
    """Sentence on the receptive field and the input window; empty for a model without a receptive field."""
    field, length = info.get("receptive_field"), info.get("length")
    if field is None or length is None:
        return ""
    if field >= length:
        return f"receptive field ({field:,} steps) covers the input window ({length:,})"
    missing = length - field
    earliest = f"the first {missing:,} steps do" if missing > 1 else "the first step does"
    fields = f"receptive field ({field:,} steps) is shorter than the input window ({length:,})"
    return f"{fields}: {earliest} not affect the last output"


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
        "receptive field": receptive_field_text(info),
        "parent": info.get("parent") or "",
    }
    for name, value in facts.items():
        if value:
            head.add_row(Text(name, style="bold"), value if isinstance(value, Text) else Text(str(value)))
    console.print(head)
    if info["metrics"]:
        print_scores(info["metrics"], info=info)


def print_estimates(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the estimates of `--dry-run`: commands, models, steps and times.

    Args:
        rows: estimates of the runs.
    """
    console = _console()
    for row in rows:
        console.print(f"[bold]{escape(row['what'])}[/]  {escape(' '.join(row['words']))}")
        if "model" in row:
            _print_training(console, row)
        if "scenes" in row:
            scenes = f"{row['scenes']:,} scenes of {row['milliseconds_a_scene']:.1f} ms"
            console.print(f"  {scenes}, about {duration(row['scenes'] * row['milliseconds_a_scene'] / 1000)}")
        if "matrices" in row:
            console.print(f"  {row['matrices']:,} sets of matrices, at most about {duration(row['seconds'])}")
    total = sum(row["seconds"] for row in rows)
    console.print(f"{len(rows)} run{'s' * (len(rows) != 1)}, about {duration(total)}")


def _print_training(console: Console, row: Mapping[str, Any]) -> None:
    console.print(escape(f"  {row['model']} on {row['task']}: {row['spec']}, {row['parameters']:,} parameters"))
    if receptive_field := receptive_field_text(row):
        console.print(f"  {receptive_field}")
    steps = (
        f"{row['steps']:,} steps of {row['milliseconds_a_step']:.1f} ms" if row["steps"] else "unknown number of steps"
    )
    until = ", ".join(f"{name} {limit:g}" for name, limit in row["until"].items())
    seconds = row.get("training_seconds", row["seconds"])
    console.print(escape(f"  until {until}: {steps}, about {duration(seconds)} on {row['device']}"))


def print_line(text: str) -> None:
    """Print a line without markup and wrapping."""
    _console().print(text, markup=False, soft_wrap=True)
