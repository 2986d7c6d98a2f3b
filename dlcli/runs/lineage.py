"""Which runs belong together: children, scorings, sweeps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlcli.runs import selectors
from dlcli.runs.run import Run


class Relations:
    """Who belongs to whom among the runs and sweeps of a folder.

    Args:
        out: the folder of run directories.
    """

    def __init__(self, out: Path) -> None:
        self._parents = [(run.info.get("parent"), run.path.resolve()) for run in selectors.scan(out, children=True)]
        self._sweeps = {path.parent.name: set(_names(path)) for path in sorted(out.glob("sweeps/*/sweep.json"))}

    def alive(self, run: Run) -> Run | None:
        """The run itself when it is running, or one below or above it that is."""
        return run if run.status == "running" else self.kin_alive(run)

    def kin_alive(self, run: Run) -> Run | None:
        """A run below or above this one that is running."""
        kin = [*_above(run.path), *selectors.scan(run.path / "runs", children=True)]
        return next((one for one in kin if one.status == "running"), None)

    def of(self, run: Run) -> str:
        """In words, empty for a run on its own."""
        path = run.path.resolve()
        inside = len(selectors.scan(path / "runs", children=True))
        outside = sum(parent == run.id and path not in place.parents for parent, place in self._parents)
        words = [f"member of sweep {name}" for name, names in self._sweeps.items() if path.name in names]
        words += [f"with {inside} run{'s' * (inside != 1)} inside"] if inside else []
        words += [f"{outside} run{'s' * (outside != 1)} made from it stay{'s' * (outside == 1)}"] if outside else []
        words += [f"belongs to run {run.info['parent']}"] if run.info.get("parent") else []
        return "; ".join(words)


def _above(path: Path) -> Iterator[Run]:
    """The runs whose directories the path lies in."""
    for folder in path.resolve().parents:
        if (folder / "run.json").exists():
            try:
                yield Run.open(folder)
            except (ValueError, OSError):
                continue


def _names(path: Path) -> Iterator[str]:
    """The last names of every path that a sweep.json mentions."""
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
