"""`dlcli show`: status, scores and learning curves of one run."""

import json
import sys
from pathlib import Path

from dlcli.core.errors import UsageError
from dlcli.report import output_file, terminal_tables
from dlcli.report.charts import terminal
from dlcli.report.comparison import history
from dlcli.runs import selectors
from dlcli.runs.record import current_name
from dlcli.runs.run import Run


def main(
    selector: str,
    out: Path,
    metric: str | None,
    as_json: bool,
    page: Path | None = None,
    configuration: bool = False,
) -> int:
    """Print a run, or its run.json and curves as JSON, or write its HTML page.

    Args:
        selector: selects one run.
        out: folder of the runs.
        metric: curve to draw; None draws the loss and the main metric.
        as_json: print JSON only.
        page: HTML file to write.
        configuration: print the resolved configuration as well.

    Raises:
        UsageError: the run did not log the metric, or the page cannot be written.
    """
    run = selectors.one(selector, out)
    names = ["loss", "fitness_best", *filter(None, [run.record.metric])]
    curves = history.curves(run, None if as_json or metric is not None else names)
    if metric is not None:
        logged = {_metric(key) for key in curves}
        metric = current_name(metric, logged)
        if metric not in logged:
            raise UsageError("unreported_metric", subject=f"run {run.id}", name=metric, known=logged)
        names = [metric]
    if page is not None:
        from dlcli.report.page import html

        output_file.resolve_path(page, "--html")
        html.write_run(page, run)
        print(f"written: {page}", file=sys.stderr)  # noqa: T201
    if as_json:
        record = {"path": str(run.path), **run.info, "status": run.status, "curves": curves}
        print(json.dumps(record, indent=1))  # noqa: T201
    elif page is None:
        terminal_tables.print_run(run)
        for name in dict.fromkeys(names):
            series = {key.partition(" ")[0]: curve for key, curve in curves.items() if _metric(key) == name}
            if series:
                print(terminal.draw(series, name))  # noqa: T201
        if configuration:
            print(_configuration(run))  # noqa: T201
    return 0


def _metric(key: str) -> str:
    """Metric of a curve's key, `SPLIT METRIC`."""
    return key.partition(" ")[2]


def _configuration(run: Run) -> str:
    try:
        return (run.path / "config.yaml").read_text(errors="replace").rstrip()
    except OSError:
        return "config.yaml is missing"
