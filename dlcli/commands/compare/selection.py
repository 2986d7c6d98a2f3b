"""Which runs a comparison is about: selectors, and conditions on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcli.core.errors import Missing
from dlcli.report.comparison.excluded import Left
from dlcli.report.comparison.filter import parse
from dlcli.report.comparison.run_table import having
from dlcli.runs import selectors
from dlcli.runs.run import Run


@dataclass(frozen=True)
class Choice:
    """Which runs: selectors, and what must hold of them."""

    selectors: Sequence[str]
    out: Path
    where: Sequence[str] = ()
    since: str | None = None
    status: str | None = None


@dataclass
class _Damaged:
    """What cannot be read as a run, each once."""

    found: dict[Path, Left] = field(default_factory=dict)

    def __call__(self, path: Path, reason: str) -> None:
        self.found.setdefault(path.resolve(), Left.damaged(path, reason))


def chosen(choice: Choice) -> tuple[list[Run], list[Left]]:
    """The runs of a choice, newest first, and directories that cannot be read.

    Raises:
        UsageError: the choice leaves no run.
    """
    conditions = [parse(text) for text in choice.where]
    damaged = _Damaged()
    found = selectors.select(choice.selectors, choice.out, damaged)
    trouble = list(damaged.found.values())
    if not found and not trouble:
        raise Missing(f"{choice.out} holds no run yet\nMake one: dlcli train model=tcn")
    before = len(found)
    if choice.since is not None:
        found = selectors.since(found, choice.since)
    if choice.status is not None:
        found = selectors.of_status(found, choice.status)
    for condition in conditions:
        found = having(found, condition)
    if not found:
        raise Missing(_none(before, trouble))
    return found, trouble


def _none(before: int, trouble: Sequence[Left]) -> str:
    if before:
        return f"none of {before} run{'s' * (before != 1)} is left by --where, --since and --status"
    return "\n".join(["no run that can be read", *(one.reason for one in trouble[:3])])
