"""`dlcli runs rm|prune`: which run directories and checkpoints go."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from dlcli.commands.runs.deletion import Consent, Doomed, Item, carry_out, say
from dlcli.core.errors import UsageError
from dlcli.runs.files import REMOVED, Lock, remove_folder, size_of
from dlcli.runs.lineage import Relations
from dlcli.runs.run import Busy, Run
from dlcli.runs.selectors import moment, of_status, scan, select

__all__ = ["Consent", "prune", "rm"]

_DEAD = "failed,diverged,lost"


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
    return carry_out([_run(run, relations) for run in _outermost(chosen)], consent)


def prune(
    selectors: Sequence[str], out: Path, status: str | None, older_than: str | None, checkpoints: bool, consent: Consent
) -> int:
    """Delete failed, diverged and lost runs, or the checkpoints that completed runs would go on from."""
    if "running" in (status or ""):
        raise UsageError("--status running: a run that is alive is never removed")
    if checkpoints and status is not None:
        raise UsageError("--checkpoints takes those of completed runs away; --status chooses runs to remove")
    limit = moment(older_than.strip(), "--older-than") if older_than is not None else datetime.now().astimezone()
    half: list[Path] = []
    found = _chosen(selectors, out, half)
    if checkpoints:
        doomed = [_checkpoints(run) for run in found if run.status == "completed" and _ended(run) <= limit]
        return carry_out([one for one in doomed if one.item.size], consent)
    wanted = [run for run in of_status(found, status or _DEAD) if _ended(run) <= limit]
    relations = Relations(out)
    dead = [run for run in wanted if relations.alive(run) is None]
    doomed = [_run(run, relations) for run in _outermost({run.path.resolve(): run for run in dead})]
    if status is None or "lost" in status:
        doomed += [_folder(path, "half written") for path in half if _left(path) and _touched(path) <= limit]
    if not selectors:
        doomed += [_folder(path, "left of an rm") for path in sorted(out.rglob(f".*{REMOVED}"))]
    return carry_out(doomed, consent)


def _chosen(selectors: Sequence[str], out: Path, half: list[Path]) -> list[Run]:
    """The runs in question; half-written directories are put into `half`, damaged ones told."""

    def trouble(path: Path, reason: str) -> None:
        if (path / "run.json").exists():
            say(f"left alone: {reason}")
        else:
            half.append(path)

    if selectors:
        return select(selectors, out, trouble)
    return scan(out, children=True, trouble=trouble)


def _named(selector: str, out: Path) -> list[Run]:
    """The runs of a selector; the beginning of an id may name only one where something is deleted.

    Raises:
        UsageError: it names several, or a folder that is no run, no sweep and not inside `out`.
    """
    if not _ours(Path(selector), out):
        raise UsageError(f"{selector} is no run, and not in {out}: to remove the runs in it, give --out {selector}")
    found = select([selector], out)
    several = selector.startswith("@") or ":" in selector or Path(selector).is_dir()
    if len(found) > 1 and not several:
        shown = ", ".join(run.id for run in found[:5])
        raise UsageError(f"{selector!r} names {len(found)} runs ({shown} ...): give whole ids, 1:3, @tag or a folder")
    return found


def _ours(path: Path, out: Path) -> bool:
    """Not where a folder lies elsewhere and is neither a run nor a sweep."""
    known = any((path / name).is_file() for name in ("run.json", "sweep.json"))
    return known or not path.is_dir() or path.resolve().is_relative_to(out.resolve())


def _outermost(chosen: dict[Path, Run]) -> list[Run]:
    """Without the runs that lie in a folder that goes anyway."""
    return [run for path, run in chosen.items() if not any(above in chosen for above in path.parents)]


def _run(run: Run, relations: Relations) -> Doomed:
    path = run.path.resolve()
    item = Item(run.id, run.info["label"], run.status, size_of(path), str(run.path), relations.of(run))

    def remove() -> None:
        with _unchanged(run):
            if relations.kin_alive(run) is not None:
                raise Busy("a run inside it, or one it belongs to, has come to life")
            remove_folder(path)

    return Doomed(item, remove)


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


def _folder(path: Path, status: str) -> Doomed:
    return Doomed(Item("-", "-", status, size_of(path), str(path)), lambda: remove_folder(path))


def _checkpoints(run: Run) -> Doomed:
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

    return Doomed(item, remove)


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
