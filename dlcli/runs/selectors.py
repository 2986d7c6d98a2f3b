"""Many run directories: finding them, and choosing some in words."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from dlcli.core.errors import Missing, UsageError, nearest
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep, named

Trouble = Callable[[Path, str], None]
"""Told of directories that look like runs and cannot be read as such."""


def scan(out: Path, *, children: bool = False, trouble: Trouble = lambda path, reason: None) -> list[Run]:
    """All runs below a folder, newest first; runs that belong to another run only with `children`."""
    found = list(_below(str(out), children, trouble))
    if not children:
        found = [run for run in found if not run.info.get("parent")]
    return sorted(found, key=lambda run: (run.started, run.id), reverse=True)


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
        trouble(Path(folder), f"{folder} is half written: it has no run.json")
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _below(entry.path, children, trouble)


def one(selector: str, out: Path) -> Run:
    """The run that a selector names.

    Raises:
        UsageError: it names none, or several.
    """
    found = select([selector], out)
    if len(found) > 1:
        shown = ", ".join(run.id for run in found[:5])
        raise UsageError(f"{selector!r} names {len(found)} runs ({shown} ...); one is wanted: give an id or a path")
    return found[0]


def select(selectors: Sequence[str], out: Path, trouble: Trouble = lambda path, reason: None) -> list[Run]:
    """The runs that any of the selectors names, newest first, each once; all of them without a selector.

    A selector is `last`, a place in the newest-first list (`1`) or a range of places (`1:10`), `@tag`, a path of a run,
    of a sweep or of a folder of runs, or the beginning of the id of a run or a sweep.

    Raises:
        UsageError: a selector names nothing.
    """
    listed = scan(out, trouble=trouble)
    if not selectors:
        return listed
    found: dict[Path, Run] = {}
    for selector in selectors:
        for run in _named(selector, listed, out, trouble):
            found.setdefault(run.path.resolve(), run)
    return sorted(found.values(), key=lambda run: (run.started, run.id), reverse=True)


def _named(selector: str, listed: Sequence[Run], out: Path, trouble: Trouble) -> list[Run]:
    if selector == "last":
        selector = "1"
    if not selector:
        raise UsageError("an empty selector names no run")
    if selector.replace(":", "", 1).isdecimal():
        return _placed(selector, listed, out)
    if selector.startswith("@"):
        return _tagged(selector[1:], listed, out)
    path = _path(selector)
    if path.is_dir():
        return _at(path, trouble)
    everything = scan(out, children=True)
    runs = [run for run in everything if run.id.startswith(selector)]
    if runs:
        return runs
    known = [run.id for run in everything] + [run.info["name"] for run in everything if run.info.get("name")]
    called = [run for run in everything if run.info.get("name") == selector]
    if called:
        return called
    if swept := named(selector, out):
        return [run for path in swept for run in _members(path, trouble)]
    if os.sep in selector:
        raise Missing(f"there is no run at {selector}")
    hint = nearest(selector, known[:200]) if known else ""
    raise Missing(f"no run {selector!r} in {out}{hint}\nAll of them: dlcli list runs")


def _path(selector: str) -> Path:
    try:
        return Path(selector).expanduser()
    except RuntimeError:  # ~somebody who has no home
        return Path(selector)


def _placed(selector: str, listed: Sequence[Run], out: Path) -> list[Run]:
    first, colon, last = selector.partition(":")
    low = int(first) if first else 1
    high = (int(last) if last else len(listed)) if colon else low
    chosen = list(listed[max(low, 1) - 1 : high])
    if low < 1 or not chosen:
        count = f"{len(listed)} run{'s' if len(listed) != 1 else ''}"
        raise Missing(f"there is no run {selector}: {out} holds {count} (1 is the newest)")
    return chosen


def _tagged(tag: str, listed: Sequence[Run], out: Path) -> list[Run]:
    chosen = [run for run in listed if tag in _tags(run)]
    if not chosen:
        tags = {known for run in listed for known in _tags(run)}
        raise Missing(f"no run in {out} has the tag {tag!r}{nearest(tag, tags)}")
    return chosen


def _tags(run: Run) -> list[str]:
    tags = run.info.get("tags")
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _at(path: Path, trouble: Trouble) -> list[Run]:
    if (path / "run.json").exists():
        try:
            return [Run.open(path)]
        except ValueError as error:
            raise UsageError(str(error)) from None
    if (path / "sweep.json").exists():
        return _members(path, trouble)
    runs = scan(path, trouble=trouble)
    if not runs:
        raise Missing(f"{path} holds no run")
    return runs


def _members(path: Path, trouble: Trouble) -> list[Run]:
    """The runs of a sweep."""
    found = []
    try:
        places = Sweep.open(path).members()
    except ValueError as error:
        raise UsageError(str(error)) from None
    for place in places:
        try:
            found.append(Run.open(place))
        except (ValueError, OSError) as error:
            trouble(place, str(error))
    if not found:
        raise Missing(f"sweep {path} holds no run yet")
    return found


STATUSES = ("running", "completed", "failed", "diverged", "stopped", "preempted", "lost")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def since(found: Sequence[Run], text: str) -> list[Run]:
    """The runs that started within `2h` (s, min, h, d, w) or since a moment, `2026-11-20` or `2026-11-20T14:00`.

    Raises:
        UsageError: it is neither.
    """
    limit = moment(text.strip(), "--since")
    return [run for run in found if run.started >= limit]


def moment(text: str, option: str) -> datetime:
    """The moment that is `2h` ago, or that a date says.

    Raises:
        UsageError: it is neither; the option is named.
    """
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", text)
    try:
        if ago and ago[2] in _UNITS:
            return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageError(f"{option} is 30s, 15min, 2h, 3d, 1w or a date such as 2026-11-20, not {text!r}") from None


def of_status(found: Sequence[Run], text: str) -> list[Run]:
    """The runs of a status, or of several with commas between them.

    Raises:
        UsageError: there is no such status.
    """
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    for word in wanted or [text]:
        if word not in STATUSES:
            raise UsageError(f"--status {word!r}{nearest(word, STATUSES)}")
    return [run for run in found if run.status in wanted]
