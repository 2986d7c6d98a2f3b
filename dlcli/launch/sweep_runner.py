"""Sweeps: runs executed by a launcher, recorded in sweep.json, resumed by `dlcli sweep resume`."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlcli import launch
from dlcli.config import compose
from dlcli.core.errors import Missing, UsageError
from dlcli.core.executor import NOT_STARTED, Executor, Job, JobResult, ProgressEvent
from dlcli.engine.options import Options
from dlcli.engine.threads import available_cores
from dlcli.launch.existing import completed_runs
from dlcli.launch.job import options_from_dict, options_to_dict, report
from dlcli.launch.run_job import perform
from dlcli.launch.stop_signals import stop_on_signals
from dlcli.report.progress import sweep_progress
from dlcli.runs import selectors
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep, find_sweeps, list_sweeps

_GRACE = 60.0
"""Seconds to wait for runs whose coordinator was killed: they are saving their checkpoints."""


@dataclass(frozen=True)
class LaunchOptions:
    """Number of runs that a command starts, and how they are executed.

    Args:
        seeds: `6` or `0:6` for seeds 0 to 5, or `3,5`; None leaves `seed` as configured.
        zips: keys that vary together, such as "a=1,2 b=3,4".
        jobs: maximum number of runs in parallel; None is the launcher's default.
        on: launcher: local, ray or slurm; None is local.
        fail_fast: stop all runs at the first failure.
        needed: skip runs for which an identical run has completed.
        shared: a single run distributes its own work over the jobs.
    """

    seeds: str | None = None
    zips: tuple[str, ...] = ()
    jobs: int | None = None
    on: str | None = None
    fail_fast: bool = False
    needed: bool = False
    shared: bool = False

    @property
    def engine(self) -> str:
        """Name of the launcher."""
        return self.on or "local"

    def check(self) -> None:
        """Raise UsageError if the launcher or the number of jobs is invalid."""
        launch.check(self.engine, self.jobs)


def create_sweep(
    points: Sequence[compose.Point], options: Options, ways: LaunchOptions, made: Sequence[Run] = ()
) -> Sweep:
    """Create a sweep of configurations and mark those that have been completed.

    Args:
        made: completed runs to reuse; with `ways.needed` all runs below `options.out` are considered.
    """
    words = [((point.recipe,) if point.recipe else ()) + point.words for point in points]
    covered = completed_runs(points, options, None if ways.needed else made) if ways.needed or made else {}
    plain = options_to_dict(replace(options, smoke=False))
    sweep = Sweep.create(options.out, options.verb, words, options=plain, jobs=ways.jobs, on=ways.engine)
    for index, run in covered.items():
        sweep.note(index, run=run.path.absolute(), exit_code=0, covered=True)
    return sweep


def find_sweep(selector: str, out: Path) -> Sweep:
    """Find the sweep of a selector.

    Raises:
        UsageError: no sweep or several match.
    """
    matches = find_sweeps(selector, out)
    if len(matches) > 1 and selector != "last":
        ids = ", ".join(path.name.rpartition("_")[2] for path in matches[:5])
        raise UsageError("ambiguous", name=selector, count=len(matches), kind="sweeps", matches=ids)
    if not matches:
        known = [path.name.rpartition("_")[2] for path in list_sweeps(out)]
        hint = "" if known else f"There are no sweeps in {out}."
        raise Missing("not_found", kind="sweep", name=selector, known=known, hint=hint)
    try:
        return Sweep.open(matches[0])
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError("damaged", path=matches[0] / "sweep.json", problem=str(error)) from None


def reopen_sweep(sweep: Sweep) -> Options:
    """Lock a sweep, update the states of its runs, and return their options.

    Raises:
        UsageError: another process is running the sweep, or sweep.json is damaged.
    """
    if not sweep.hold():
        reason = f"process {sweep.info['pid']} on {sweep.info['host']} is running it"
        raise UsageError("not_resumable", path=f"sweep {sweep.id}", reason=reason)
    sweep.info = Sweep.open(sweep.path).info
    out = sweep.path.absolute().parent.parent
    _adopt(sweep, out)
    _update(sweep)
    try:
        return replace(options_from_dict(sweep.info["options"]), out=out)
    except (LookupError, TypeError, ValueError) as error:
        sweep.let_go()
        raise UsageError("damaged", path=sweep.path / "sweep.json", problem=f"options: {error}") from None


def _adopt(sweep: Sweep, out: Path) -> None:
    """Record runs that were created but not yet recorded when the coordinator was killed."""
    orphans = {run.info.get("point"): run for run in selectors.scan(out) if run.info.get("sweep") == sweep.id}
    for index in range(len(sweep.points)):
        if sweep.run_of(index) is None and index in orphans:
            sweep.note(index, run=orphans[index].path.absolute())


def _update(sweep: Sweep) -> None:
    """Record runs that completed after the coordinator was killed."""
    deadline = time.monotonic() + _GRACE
    for index in range(len(sweep.points)):
        path = sweep.run_of(index)
        if path is None or sweep.points[index]["exit_code"] == 0:
            continue
        while (status := _status(path)) == "running" and time.monotonic() < deadline:
            time.sleep(0.1)
        if status == "completed":
            sweep.note(index, exit_code=0, error="")


def _status(path: Path) -> str:
    try:
        return Run.open(path).status
    except ValueError:
        return "damaged"  # reported when the run is resumed


def unfinished(sweep: Sweep) -> list[int]:
    """Return the indices of the missing, failed and stopped runs."""
    return [
        index
        for index, point in enumerate(sweep.points)
        if point["exit_code"] != 0 or sweep.run_of(index) is None
    ]  # fmt: skip


def execute_sweep(sweep: Sweep, options: Options, ways: LaunchOptions) -> int | None:
    """Execute the unfinished runs; return the exit code of the signal that stopped them, or None."""
    indices = unfinished(sweep)
    if not indices:
        return None
    display = sweep_progress.create_sweep_display(
        options.show, [title(sweep, index) for index in indices], quiet=options.quiet
    )
    recorder = _Recorder(sweep, indices, display, ways.fail_fast)
    with display, launch.open_executor(ways.engine, perform, ways.jobs, recorder, sweep.path) as executor:
        recorder.stop = executor.stop
        with stop_on_signals(executor) as received:
            for job in _jobs(sweep, indices, options, ways):
                executor.submit(job)
            reports = list(_reports(executor))
    if received:
        return 75 if received[0] == signal.SIGUSR1 else 128 + received[0]
    sequential = ways.engine == "local" and (ways.jobs or 1) == 1
    codes = [report.exit_code for report in reports if report.exit_code in (130, 143, 75) and report != NOT_STARTED]
    return codes[0] if sequential and codes else None


def _reports(executor: Executor) -> Iterator[JobResult]:
    while True:
        try:
            yield executor.wait()[1]
        except IndexError:
            return


def _jobs(sweep: Sweep, indices: Sequence[int], options: Options, ways: LaunchOptions) -> Iterator[Job]:
    """Create a job for each index, which resumes the run of the index if there is one."""
    share = max(1, available_cores() // ways.jobs) if ways.engine == "local" and (ways.jobs or 1) > 1 else None  # type: ignore[operator]
    for index in indices:
        path = sweep.run_of(index)
        plain = options_to_dict(options) | {"threads": share, "facts": {"sweep": sweep.id, "point": index}}
        yield Job(sweep.info["verb"], tuple(sweep.points[index]["words"]), plain, str(path) if path else None)


class _Recorder:
    """Listener that records and displays events, and stops all runs at the first failure with `fail_fast`."""

    def __init__(
        self, sweep: Sweep, indices: Sequence[int], display: sweep_progress.SweepDisplay, fail_fast: bool
    ) -> None:
        self.sweep, self.indices, self.display, self.fail_fast = sweep, indices, display, fail_fast
        self.stop: Callable[[], None] = lambda: None

    def __call__(self, number: int, event: ProgressEvent | JobResult) -> None:
        facts: dict[str, Any] = {"run": event.run} if event.run else {}
        if isinstance(event, JobResult) and event != NOT_STARTED:
            facts |= {"exit_code": event.exit_code, "error": event.error}
        try:
            self.sweep.note(self.indices[number - 1], **facts)
        except OSError as error:  # the run directories suffice to resume
            say(f"{self.sweep.path / 'sweep.json'}: {error.strerror}")
        self.display.hear(number - 1, event)
        if self.fail_fast and sweep_progress.is_failure(event):
            self.stop()


def title(sweep: Sweep, index: int) -> str:
    """Return the overrides that distinguish a run of a sweep; all overrides if it has no others."""
    overrides = sweep.points[index]["words"]
    shared = set.intersection(*(set(point["words"]) for point in sweep.points))
    return " ".join([override for override in overrides if override not in shared] or overrides) or sweep.info["verb"]


def reports(sweep: Sweep) -> list[JobResult]:
    """Return the reports of all runs, in order."""
    return [_report(sweep, index) for index in range(len(sweep.points))]


def _report(sweep: Sweep, index: int) -> JobResult:
    point, path = sweep.points[index], sweep.run_of(index)
    if point["exit_code"] is None:
        return NOT_STARTED if path is None else replace(NOT_STARTED, run=str(path), error="not finished")
    if point["exit_code"] == 0 and path is not None:
        try:
            return report(Run.open(path))
        except ValueError as error:
            return JobResult(1, error=str(error))
    return JobResult(point["exit_code"], str(path) if path else None, error=point["error"])


def say(text: str) -> None:
    """Print a line on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
