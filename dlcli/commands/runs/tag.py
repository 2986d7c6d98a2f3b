"""`dlcli runs tag`: words to find runs by, put on and taken off."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from dlcli.core.errors import UsageError
from dlcli.runs.run import Busy, Run
from dlcli.runs.selectors import select


def main(
    selectors: Sequence[str], out: Path, add: Sequence[str], remove: Sequence[str], dry: bool, as_json: bool
) -> int:
    """Change the tags of every run that is named, or of none."""
    add, remove = _checked(add), _checked(remove)
    if not add and not remove:
        raise UsageError("which tag? --add WORD puts one on, --remove WORD takes one off")
    if both := set(add) & set(remove):
        raise UsageError(f"{', '.join(sorted(both))}: both added and removed")
    if not selectors:
        raise UsageError("runs tag wants to be told which: ids, 1:3, @tag or a folder; see dlcli list runs")
    found = select(selectors, out)
    _check_ended(found)
    told = {}
    for run in found:
        with nullcontext(run) if dry else _held(run):
            old = list(run.info.get("tags") or ())
            run.info["tags"] = told[run.id] = [tag for tag in dict.fromkeys([*old, *add]) if tag not in remove]
            if not dry:
                run.save()
    if as_json:
        print(json.dumps(told, indent=1))  # noqa: T201
        return 0
    for identity, tags in told.items():
        print(f"{identity}  {' '.join(f'@{tag}' for tag in tags) or 'no tag'}")  # noqa: T201
    if dry:
        print("nothing was touched", file=sys.stderr)  # noqa: T201
    return 0


def _checked(tags: Sequence[str]) -> list[str]:
    found = [tag.removeprefix("@") for tag in tags]
    for tag in found:
        if not tag or not tag.isprintable() or tag != tag.strip():
            raise UsageError(f"a tag is a printable word, not {tag!r}")
    return found


def _check_ended(found: Sequence[Run]) -> None:
    for run in found:
        if run.status == "running":  # what it writes at its end would undo the change
            raise UsageError(f"run {run.id} is running: its tags can be changed when it has ended; none was changed")


@contextmanager
def _held(run: Run) -> Iterator[Run]:
    """The run as it is now, which nobody else is writing.

    Raises:
        UsageError: somebody is.
    """
    try:
        run.lock()
    except Busy as error:
        raise UsageError(str(error)) from None
    try:
        run.info = Run.open(run.path).info
        yield run
    finally:
        run.close()
