"""`dlcli show`: one run on one screen."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dlcli.core.errors import UsageError, nearest
from dlcli.report import curve, named, tables
from dlcli.runs import selectors
from dlcli.runs.run import Run


def main(selector: str, out: Path, metric: str | None, as_json: bool, page: Path | None = None) -> int:
    """Print the run, or its facts as JSON, or write its page."""
    run = selectors.one(selector, out)
    rows = run.metrics()
    if metric is not None:
        known = {name for _, _, name, _ in rows}
        if metric not in known:
            raise UsageError(f"run {run.id} logged no {metric!r}{nearest(metric, known)}")
    if page is not None:
        _write(page, run)
    if as_json:
        facts = {"path": str(run.path), **run.info, "status": run.status, "curves": _curves(rows)}
        print(json.dumps(facts, indent=1))  # noqa: T201
        return 0
    if page is not None:
        return 0
    tables.print_run(run, _configuration(run))
    shown = metric or (run.info.get("goal") or {}).get("metric")
    for name in dict.fromkeys(["loss", "fitness_best", shown] if metric is None else [shown]):
        lines = {split: curve_ for key, curve_ in _curves(rows).items() if (split := _split(key, name))}
        if lines:
            print(curve.draw(lines, str(name)))  # noqa: T201
    return 0


def _write(page: Path, run: Run) -> None:
    from dlcli.report.page import html

    named.place(page, "--html")
    html.write_run(page, run)
    print(f"written: {page}", file=sys.stderr)  # noqa: T201


def _configuration(run: Run) -> str:
    try:
        return (run.path / "config.yaml").read_text(errors="replace")
    except OSError:
        return "config.yaml is missing\n"


def _curves(rows: Sequence[tuple[int, str, str, float]]) -> dict[str, tuple[list[int], list[float]]]:
    """(steps, values) by `split metric`."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for step, split, metric, value in rows:
        steps, values = found.setdefault(f"{split} {metric}", ([], []))
        steps.append(step)
        values.append(value)
    return found


def _split(key: str, metric: str | None) -> str | None:
    split, _, name = key.partition(" ")
    return split if name == metric else None
