"""Runs that are excluded from a comparison."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlcli.runs.run import Run


@dataclass(frozen=True)
class ExcludedRun:
    """A run that is excluded from a comparison. An unreadable run directory has only a path.

    Args:
        path: run directory.
        reason: human-readable reason.
        id: id of the run.
        name: name given by the user.
        seed: random seed.
        status: status of the run.
    """

    path: str
    reason: str
    id: str | None = None
    name: str | None = None
    seed: int | None = None
    status: str = "damaged"

    @classmethod
    def of(cls, run: Run, reason: str) -> "ExcludedRun":
        name, seed = run.info.get("name"), run.info.get("seed")
        seed = seed if isinstance(seed, int) else None
        return cls(str(run.path), reason, run.id, None if name is None else str(name), seed, run.status)

    @classmethod
    def damaged(cls, path: Path, reason: str) -> "ExcludedRun":
        return cls(str(path), reason)

    def plain(self) -> dict[str, Any]:
        return asdict(self)
