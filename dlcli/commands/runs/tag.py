"""`dlcli runs tag`: add and remove the tags by which runs are selected."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from dlcli.core.errors import UsageError
from dlcli.runs.run import Run, RunLocked
from dlcli.runs.selectors import select


def main(
    selectors: Sequence[str], out: Path, add: Sequence[str], remove: Sequence[str], dry: bool, as_json: bool
) -> int:
    """Change the tags of all selected runs, or of none if one of them is running.

    Args:
        selectors: runs to change, at least one.
        out: folder of the runs.
        add: tags to add, with or without @.
        remove: tags to remove, with or without @.
        dry: print the new tags without saving them.
        as_json: print {id: tags}.

    Raises:
        UsageError: no run or no tag is given, a tag is invalid, or a selected run is running.
    """
    add, remove = _check_tags(add), _check_tags(remove)
    if not add and not remove:
        raise UsageError("required", key="--add TAG or --remove TAG")
    if both := set(add) & set(remove):
        raise UsageError("conflict", first="--add", second="--remove", reason=f"{', '.join(sorted(both))} in both")
    if not selectors:
        hint = "Name the runs to tag: ids, 1:3, @tag or a folder; see dlcli list runs."
        raise UsageError("required", key="RUN", hint=hint)
    selected = select(selectors, out)
    for run in selected:
        if run.status == "running":  # its last save would overwrite the change
            raise UsageError("running_run", id=run.id, process="tags can be changed when it has ended")
    new_tags = {}
    for run in selected:
        with nullcontext(run) if dry else _locked(run):
            old = list(run.info.get("tags") or ())
            run.info["tags"] = new_tags[run.id] = [tag for tag in dict.fromkeys([*old, *add]) if tag not in remove]
            if not dry:
                run.save()
    if as_json:
        print(json.dumps(new_tags, indent=1))  # noqa: T201
        return 0
    for identity, tags in new_tags.items():
        print(f"{identity}  {' '.join(f'@{tag}' for tag in tags) or 'no tags'}")  # noqa: T201
    if dry:
        print("dry run, nothing was changed", file=sys.stderr)  # noqa: T201
    return 0


def _check_tags(tags: Sequence[str]) -> list[str]:
    names = [tag.removeprefix("@") for tag in tags]
    for name in names:
        if not name or not name.isprintable() or name != name.strip():
            raise UsageError("invalid_value", key="tag", must="printable text without surrounding spaces", got=name)
    return names


@contextmanager
def _locked(run: Run) -> Iterator[Run]:
    """Lock a run and read its run.json again.

    Raises:
        UsageError: another process holds the run.
    """
    try:
        run.lock()
    except RunLocked as error:
        raise UsageError("locked_run", id=run.id, hint=str(error)) from None
    try:
        run.info = Run.open(run.path).info
        yield run
    finally:
        run.close()
