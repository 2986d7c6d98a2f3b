"""`dlcli runs rm|prune`: select run directories and checkpoints to delete."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from dlcli.commands.runs.deletion import Confirmation, Deletion, Item, delete, say
from dlcli.core.errors import UsageError
from dlcli.runs.files import REMOVED, Lock, remove_folder, size_of
from dlcli.runs.lineage import Lineage
from dlcli.runs.run import Run, RunLocked
from dlcli.runs.selectors import moment, of_status, scan, select

__all__ = ["Confirmation", "prune", "rm"]

_PRUNED = "failed,diverged,lost"  # statuses that prune deletes by default


def rm(selectors: Sequence[str], out: Path, consent: Confirmation) -> int:
    """Delete the selected runs, or none if one of them is running.

    Args:
        selectors: runs to delete, at least one.
        out: folder of the runs.
        consent: how the deletion is confirmed.

    Raises:
        UsageError: no run is selected, a selector is ambiguous, or a selected run is running.
    """
    if not selectors:
        hint = "Name the runs to delete: ids, 1:3, @tag or a folder; see dlcli list runs."
        raise UsageError("required", key="RUN", hint=hint)
    selected = {run.path.resolve(): run for selector in selectors for run in _select(selector, out)}
    relations = Lineage(out)
    for run in selected.values():
        running = relations.alive(run)
        if running is not None:
            process = f"process {running.info['pid']} on {running.info['host']}"
            raise UsageError("running_run", id=running.id, process=process, hint="Nothing was deleted.")
    return delete([_run_deletion(run, relations) for run in _outermost(selected)], consent)


def prune(
    selectors: Sequence[str],
    out: Path,
    status: str | None,
    older_than: str | None,
    checkpoints: bool,
    consent: Confirmation,
) -> int:
    """Delete failed, diverged and lost runs, or the checkpoints from which completed runs could be resumed.

    Args:
        selectors: runs to consider; empty considers all.
        out: folder of the runs.
        status: statuses to delete, separated by commas; None is failed, diverged and lost.
        older_than: only runs that ended before this date or age, such as "7d".
        checkpoints: delete last.pt of completed runs instead.
        consent: how the deletion is confirmed.

    Raises:
        UsageError: the status includes running, or is combined with `checkpoints`.
    """
    if "running" in (status or ""):
        raise UsageError("unsupported", subject="runs prune", feature="--status running", hint="Stop the runs first.")
    if checkpoints and status is not None:
        reason = "--checkpoints prunes completed runs"
        raise UsageError("conflict", first="--checkpoints", second="--status", reason=reason)
    limit = moment(older_than.strip(), "--older-than") if older_than is not None else datetime.now().astimezone()
    incomplete: list[Path] = []
    candidates = _candidates(selectors, out, incomplete)
    if checkpoints:
        completed = [run for run in candidates if run.status == "completed" and _ended(run) <= limit]
        return delete([stale for stale in map(_checkpoint_deletion, completed) if stale.item.size], consent)
    relations = Lineage(out)
    ended = {
        run.path.resolve(): run
        for run in of_status(candidates, status or _PRUNED)
        if _ended(run) <= limit and relations.alive(run) is None
    }
    deletions = [_run_deletion(run, relations) for run in _outermost(ended)]
    if status is None or "lost" in status:
        abandoned = [path for path in incomplete if not Lock(path / ".lock").held() and _last_write(path) <= limit]
        deletions += [_folder_deletion(path, "incomplete") for path in abandoned]
    if not selectors:
        deletions += [_folder_deletion(path, "partly deleted") for path in sorted(out.rglob(f".*{REMOVED}"))]
    return delete(deletions, consent)


def _candidates(selectors: Sequence[str], out: Path, incomplete: list[Path]) -> list[Run]:
    """Runs to consider; append directories without run.json to `incomplete` and report damaged runs."""

    def report_damaged(path: Path, reason: str) -> None:
        if (path / "run.json").exists():
            say(f"skipped: {reason}")
        else:
            incomplete.append(path)

    if selectors:
        return select(selectors, out, report_damaged)
    return scan(out, children=True, trouble=report_damaged)


def _select(selector: str, out: Path) -> list[Run]:
    """Runs of a selector that deletes: an id prefix must match a single run.

    Raises:
        UsageError: an id prefix matches several runs, or a folder is neither a run nor a sweep, or not inside `out`.
    """
    path = Path(selector)
    is_run = any((path / name).is_file() for name in ("run.json", "sweep.json"))
    if path.is_dir() and not is_run and not path.resolve().is_relative_to(out.resolve()):
        problem = f"neither a run nor a folder in {out}"
        raise UsageError("invalid_data", path=selector, problem=problem, hint=f"Use --out {selector}.")
    runs = select([selector], out)
    selects_many = selector.startswith("@") or ":" in selector or path.is_dir()
    if len(runs) > 1 and not selects_many:
        matches = ", ".join(run.id for run in runs[:5])
        hint = "Give complete ids, 1:3, @tag or a folder."
        raise UsageError("ambiguous", name=selector, count=len(runs), kind="runs", matches=matches, hint=hint)
    return runs


def _outermost(runs: dict[Path, Run]) -> list[Run]:
    """Runs that do not lie inside another of the runs."""
    return [run for path, run in runs.items() if not any(parent in runs for parent in path.parents)]


def _run_deletion(run: Run, relations: Lineage) -> Deletion:
    path = run.path.resolve()
    item = Item(run.id, run.info["label"], run.status, size_of(path), str(run.path), relations.of(run))

    def remove() -> None:
        with _unchanged(run):
            if relations.kin_alive(run) is not None:
                raise RunLocked("a child or parent run has been started")
            remove_folder(path)

    return Deletion(item, remove)


@contextmanager
def _unchanged(run: Run) -> Iterator[None]:
    """Lock a run and check that it has not changed since it was listed.

    Raises:
        Busy: the run is running, or has changed.
    """
    run.lock()
    try:
        if Run.open(run.path).info != run.info:
            raise RunLocked(f"run {run.id} has changed in the meantime")
        yield
    finally:
        run.close()


def _folder_deletion(path: Path, status: str) -> Deletion:
    return Deletion(Item("-", "-", status, size_of(path), str(path)), lambda: remove_folder(path))


def _checkpoint_deletion(run: Run) -> Deletion:
    """Deletion of the checkpoints needed only to resume; of size 0 if best.pt is missing."""
    folder = run.path / "checkpoints"
    names = ("last.pt", "best_before.pt") if run.checkpoint_path("best").exists() else ()
    stale = [folder / name for name in names if (folder / name).exists()]
    remark = "the run cannot be resumed afterwards"
    size = sum(path.stat().st_size for path in stale)
    item = Item(run.id, "last.pt", "completed", size, str(folder), remark)

    def remove() -> None:
        with _unchanged(run):
            for path in stale:
                path.unlink(missing_ok=True)

    return Deletion(item, remove)


def _ended(run: Run) -> datetime:
    """Time at which the run ended, or of its last write."""
    ended = run.info.get("ended")
    return datetime.fromisoformat(ended).astimezone() if ended else _last_write(run.path)


def _last_write(path: Path) -> datetime:
    """Time of the last write into a run directory."""
    names = ("run.json", "metrics.csv", "config.yaml", "log.txt", "checkpoints/last.pt")
    times = [(path / name).stat().st_mtime for name in names if (path / name).exists()]
    return datetime.fromtimestamp(max(times)).astimezone()
