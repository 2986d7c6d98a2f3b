"""Result files of claims: `docs/claims/NAME.json` in the repository, `outputs/claims/` elsewhere."""

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
_FIELDS = {
    "claim": str, "definition": str, "verdict": str, "finished": str, "relations": list, "table": dict,
    "seconds": float, "machine": dict, "values": dict, "seeds": list, "level": float,
}  # fmt: skip
"""Required fields of a result, with their types."""
_VERDICTS = ("holds", "does not hold", "undecided")


def repository() -> Path | None:
    """Root of the checkout of dlcli if it is the current folder; None otherwise."""
    root = catalogue.packaged_folder().parent
    is_checkout = (root / "pyproject.toml").is_file() and (root / "dlcli" / "claims").is_dir()
    return root if is_checkout and Path.cwd().resolve() == root else None


def result_folders(out: Path) -> list[Path]:
    """Folders in which to look for results."""
    root = repository()
    return [*([root / "docs" / "claims"] if root else []), out / "claims"]


def write(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write a result atomically.

    Returns:
        the path of the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['claim']}.json"
    replace_file(path, (json.dumps(finite(result), indent=1) + "\n").encode())
    return path


def finite(node: Any) -> Any:
    """Replace NaN and infinities by None, since JSON cannot represent them."""
    if isinstance(node, Mapping):
        return {str(key): finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def load_json(path: Path) -> dict[str, Any] | None:
    """Load a JSON object from a file; None if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def read(path: Path) -> dict[str, Any] | None:
    """Load a result; None if it is missing, damaged or of another schema."""
    result = load_json(path) or {}
    valid = result.get("schema") == SCHEMA and all(_is(result.get(key), kind) for key, kind in _FIELDS.items())
    return result if valid and result["verdict"] in _VERDICTS and _is_time(result["finished"]) else None


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, int | float if kind is float else kind)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def latest_result(claim: Claim, folders: list[Path]) -> dict[str, Any] | None:
    """Newest result for the current definition of a claim, preferably over enough seeds; None without one."""
    every_result = [result for folder in folders if (result := read(folder / f"{claim.name}.json"))]
    current = [result for result in every_result if result["definition"] == claim.definition]
    return max(current, key=lambda result: (len(result["seeds"]) >= claim.seeds, _when(result)), default=None)


def _when(result: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(result["finished"]).timestamp()
