"""Deletion of files after confirmation: list, confirm, delete and report failures."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from dlcli.core.errors import UsageError
from dlcli.report import terminal_tables
from dlcli.report.formatting import size as format_size
from dlcli.runs.run import RunLocked


@dataclass(frozen=True)
class Confirmation:
    """How deletions are confirmed.

    Args:
        dry: list what would be deleted, and delete nothing.
        yes: delete without confirmation.
        as_json: print only JSON on standard output.
    """

    dry: bool = False
    yes: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Item:
    """A row of the list of deletions: a run directory, files in one, or the remains of an earlier deletion.

    Args:
        size: bytes.
    """

    id: str
    what: str
    status: str
    size: int
    path: str
    remark: str = ""


@dataclass(frozen=True)
class Deletion:
    """An item and the function that deletes it."""

    item: Item
    remove: Callable[[], None]


def delete(deletions: Sequence[Deletion], consent: Confirmation) -> int:
    """List what will be deleted, ask for confirmation, delete, and report failures.

    Returns:
        0, or 1 if the user declined or a deletion failed.

    Raises:
        UsageError: confirmation is needed and standard input is no terminal.
    """
    items = [deletion.item for deletion in deletions]
    total = sum(item.size for item in items)
    if not deletions and not consent.as_json:
        say("nothing to delete")
        return 0
    if not consent.as_json:
        rows = [(item.id, item.what, item.status, format_size(item.size), item.path, item.remark) for item in items]
        terminal_tables.print_table(("id", "what", "status", "size", "path", ""), rows, numeric=("size",))
    summary = f"{len(items)} director{'y' if len(items) == 1 else 'ies'}, {format_size(total)} ({total:,} bytes)"
    if items and not consent.dry and not _confirm(summary, consent):
        say("nothing was deleted")
        return 1
    failed = {} if consent.dry else _delete_all(deletions)
    if consent.as_json:
        record = {"dry_run": consent.dry, "items": [asdict(item) for item in items], "bytes": total, "failed": failed}
        print(json.dumps(record, indent=1))  # noqa: T201
    elif consent.dry:
        say(f"dry run, nothing was deleted; would delete {summary}")
    else:
        deleted = sum(item.path not in failed for item in items)
        say(f"deleted {deleted} of {summary}")
    return 1 if failed else 0


def _confirm(summary: str, consent: Confirmation) -> bool:
    if consent.yes:
        return True
    if not sys.stdin.isatty():
        hint = f"--yes deletes {summary}; --dry-run only lists them."
        raise UsageError("required", key="--yes", reason="standard input is no terminal", hint=hint)
    print(f"Delete {summary}? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _delete_all(deletions: Sequence[Deletion]) -> dict[str, str]:
    """Delete and report each failure; return the reasons of the failures by path."""
    failed = {}
    for deletion in deletions:
        try:
            deletion.remove()
        except (RunLocked, OSError) as error:
            failed[deletion.item.path] = str(error)
            say(f"cannot delete {deletion.item.path}: {error}")
    return failed


def say(text: str) -> None:
    """Print a message on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
