"""Relations between runs: children, evaluations and sweeps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.runs import selectors
from dlcli.runs.run import Run


class Lineage:
    """Relations between the runs and sweeps of a folder.

    Args:
        out: folder of run directories.
    """

    def __init__(self, out: Path) -> None:
        self._parents = [(run.info.get("parent"), run.path.resolve()) for run in selectors.scan(out, children=True)]
        self._sweeps = {path.parent.name: set(_names(path)) for path in sorted(out.glob("sweeps/*/sweep.json"))}

    def alive(self, run: Run) -> Run | None:
        """The run itself if it is running, else a running child or parent; None without one."""
        return run if run.status == "running" else self.kin_alive(run)

    def kin_alive(self, run: Run) -> Run | None:
        """A running child or parent of a run; None without one."""
        relatives = [*_parents(run.path), *selectors.scan(run.path / "runs", children=True)]
        return next((relative for relative in relatives if relative.status == "running"), None)

    def of(self, run: Run) -> str:
        """Describe the relations of a run in one line; empty without any."""
        path = run.path.resolve()
        inside = len(selectors.scan(path / "runs", children=True))
        outside = sum(parent == run.id and path not in child.parents for parent, child in self._parents)
        parts = [f"member of sweep {name}" for name, names in self._sweeps.items() if path.name in names]
        parts += [f"includes {inside} child run{'s' * (inside != 1)}"] if inside else []
        parts += [f"{outside} dependent run{'s' * (outside != 1)} not included"] if outside else []
        parts += [f"child of run {run.info['parent']}"] if run.info.get("parent") else []
        return "; ".join(parts)


def _parents(path: Path) -> Iterator[Run]:
    """Runs whose directories contain the path."""
    for folder in path.resolve().parents:
        if (folder / "run.json").exists():
            try:
                yield Run.open(folder)
            except (ValueError, OSError):
                continue


def _names(path: Path) -> Iterator[str]:
    """Names of the run directories in a sweep.json."""
    try:
        yield from (Path(text).name for text in _texts(json.loads(path.read_text())))
    except (ValueError, OSError):
        return


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for part in tree.values():
            yield from _texts(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _texts(part)
