"""Taking things away: said, agreed to, done, and what could not be is told."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from dlcli.core.errors import UsageError
from dlcli.report import terminal_tables
from dlcli.report.formatting import size as in_words
from dlcli.runs.run import Busy


@dataclass(frozen=True)
class Consent:
    """How sure one is.

    Args:
        dry: only say what would go.
        yes: do not ask.
        as_json: only JSON on standard output.
    """

    dry: bool = False
    yes: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Item:
    """Something that goes: a run directory, files in one, or what an earlier deletion left."""

    id: str
    what: str
    status: str
    size: int
    path: str
    remark: str = ""


@dataclass(frozen=True)
class Doomed:
    """An item, and how it goes."""

    item: Item
    remove: Callable[[], None]


def carry_out(doomed: Sequence[Doomed], consent: Consent) -> int:
    """Say what goes, ask, and let it go."""
    items = [one.item for one in doomed]
    total = sum(item.size for item in items)
    if not doomed and not consent.as_json:
        say("nothing to remove")
        return 0
    if not consent.as_json:
        rows = [(item.id, item.what, item.status, in_words(item.size), item.path, item.remark) for item in items]
        terminal_tables.print_table(("id", "what", "status", "size", "where", ""), rows, numeric=("size",))
    summed = f"{len(items)} director{'y' if len(items) == 1 else 'ies'}, {in_words(total)} ({total:,} bytes)"
    if items and not consent.dry and not _agreed(summed, consent):
        say("nothing was removed")
        return 1
    failed = {} if consent.dry else _remove(doomed)
    gone = [item for item in items if item.path not in failed and not consent.dry]
    if consent.as_json:
        told = {"dry_run": consent.dry, "items": [asdict(item) for item in items], "bytes": total, "failed": failed}
        print(json.dumps(told, indent=1))  # noqa: T201
    elif consent.dry:
        say(f"would remove from {summed}; nothing was touched")
    else:
        say(f"removed from {len(gone)} of {summed}")
    return 1 if failed else 0


def _agreed(summed: str, consent: Consent) -> bool:
    if consent.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{summed}: --yes removes them, --dry-run only says what would go")
    print(f"Remove {summed}? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _remove(doomed: Sequence[Doomed]) -> dict[str, str]:
    """Why something stayed, by path; told as it happens."""
    failed = {}
    for one in doomed:
        try:
            one.remove()
        except (Busy, OSError) as error:
            failed[one.item.path] = str(error)
            say(f"{one.item.path} stays: {error}")
    return failed


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
