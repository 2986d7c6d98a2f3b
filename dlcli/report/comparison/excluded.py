"""A run that does not count in a comparison, and why."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlcli.runs.run import Run


@dataclass(frozen=True)
class Left:
    """Args: what names the run, and the reason in words; a directory that is no whole run has only its path."""

    path: str
    reason: str
    id: str | None = None
    name: str | None = None
    seed: int | None = None
    status: str = "damaged"

    @classmethod
    def of(cls, run: Run, reason: str) -> "Left":
        name, seed = run.info.get("name"), run.info.get("seed")
        seed = seed if isinstance(seed, int) else None
        return cls(str(run.path), reason, run.id, None if name is None else str(name), seed, run.status)

    @classmethod
    def damaged(cls, path: Path, reason: str) -> "Left":
        return cls(str(path), reason)

    def plain(self) -> dict[str, Any]:
        return asdict(self)
