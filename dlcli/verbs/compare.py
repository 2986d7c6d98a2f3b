"""`dlcli compare runs`: what finished runs came to, over their seeds."""

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dlcli import runs
from dlcli.core.errors import Missing
from dlcli.report import tables
from dlcli.report.groups import group


def main(selectors: Sequence[str], out: Path, metric: str | None, split: str, as_json: bool, as_csv: bool) -> int:
    """Print the groups as a table, JSON or CSV."""
    found = runs.select(selectors, out)
    if not found:
        raise Missing(f"{out} holds no run yet\nMake one: dlcli train model=tcn")
    groups, left_out = group(found, metric, split)
    plain = [row.plain() for row in groups]
    if as_json:
        print(json.dumps({"groups": plain, "left_out": [run.id for run in left_out]}, indent=1))  # noqa: T201
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, plain[0] if plain else ["name"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "seeds": _joined(row["seeds"]), "runs": _joined(row["runs"])} for row in plain)
    else:
        tables.print_groups(groups)
    if left_out:
        shown = ", ".join(f"{run.id} ({run.status})" for run in left_out[:6])
        print(f"left out, no {split} score: {shown}{' ...' * (len(left_out) > 6)}", file=sys.stderr)  # noqa: T201
    return 0


def _joined(values: Sequence[object]) -> str:
    return " ".join(map(str, values))
