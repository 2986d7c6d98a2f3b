"""`dlcli runs rm|prune`: take run directories and checkpoints away, after saying what and how much."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from dlcli import runs
from dlcli.core.errors import UsageError
from dlcli.disk import REMOVED, Lock, remove_folder, size_of
from dlcli.report import tables
from dlcli.report.words import size as in_words
from dlcli.run import Busy, Run
from dlcli.verbs.relations import Relations

_DEAD = "failed,lost"


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
class _Doomed:
    item: Item
    remove: Callable[[], None]


def rm(selectors: Sequence[str], out: Path, consent: Consent) -> int:
    """Delete the runs that the selectors name; nothing when one of them is alive."""
    if not selectors:
        raise UsageError("runs rm wants to be told which: ids, 1:3, @tag or a folder; see dlcli list runs")
    chosen = {run.path.resolve(): run for selector in selectors for run in _named(selector, out)}
    relations = Relations(out)
    for run in chosen.values():
        alive = relations.alive(run)
        if alive is not None:
            raise UsageError(f"run {alive.id} is running ({_where(alive)}): nothing was removed")
    return _carry_out([_run(run, relations) for run in _outermost(chosen)], consent)


def prune(
    selectors: Sequence[str], out: Path, status: str | None, older_than: str | None, checkpoints: bool, consent: Consent
) -> int:
    """Delete failed and lost runs, or the checkpoints that completed runs would go on from."""
    if "running" in (status or ""):
        raise UsageError("--status running: a run that is alive is never removed")
    if checkpoints and status is not None:
        raise UsageError("--checkpoints takes those of completed runs away; --status chooses runs to remove")
    limit = runs.moment(older_than.strip(), "--older-than") if older_than is not None else datetime.now().astimezone()
    half: list[Path] = []
    found = _chosen(selectors, out, half)
    if checkpoints:
        doomed = [_checkpoints(run) for run in found if run.status == "completed" and _ended(run) <= limit]
        return _carry_out([one for one in doomed if one.item.size], consent)
    wanted = [run for run in runs.of_status(found, status or _DEAD) if _ended(run) <= limit]
    relations = Relations(out)
    dead = [run for run in wanted if relations.alive(run) is None]
    doomed = [_run(run, relations) for run in _outermost({run.path.resolve(): run for run in dead})]
    if status is None or "lost" in status:
        doomed += [_folder(path, "half written") for path in half if _left(path) and _touched(path) <= limit]
    if not selectors:
        doomed += [_folder(path, "left of an rm") for path in sorted(out.rglob(f".*{REMOVED}"))]
    return _carry_out(doomed, consent)


def _chosen(selectors: Sequence[str], out: Path, half: list[Path]) -> list[Run]:
    """The runs in question; half-written directories are put into `half`, damaged ones told."""

    def trouble(path: Path, reason: str) -> None:
        if (path / "run.json").exists():
            _say(f"left alone: {reason}")
        else:
            half.append(path)

    if selectors:
        return runs.select(selectors, out, trouble)
    return runs.scan(out, children=True, trouble=trouble)


def _named(selector: str, out: Path) -> list[Run]:
    """The runs of a selector; the beginning of an id may name only one where something is deleted."""
    found = runs.select([selector], out)
    several = selector.startswith("@") or ":" in selector or Path(selector).is_dir()
    if len(found) > 1 and not several:
        shown = ", ".join(run.id for run in found[:5])
        raise UsageError(f"{selector!r} names {len(found)} runs ({shown} ...): give whole ids, 1:3, @tag or a folder")
    return found


def _outermost(chosen: dict[Path, Run]) -> list[Run]:
    """Without the runs that lie in a folder that goes anyway."""
    return [run for path, run in chosen.items() if not any(above in chosen for above in path.parents)]


def _run(run: Run, relations: Relations) -> _Doomed:
    path = run.path.resolve()
    item = Item(run.id, run.info["label"], run.status, size_of(path), str(run.path), relations.of(run))

    def remove() -> None:
        with _unchanged(run):
            if relations.kin_alive(run) is not None:
                raise Busy("a run inside it, or one it belongs to, has come to life")
            remove_folder(path)

    return _Doomed(item, remove)


@contextmanager
def _unchanged(run: Run) -> Iterator[None]:
    """Hold the run, as long as it is still what was shown.

    Raises:
        Busy: it has come to life, or has been since.
    """
    run.lock()
    try:
        if Run.open(run.path).info != run.info:
            raise Busy(f"run {run.id} has changed meanwhile")
        yield
    finally:
        run.close()


def _folder(path: Path, status: str) -> _Doomed:
    return _Doomed(Item("-", "-", status, size_of(path), str(path)), lambda: remove_folder(path))


def _checkpoints(run: Run) -> _Doomed:
    """What only a longer run would need; nothing where best.pt is missing."""
    folder = run.path / "checkpoints"
    names = ("last.pt", "best_before.pt") if run.checkpoint_path("best").exists() else ()
    stale = [folder / name for name in names if (folder / name).exists()]
    remark = "it cannot go on any more (train --resume)"
    size = sum(path.stat().st_size for path in stale)
    item = Item(run.id, "last.pt", "completed", size, str(folder), remark)

    def remove() -> None:
        with _unchanged(run):
            for path in stale:
                path.unlink(missing_ok=True)

    return _Doomed(item, remove)


def _ended(run: Run) -> datetime:
    """When it ended, or its last sign of life."""
    ended = run.info.get("ended")
    return datetime.fromisoformat(ended).astimezone() if ended else _touched(run.path)


def _left(path: Path) -> bool:
    """Whether nobody is making the directory."""
    return not Lock(path / ".lock").held()


def _touched(path: Path) -> datetime:
    """When anything was last written into a run directory."""
    names = ("run.json", "metrics.csv", "config.yaml", "log.txt", "checkpoints/last.pt")
    times = [(path / name).stat().st_mtime for name in names if (path / name).exists()]
    return datetime.fromtimestamp(max(times)).astimezone()


def _where(run: Run) -> str:
    return f"process {run.info['pid']} on {run.info['host']}"


def _carry_out(doomed: Sequence[_Doomed], consent: Consent) -> int:
    """Say what goes, ask, and let it go."""
    items = [one.item for one in doomed]
    total = sum(item.size for item in items)
    if not doomed and not consent.as_json:
        _say("nothing to remove")
        return 0
    if not consent.as_json:
        rows = [(item.id, item.what, item.status, in_words(item.size), item.path, item.remark) for item in items]
        tables.print_table(("id", "what", "status", "size", "where", ""), rows, numeric=("size",))
    summed = f"{len(items)} director{'y' if len(items) == 1 else 'ies'}, {in_words(total)} ({total:,} bytes)"
    if items and not consent.dry and not _agreed(summed, consent):
        _say("nothing was removed")
        return 1
    failed = {} if consent.dry else _remove(doomed)
    gone = [item for item in items if item.path not in failed and not consent.dry]
    if consent.as_json:
        told = {"dry_run": consent.dry, "items": [asdict(item) for item in items], "bytes": total, "failed": failed}
        print(json.dumps(told, indent=1))  # noqa: T201
    elif consent.dry:
        _say(f"would remove from {summed}; nothing was touched")
    else:
        _say(f"removed from {len(gone)} of {summed}")
    return 1 if failed else 0


def _agreed(summed: str, consent: Consent) -> bool:
    if consent.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{summed}: --yes removes them, --dry-run only says what would go")
    print(f"Remove {summed}? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _remove(doomed: Sequence[_Doomed]) -> dict[str, str]:
    """Why something stayed, by path; told as it happens."""
    failed = {}
    for one in doomed:
        try:
            one.remove()
        except (Busy, OSError) as error:
            failed[one.item.path] = str(error)
            _say(f"{one.item.path} stays: {error}")
    return failed


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
