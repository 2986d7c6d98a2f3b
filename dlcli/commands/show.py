"""`dlcli show`: one run on one screen."""

import json
import sys
from pathlib import Path

from dlcli.core.errors import UsageError, nearest
from dlcli.report import output_file, terminal_tables
from dlcli.report.charts import terminal
from dlcli.report.comparison import history
from dlcli.runs import selectors
from dlcli.runs.record import present_name
from dlcli.runs.run import Run


def main(selector: str, out: Path, metric: str | None, as_json: bool, page: Path | None = None) -> int:
    """Print the run, or its facts as JSON, or write its page."""
    run = selectors.one(selector, out)
    names = ["loss", "fitness_best", *filter(None, [run.record.metric])]
    curves = history.curves(run, None if as_json or metric is not None else names)
    if metric is not None:
        known = {_metric(key) for key in curves}
        metric = present_name(metric, known)
        if metric not in known:
            raise UsageError(f"run {run.id} logged no {metric!r}{nearest(metric, known)}")
    if page is not None:
        _write(page, run)
    if as_json:
        facts = {"path": str(run.path), **run.info, "status": run.status, "curves": curves}
        print(json.dumps(facts, indent=1))  # noqa: T201
        return 0
    if page is not None:
        return 0
    terminal_tables.print_run(run, _configuration(run))
    for name in dict.fromkeys(names if metric is None else [metric]):
        lines = {key.partition(" ")[0]: line for key, line in curves.items() if _metric(key) == name}
        if lines:
            print(terminal.draw(lines, name))  # noqa: T201
    return 0


def _metric(key: str) -> str:
    """The metric of `split metric`."""
    return key.partition(" ")[2]


def _write(page: Path, run: Run) -> None:
    from dlcli.report.page import html

    output_file.place(page, "--html")
    html.write_run(page, run)
    print(f"written: {page}", file=sys.stderr)  # noqa: T201


def _configuration(run: Run) -> str:
    try:
        return (run.path / "config.yaml").read_text(errors="replace")
    except OSError:
        return "config.yaml is missing\n"
