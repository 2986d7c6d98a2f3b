"""What a claim came to, as a file: `docs/claims/NAME.json` in the repository, `outputs/claims/` elsewhere."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcli.claims.claim import Claim
from dlcli.config import catalogue
from dlcli.runs.files import replace_file

SCHEMA = 1
_HELD = {
    "claim": str, "definition": str, "verdict": str, "finished": str, "relations": list, "table": dict,
    "seconds": float, "machine": dict, "values": dict, "seeds": list, "level": float,
}  # fmt: skip
"""What a result must have, for pages to be made of it."""
_VERDICTS = ("holds", "does not hold", "undecided")


def repository() -> Path | None:
    """The checkout of dlcli that the current folder is the root of."""
    root = catalogue.packaged().parent
    is_checkout = (root / "pyproject.toml").is_file() and (root / "dlcli" / "claims").is_dir()
    return root if is_checkout and Path.cwd().resolve() == root else None


def places(out: Path) -> list[Path]:
    """Where results may lie."""
    root = repository()
    return [*([root / "docs" / "claims"] if root else []), out / "claims"]


def write(folder: Path, result: Mapping[str, Any]) -> Path:
    """The result's file, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['claim']}.json"
    replace_file(path, (json.dumps(finite(result), indent=1) + "\n").encode())
    return path


def finite(node: Any) -> Any:
    """The same without NaN and infinities, which JSON cannot hold."""
    if isinstance(node, Mapping):
        return {str(key): finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def plain(path: Path) -> dict[str, Any] | None:
    """A mapping from a file; None where there is none, or where it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read(path: Path) -> dict[str, Any] | None:
    """A result; None where there is none, or where it is damaged or of a newer dlcli."""
    found = plain(path) or {}
    fits = found.get("schema") == SCHEMA and all(_is(found.get(key), kind) for key, kind in _HELD.items())
    return found if fits and found["verdict"] in _VERDICTS and _is_time(found["finished"]) else None


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, int | float if kind is float else kind)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def last(claim: Claim, folders: list[Path]) -> dict[str, Any] | None:
    """The newest result of the claim as it is stated now, of those over enough seeds if there are any; else None."""
    found = [result for folder in folders if (result := read(folder / f"{claim.name}.json"))]
    current = [result for result in found if result["definition"] == claim.definition]
    return max(current, key=lambda result: (_enough(result, claim), _when(result)), default=None)


def _enough(result: Mapping[str, Any], claim: Claim) -> bool:
    return len(result["seeds"]) >= claim.seeds


def _when(result: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(result["finished"]).timestamp()
