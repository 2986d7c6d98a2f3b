"""Many runs as one thing: carried out by an engine, written down as they go, gone on with by `dlcli sweep resume`."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlcli import launch
from dlcli.config import compose
from dlcli.core.errors import Missing, UsageError, nearest
from dlcli.core.executor import NOT_BEGUN, Executor, Job, News, Report
from dlcli.engine.options import Options
from dlcli.engine.threads import available_cores
from dlcli.launch.existing import covering
from dlcli.launch.job import packed, report, unpacked
from dlcli.launch.run_job import perform
from dlcli.launch.stop_signals import heeding
from dlcli.report.progress import sweep_progress
from dlcli.runs import selectors
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep, named, sweeps

_PATIENCE = 60.0
"""Seconds to wait for runs whose coordinator was killed: they are saving themselves."""


@dataclass(frozen=True)
class Ways:
    """How many runs are made of the words, and how they are run.

    Args:
        seeds: `6`, `0:6` or `3,5`.
        zips: texts such as "a=1,2 b=3,4".
        jobs: at a time.
        on: the engine.
        fail_fast: the first failure ends all.
        needed: leave out what an equal finished run covers.
        shared: the jobs share the work of one run, where there is only one.
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
        return self.on or "local"

    def check(self) -> None:
        launch.check(self.engine, self.jobs)


def create(points: Sequence[compose.Point], options: Options, ways: Ways, made: Sequence[Run] = ()) -> Sweep:
    """A sweep of points; what finished runs cover is done already: those `made`, and with `needed` all there are."""
    words = [((point.recipe,) if point.recipe else ()) + point.words for point in points]
    covered = covering(points, options, None if ways.needed else made) if ways.needed or made else {}
    plain = packed(replace(options, smoke=False))
    sweep = Sweep.create(options.out, options.verb, words, options=plain, jobs=ways.jobs, on=ways.engine)
    for place, run in covered.items():
        sweep.note(place, run=run.path.absolute(), exit_code=0, covered=True)
    return sweep


def find(selector: str, out: Path) -> Sweep:
    """The sweep that a selector names.

    Raises:
        UsageError: it names none, or several.
    """
    found = named(selector, out)
    if len(found) > 1 and selector != "last":
        raise UsageError(f"{selector!r} names {len(found)} sweeps; one is wanted: give more of the id, or a path")
    if not found:
        known = [path.name.rpartition("_")[2] for path in sweeps(out)]
        raise Missing(f"no sweep {selector!r} in {out}{nearest(selector, known) or ', which holds none'}")
    try:
        return Sweep.open(found[0])
    except ValueError as error:
        raise UsageError(str(error)) from None


def take_up(sweep: Sweep) -> Options:
    """Hold a sweep, find out what became of its runs since it was written, and answer with their options.

    Raises:
        UsageError: a living process has it.
    """
    if not sweep.hold():
        raise UsageError(f"sweep {sweep.id} is being run by process {sweep.info['pid']} on {sweep.info['host']}")
    sweep.info = Sweep.open(sweep.path).info
    out = sweep.path.absolute().parent.parent
    _adopt(sweep, out)
    _settle(sweep)
    try:
        return replace(unpacked(sweep.info["options"]), out=out)
    except (LookupError, TypeError, ValueError) as error:
        sweep.let_go()
        raise UsageError(f"{sweep.path / 'sweep.json'} is damaged: options: {error}") from None


def _adopt(sweep: Sweep, out: Path) -> None:
    """Runs that were made, and not yet written down, when the coordinator was killed."""
    orphans = {run.info.get("point"): run for run in selectors.scan(out) if run.info.get("sweep") == sweep.id}
    for place in range(len(sweep.points)):
        if sweep.run_of(place) is None and place in orphans:
            sweep.note(place, run=orphans[place].path.absolute())


def _settle(sweep: Sweep) -> None:
    """How the runs ended that nobody was there to hear of."""
    until = time.monotonic() + _PATIENCE
    for place in range(len(sweep.points)):
        path = sweep.run_of(place)
        if path is None or sweep.points[place]["exit_code"] == 0:
            continue
        while (status := _status(path)) == "running" and time.monotonic() < until:
            time.sleep(0.1)
        if status == "completed":
            sweep.note(place, exit_code=0, error="")


def _status(path: Path) -> str:
    try:
        return Run.open(path).status
    except ValueError:
        return "damaged"  # which going on with it will say


def unfinished(sweep: Sweep) -> list[int]:
    """The places of what is missing, failed or stopped."""
    return [
        place
        for place, point in enumerate(sweep.points)
        if point["exit_code"] != 0 or sweep.run_of(place) is None
    ]  # fmt: skip


def carry_out(sweep: Sweep, options: Options, ways: Ways) -> int | None:
    """Run what is unfinished; the exit code of what interrupted it, if something did."""
    places = unfinished(sweep)
    if not places:
        return None
    board = sweep_progress.choose(options.show, [title(sweep, place) for place in places], quiet=options.quiet)
    heard = _Heard(sweep, places, board, ways.fail_fast)
    with board, launch.engine(ways.engine, perform, ways.jobs, heard, sweep.path) as executor:
        heard.stop = executor.stop
        with heeding(executor) as received:
            for job in _jobs(sweep, places, options, ways):
                executor.submit(job)
            reports = list(_reports(executor))
    if received:
        return 75 if received[0] == signal.SIGUSR1 else 128 + received[0]
    alone = ways.engine == "local" and (ways.jobs or 1) == 1
    signalled = [one.exit_code for one in reports if one.exit_code in (130, 143, 75) and one != NOT_BEGUN]
    return signalled[0] if alone and signalled else None


def _reports(executor: Executor) -> Iterator[Report]:
    while True:
        try:
            yield executor.wait()[1]
        except IndexError:
            return


def _jobs(sweep: Sweep, places: Sequence[int], options: Options, ways: Ways) -> Iterator[Job]:
    """A job for every place, which goes on with its run where there is one."""
    share = max(1, available_cores() // ways.jobs) if ways.engine == "local" and (ways.jobs or 1) > 1 else None  # type: ignore[operator]
    for place in places:
        path = sweep.run_of(place)
        plain = packed(options) | {"threads": share, "facts": {"sweep": sweep.id, "point": place}}
        yield Job(sweep.info["verb"], tuple(sweep.points[place]["words"]), plain, str(path) if path else None)


class _Heard:
    """Writes down what is heard, shows it, and stops everything at the first failure if that is wanted."""

    def __init__(self, sweep: Sweep, places: Sequence[int], board: sweep_progress.Board, fail_fast: bool) -> None:
        self.sweep, self.places, self.board, self.fail_fast = sweep, places, board, fail_fast
        self.stop: Callable[[], None] = lambda: None

    def __call__(self, number: int, what: News | Report) -> None:
        known: dict[str, Any] = {"run": what.run} if what.run else {}
        if isinstance(what, Report) and what != NOT_BEGUN:
            known |= {"exit_code": what.exit_code, "error": what.error}
        try:
            self.sweep.note(self.places[number - 1], **known)
        except OSError as error:  # the runs themselves know what is needed to go on
            say(f"{self.sweep.path / 'sweep.json'}: {error.strerror}")
        self.board.hear(number - 1, what)
        if self.fail_fast and sweep_progress.failed(what):
            self.stop()


def title(sweep: Sweep, place: int) -> str:
    """The words of a point that not all points share; all of them when it has no others."""
    words = sweep.points[place]["words"]
    shared = set.intersection(*(set(point["words"]) for point in sweep.points))
    return " ".join([word for word in words if word not in shared] or words) or sweep.info["verb"]


def reports(sweep: Sweep) -> list[Report]:
    """How every point ended, in order."""
    return [_report(sweep, place) for place in range(len(sweep.points))]


def _report(sweep: Sweep, place: int) -> Report:
    point, path = sweep.points[place], sweep.run_of(place)
    if point["exit_code"] is None:
        return NOT_BEGUN if path is None else replace(NOT_BEGUN, run=str(path), error="not finished")
    if point["exit_code"] == 0 and path is not None:
        try:
            return report(Run.open(path))
        except ValueError as error:
            return Report(1, error=str(error))
    return Report(point["exit_code"], str(path) if path else None, error=point["error"])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
