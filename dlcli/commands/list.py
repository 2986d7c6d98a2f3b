"""`dlcli list`: models, tasks and recipes by the first line of their YAML file, claims and runs."""

import ast
import csv
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config import catalogue
from dlcli.runs.selectors import scan, select


def members(kind: str, extra: Sequence[Path], as_json: bool, text: str = "") -> int:
    """Print one line per model, task or recipe whose name contains `text`, ignoring case.

    Args:
        kind: "model", "task" or "recipe".
        extra: additional configuration folders.
        as_json: print a JSON object instead.
    """
    if kind == "recipe":
        descriptions = {f"{verb} {name}": catalogue.describe(path) for verb, name, path in catalogue.recipes(extra)}
    else:
        descriptions = {name: catalogue.describe(path) for name, path in catalogue.members(kind, extra).items()}
    descriptions = {name: line for name, line in descriptions.items() if text.lower() in name.lower()}
    if as_json:
        print(json.dumps(descriptions, indent=1))  # noqa: T201
        return 0
    width = max(map(len, descriptions), default=0)
    for name, description in descriptions.items():
        print(f"{name:{width}}  {description}")  # noqa: T201
    return 0


def metrics(as_json: bool) -> int:
    """Print one line per metric: name, direction, unit, and the target types or tasks that declare it."""
    found = _declared_metrics(Path(catalogue.__file__).parents[1] / "tasks")
    if as_json:
        print(json.dumps(found, indent=1))  # noqa: T201
        return 0
    width = max(map(len, found), default=0)
    for name, one in found.items():
        unit = f" [{one['unit']}]" if one["unit"] else ""
        print(f"{name:{width}}  {one['direction']}  {', '.join(one['targets'])}{unit}")  # noqa: T201
    return 0


def _declared_metrics(folder: Path) -> dict[str, dict[str, Any]]:
    """The metrics that modules of tasks declare by `Metric(name, direction, unit)`; nothing is imported."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "Metric":
                continue
            words = [part.value if isinstance(part, ast.Constant) else None for part in node.args[:3]]
            if len(words) < 2 or not isinstance(words[0], str):
                continue
            unit = words[2] if len(words) > 2 and isinstance(words[2], str) else ""
            one = found.setdefault(words[0], {"direction": words[1], "unit": unit, "targets": []})
            if path.stem not in one["targets"]:
                one["targets"].append(path.stem)
    return dict(sorted(found.items()))


def claims(extra: Sequence[Path], out: Path, as_json: bool, tier: str | None = None) -> int:
    """Print one line per claim with its last verdict; report invalid claim files on standard error.

    Args:
        extra: additional configuration folders.
        out: folder of the runs, searched for verdicts.
        as_json: print a JSON object instead.
        tier: list this tier only; None lists all.
    """
    from dlcli.claims import claim as claim_files
    from dlcli.claims import results
    from dlcli.claims.pages import verdict

    if tier is not None:
        claim_files.check_tier(tier)
    folders = results.result_folders(out)
    valid, problems = claim_files.load_valid_claims(tuple(extra))
    claims = [(claim, results.latest_result(claim, folders)) for claim in valid if tier in (None, claim.tier)]
    for problem in problems:
        print(f"skipped: {problem}", file=sys.stderr)  # noqa: T201
    if not claims:
        print(f"no claims in tier {tier}" if tier else "no claims", file=sys.stderr)  # noqa: T201
    if as_json:
        rows = {
            claim.name: {
                "statement": claim.statement, "system": claim.system, "paper": claim.paper, "tier": claim.tier,
                "minutes": claim.minutes, "needs": claim.needs, "verdict": verdict(claim, result),
                "finished": result["finished"] if result else None,
            }
            for claim, result in claims
        }  # fmt: skip
        print(json.dumps(rows, indent=1))  # noqa: T201
        return 0
    width = max((len(claim.name) for claim, _ in claims), default=0)
    terminal_width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for claim, result in claims:
        needs = f"[needs {', '.join(claim.needs)}] " if claim.needs else ""
        line = f"{claim.name:{width}}  {verdict(claim, result):13}  {claim.tier:7}  {claim.minutes:3g} min"
        print(f"{line}  {needs}{claim.statement}"[:terminal_width])  # noqa: T201
    return 0


def runs(selectors: Sequence[str], out: Path, children: bool, as_json: bool, as_csv: bool) -> int:
    """Print one line per run, newest first.

    Args:
        selectors: runs to list; empty lists all.
        out: folder of the runs.
        children: include runs that another run started.
        as_json: print JSON instead of a table.
        as_csv: print CSV instead of a table.
    """
    damaged: dict[Path, str] = {}

    def report_damaged(path: Path, reason: str) -> None:
        damaged.setdefault(path, reason)

    if selectors:
        listed = select(selectors, out, report_damaged)
    else:
        listed = scan(out, children=children, trouble=report_damaged)
    rows: list[dict[str, object]] = [{"path": str(run.path), **run.info, "status": run.status} for run in listed]
    rows += [{"path": str(path), "id": None, "status": "damaged", "reason": why} for path, why in damaged.items()]
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    elif as_csv:
        _print_csv(rows)
    elif rows:
        from dlcli.report import terminal_tables

        terminal_tables.print_runs(listed, list(damaged.values()))
    else:
        print(f"no runs in {out} yet; start one: dlcli train model=tcn", file=sys.stderr)  # noqa: T201
    return 0


def _score(row: Mapping[str, Any], split: str) -> Any:
    """Value of the main metric on a split; empty if run.json has none or is malformed."""
    metrics, goal = row.get("metrics"), row.get("goal")
    scores = metrics.get(split) if isinstance(metrics, Mapping) else None
    return scores.get(_metric(goal), "") if isinstance(scores, Mapping) else ""


def _metric(goal: Any) -> str:
    return str(goal.get("metric", "")) if isinstance(goal, Mapping) else ""


def _print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    names = ["id", "verb", "label", "task", "model", "seed", "status", "started", "seconds", "parameters", "path"]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*names, "metric", "valid", "test"])
    for row in rows:
        scores = [_score(row, split) for split in ("valid", "test")]
        writer.writerow([*(row.get(name, "") for name in names), _metric(row.get("goal")), *scores])
