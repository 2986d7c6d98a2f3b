"""`dlcli list`: models, tasks and recipes from the first lines of their YAMLs, runs from their run.json."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dlcli import catalogue
from dlcli import runs as shelf
from dlcli.run import Run


def members(kind: str, extra: Sequence[Path], as_json: bool) -> int:
    """One line a model, task or recipe."""
    if kind == "recipe":
        found = {f"{verb} {name}": catalogue.describe(path) for verb, name, path in catalogue.recipes(extra)}
    else:
        found = {name: catalogue.describe(path) for name, path in catalogue.members(kind, extra).items()}
    if as_json:
        print(json.dumps(found, indent=1))  # noqa: T201
        return 0
    width = max(map(len, found), default=0)
    for name, words in found.items():
        print(f"{name:{width}}  {words}")  # noqa: T201
    return 0


def runs(selectors: Sequence[str], out: Path, children: bool, as_json: bool, as_csv: bool) -> int:
    """One line a run, newest first."""
    found = shelf.select(selectors, out) if selectors else shelf.scan(out, children=children)
    if as_json:
        print(json.dumps([_plain(run) for run in found], indent=1))  # noqa: T201
    elif as_csv:
        _print_csv(found)
    elif found:
        from dlcli.report import tables

        tables.print_runs(found)
    else:
        print(f"{out} holds no run yet; make one: dlcli train model=tcn", file=sys.stderr)  # noqa: T201
    return 0


def _plain(run: Run) -> dict[str, object]:
    return {"path": str(run.path), **run.info, "status": run.status}


def _print_csv(found: Sequence[Run]) -> None:
    names = (
        "id",
        "verb",
        "label",
        "task",
        "model",
        "seed",
        "status",
        "started",
        "seconds",
        "parameters",
        "path",
    )
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*names, "metric", "valid", "test"])
    for run in found:
        facts, metric = _plain(run), (run.info.get("goal") or {}).get("metric", "")
        scores = [run.info["metrics"].get(split, {}).get(metric, "") for split in ("valid", "test")]
        writer.writerow([*(facts.get(name, "") for name in names), metric, *scores])
