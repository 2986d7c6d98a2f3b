"""Discovery of run directories, and selection of runs by id, number, tag, path, date or status."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from dlcli.core.errors import Missing, UsageError
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep, find_sweeps

Trouble = Callable[[Path, str], None]
"""Receives the path of a run directory that cannot be read, and the reason."""


def scan(out: Path, *, children: bool = False, trouble: Trouble = lambda path, reason: None) -> list[Run]:
    """Find the runs below a folder, newest first.

    Args:
        out: folder to search.
        children: include runs that belong to another run.
        trouble: receives run directories that cannot be read.
    """
    runs = list(_below(str(out), children, trouble))
    if not children:
        runs = [run for run in runs if not run.info.get("parent")]
    return sorted(runs, key=lambda run: (run.started, run.id), reverse=True)


def _below(folder: str, children: bool, trouble: Trouble) -> Iterator[Run]:
    if os.path.lexists(f"{folder}/run.json"):
        try:
            yield Run.open(Path(folder))
        except (ValueError, OSError) as error:
            trouble(Path(folder), str(error))
        if children:
            yield from _below(f"{folder}/runs", children, trouble)
        return
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    names = {entry.name for entry in entries}
    if "config.yaml" in names and "metrics.csv" in names:
        trouble(Path(folder), f"{folder} is incomplete: run.json is missing")
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _below(entry.path, children, trouble)


def one(selector: str, out: Path) -> Run:
    """Select exactly one run.

    Raises:
        UsageError: the selector matches no run, or several.
    """
    runs = select([selector], out)
    if len(runs) > 1:
        matches, hint = ", ".join(run.id for run in runs[:5]), "Give the id or the path of one run."
        raise UsageError("ambiguous", name=selector, count=len(runs), kind="runs", matches=matches, hint=hint)
    return runs[0]


def select(selectors: Sequence[str], out: Path, trouble: Trouble = lambda path, reason: None) -> list[Run]:
    """Select the runs that match any selector, newest first without duplicates; all runs without selectors.

    A selector is `last`, a number in the newest-first list (`1`) or a range of numbers (`1:10`), `@tag`, the path of a
    run, of a sweep or of a folder of runs, the name of a run, or a prefix of the id of a run or a sweep.

    Args:
        selectors: selectors of runs.
        out: folder of run directories.
        trouble: receives run directories that cannot be read.

    Raises:
        UsageError: a selector matches nothing.
    """
    listed = scan(out, trouble=trouble)
    if not selectors:
        return listed
    selected: dict[Path, Run] = {}
    for selector in selectors:
        for run in _matches(selector, listed, out, trouble):
            selected.setdefault(run.path.resolve(), run)
    return sorted(selected.values(), key=lambda run: (run.started, run.id), reverse=True)


def _matches(selector: str, listed: Sequence[Run], out: Path, trouble: Trouble) -> list[Run]:
    if not selector:
        must = "an id, a number, a range such as 1:10, @tag or a path"
        raise UsageError("invalid_value", key="the selector of runs", must=must, got=selector)
    if selector == "last" or selector.replace(":", "", 1).isdecimal():
        return _numbered(selector, listed, out)
    if selector.startswith("@"):
        return _tagged(selector[1:], listed, out)
    path = _path(selector)
    if path.is_dir():
        return _in_folder(path, trouble)
    every_run = scan(out, children=True)
    by_id = [run for run in every_run if run.id.startswith(selector)]
    if by_id:
        return by_id
    by_name = [run for run in every_run if run.info.get("name") == selector]
    if by_name:
        return by_name
    if sweep_paths := find_sweeps(selector, out):
        return [run for path in sweep_paths for run in _members(path, trouble)]
    if os.sep in selector:
        raise Missing("missing_file", path=selector)
    known = [*(run.id for run in every_run), *(str(run.info["name"]) for run in every_run if run.info.get("name"))]
    hint = "List all runs with: dlcli list runs"
    raise Missing("not_found", kind=f"run in {out}", name=selector, known=known[:200], hint=hint)


def _path(selector: str) -> Path:
    try:
        return Path(selector).expanduser()
    except RuntimeError:  # ~user without a home directory
        return Path(selector)


def _numbered(selector: str, listed: Sequence[Run], out: Path) -> list[Run]:
    first, colon, last = ("1" if selector == "last" else selector).partition(":")
    low = int(first) if first else 1
    high = (int(last) if last else len(listed)) if colon else low
    selected = list(listed[max(low, 1) - 1 : high])
    if low < 1 or not selected:
        raise Missing("not_found", kind=f"run in {out}", name=selector, count=len(listed), hint=_numbers(listed))
    return selected


def _numbers(listed: Sequence[Run]) -> str:
    if not listed:
        return "There are no runs yet. Start one with: dlcli train"
    return f"Runs are numbered from 1 (the newest) to {len(listed)}."


def _tagged(tag: str, listed: Sequence[Run], out: Path) -> list[Run]:
    selected = [run for run in listed if tag in run.record.tags]
    if not selected:
        known = {known for run in listed for known in run.record.tags}
        raise Missing("not_found", kind=f"tag of the runs in {out}", name=tag, known=known)
    return selected


def _in_folder(path: Path, trouble: Trouble) -> list[Run]:
    if (path / "run.json").exists():
        return [Run.open(path)]
    if (path / "sweep.json").exists():
        return _members(path, trouble)
    runs = scan(path, trouble=trouble)
    if not runs:
        raise Missing("not_found", kind="run in the folder", name=str(path))
    return runs


def _members(path: Path, trouble: Trouble) -> list[Run]:
    """Runs of a sweep.

    Raises:
        UsageError: sweep.json is damaged, or no run of the sweep has started.
    """
    runs = []
    for member in Sweep.open(path).members():
        try:
            runs.append(Run.open(member))
        except (ValueError, OSError) as error:
            trouble(member, str(error))
    if not runs:
        raise Missing("not_found", kind="run of the sweep", name=str(path))
    return runs


STATUSES = ("running", "completed", "failed", "diverged", "stopped", "preempted", "lost")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(runs: Sequence[Run], text: str) -> list[Run]:
    """Select the runs that started within a duration or since a date.

    Args:
        text: `2h` (units s, min, h, d, w), `2026-11-20` or `2026-11-20T14:00`.

    Raises:
        UsageError: the text is neither a duration nor a date.
    """
    limit = moment(text.strip(), "--since")
    return [run for run in runs if run.started >= limit]


def moment(text: str, option: str) -> datetime:
    """Parse a date, or a duration before now.

    Args:
        text: `2h` (units s, min, h, d, w), `2026-11-20` or `2026-11-20T14:00`.
        option: command-line option of the text, for messages.

    Raises:
        UsageError: the text is neither a duration nor a date.
    """
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text)
    try:
        if ago and ago[2] in _UNITS:
            return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        must = "a duration (30s, 15min, 2h, 3d, 1w) or a date (2026-11-20)"
        raise UsageError("invalid_value", key=option, must=must, got=text) from None


def of_status(runs: Sequence[Run], text: str) -> list[Run]:
    """Select the runs with a status.

    Args:
        text: one or more of `STATUSES`, separated by commas.

    Raises:
        UsageError: a status is unknown.
    """
    statuses = [status.strip() for status in text.split(",") if status.strip()]
    for status in statuses or [text]:
        if status not in STATUSES:
            raise UsageError("unknown_name", kind="--status", name=status, known=STATUSES)
    return [run for run in runs if run.status in statuses]
