"""`dlcli list`: models, tasks and recipes from the first lines of their YAMLs, runs from their run.json."""

import csv
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config import catalogue
from dlcli.runs.run import Run
from dlcli.runs.selectors import scan, select


def members(kind: str, extra: Sequence[Path], as_json: bool, text: str = "") -> int:
    """Print one line per model, task or recipe whose name contains `text`, ignoring case."""
    if kind == "recipe":
        found = {f"{verb} {name}": catalogue.describe(path) for verb, name, path in catalogue.recipes(extra)}
    else:
        found = {name: catalogue.describe(path) for name, path in catalogue.members(kind, extra).items()}
    found = {name: words for name, words in found.items() if text.lower() in name.lower()}
    if as_json:
        print(json.dumps(found, indent=1))  # noqa: T201
        return 0
    width = max(map(len, found), default=0)
    for name, words in found.items():
        print(f"{name:{width}}  {words}")  # noqa: T201
    return 0


def claims(extra: Sequence[Path], out: Path, as_json: bool, tier: str | None = None) -> int:
    """One line a claim, with its last verdict; a file that states none gets a line on standard error."""
    from dlcli.claims import claim as stating
    from dlcli.claims import results
    from dlcli.claims.pages import verdict

    if tier is not None:
        stating.check_tier(tier)
    folders = results.places(out)
    chosen, wrong = stating.readable(tuple(extra))
    found = [(claim, results.last(claim, folders)) for claim in chosen if tier in (None, claim.tier)]
    for said in wrong:
        print(f"left out: {said}", file=sys.stderr)  # noqa: T201
    if not found:
        print(f"no claim is of the tier {tier}" if tier else "no claim", file=sys.stderr)  # noqa: T201
    if as_json:
        rows = {
            claim.name: {
                "statement": claim.statement, "system": claim.system, "paper": claim.paper, "tier": claim.tier,
                "minutes": claim.minutes, "needs": claim.needs, "verdict": verdict(claim, result),
                "finished": result["finished"] if result else None,
            }
            for claim, result in found
        }  # fmt: skip
        print(json.dumps(rows, indent=1))  # noqa: T201
        return 0
    width = max((len(claim.name) for claim, _ in found), default=0)
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for claim, result in found:
        needs = f"[needs {', '.join(claim.needs)}] " if claim.needs else ""
        line = f"{claim.name:{width}}  {verdict(claim, result):13}  {claim.tier:7}  {claim.minutes:3g} min"
        print(f"{line}  {needs}{claim.statement}"[:wide])  # noqa: T201
    return 0


def runs(selectors: Sequence[str], out: Path, children: bool, as_json: bool, as_csv: bool) -> int:
    """One line a run, newest first."""
    broken: dict[Path, str] = {}

    def trouble(path: Path, reason: str) -> None:
        broken.setdefault(path, reason)

    found = select(selectors, out, trouble) if selectors else scan(out, children=children, trouble=trouble)
    rows = [_plain(run) for run in found] + [_damaged(path, reason) for path, reason in broken.items()]
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    elif as_csv:
        _print_csv(rows)
    elif rows:
        from dlcli.report import terminal_tables

        terminal_tables.print_runs(found, list(broken.values()))
    else:
        print(f"{out} holds no run yet; make one: dlcli train model=tcn", file=sys.stderr)  # noqa: T201
    return 0


def _plain(run: Run) -> dict[str, object]:
    return {"path": str(run.path), **run.info, "status": run.status}


def _damaged(path: Path, reason: str) -> dict[str, object]:
    """What cannot be read as a run."""
    return {"path": str(path), "id": None, "status": "damaged", "reason": reason}


def _score(row: Mapping[str, Any], split: str) -> Any:
    """The main metric on a split; nothing where run.json is not as it was written."""
    metrics, goal = row.get("metrics"), row.get("goal")
    scores = metrics.get(split) if isinstance(metrics, Mapping) else None
    return scores.get(_metric(goal), "") if isinstance(scores, Mapping) else ""


def _metric(goal: Any) -> str:
    return str(goal.get("metric", "")) if isinstance(goal, Mapping) else ""


def _print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
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
    for row in rows:
        scores = [_score(row, split) for split in ("valid", "test")]
        writer.writerow([*(row.get(name, "") for name in names), _metric(row.get("goal")), *scores])
