"""What `dlcli train` and its like do with their words: one run, or a sweep where they ask for several."""

import json
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from dlcli.config import compose, sweeps
from dlcli.core.errors import UsageError, nearest
from dlcli.core.executor import NOT_BEGUN, Report
from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.launch import sweep_runner
from dlcli.launch.sweep_runner import Ways
from dlcli.report import terminal_tables
from dlcli.report.comparison.groups import group
from dlcli.report.progress import progress, sweep_progress
from dlcli.runs import selectors
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep

_PLAIN = Ways()


def main(
    words: Sequence[str], options: Options, resume: str | None, as_json: bool, verbose: bool, ways: Ways = _PLAIN
) -> int:
    """Run what the words ask for, print what came out, and answer with the exit code."""
    _check_display(options)
    ways.check()
    if resume is not None:
        _check_alone(ways)
        helped = replace(options, jobs=ways.jobs, on=ways.engine) if ways.shared else options
        return _told(run_commands.resume(resume, words, helped), as_json, verbose)
    points = expand(words, options, ways)
    if len(points) == 1 and not ways.needed and (ways.engine == "local" or ways.shared):
        helped = replace(options, jobs=ways.jobs, on=ways.engine) if ways.shared else options
        return _told(run_commands.start(points[0], helped), as_json, verbose)
    made = sweep_runner.create(points, options, ways)
    covered = len(points) - len(sweep_runner.unfinished(made))
    if covered:
        sweep_runner.say(f"{covered} of {len(points)} covered by finished runs")
    return _carried_out(made, options, ways, as_json)


def with_over(words: Sequence[str], over: Sequence[str], resume: str | None, options: Options) -> list[str]:
    """The words, with what `--over` asks for as one more.

    Raises:
        UsageError: a search that goes on has its keys already, or a text names no values.
    """
    if over and resume is not None:
        raise UsageError("--resume goes on with a search over what it is over; --over is for a new one")
    return [*words, sweeps.over(over, options.extra)] if over else list(words)


def of_run(words: Sequence[str], selector: str, resume: str | None, options: Options) -> list[str]:
    """The words of `--from RUN`: the path of the run's config.yaml, then the changes.

    Raises:
        UsageError: there is no such run, or a recipe or another run is given as well.
    """
    if resume is not None or options.from_search is not None:
        other = "--resume" if resume is not None else "--from-search"
        raise UsageError("conflict", first="--from", second=other, reason="each starts from its own configuration")
    if words and "=" not in words[0] and not words[0].startswith(("~", "-", "+")):
        raise UsageError("conflict", first="--from", second=words[0], reason="a run's configuration has no recipe")
    return [str((selectors.one(selector, options.out).path / "config.yaml").absolute()), *words]


def expand(words: Sequence[str], options: Options, ways: Ways) -> list[compose.Point]:
    """The runs that the words ask for, seeds and pairs included."""
    words = list(words)
    if ways.seeds is not None:
        if any(word.lstrip("+").startswith("seed=") for word in words):
            raise UsageError("--seeds and seed= say the same: give one of them")
        words.append(sweeps.seeds(ways.seeds))
    return run_commands.points(words, options, ways.zips)


def go_on_with(selector: str, asked: Options, ways: Ways, as_json: bool) -> int:
    """`dlcli sweep resume`: run what is missing, failed or stopped, and end with the table of all."""
    _check_display(asked)
    ways.check()
    found = sweep_runner.find(selector, asked.out)
    options = replace(sweep_runner.take_up(found), show=asked.show, quiet=asked.quiet)
    jobs, on = found.info.get("jobs"), found.info.get("on")
    if not isinstance(jobs, int | None) or not isinstance(on, str | None):
        raise UsageError(f"{found.path / 'sweep.json'} is damaged: jobs or on")
    ways = replace(ways, jobs=ways.jobs or jobs, on=ways.on or on)
    ways.check()
    return _carried_out(found, options, ways, as_json)


def _check_display(options: Options) -> None:
    if options.show not in progress.MODES:
        raise UsageError(f"--progress {options.show!r}{nearest(options.show, progress.MODES)}")


def _check_alone(ways: Ways) -> None:
    """What makes several runs does not go on with one."""
    given = {"--seeds": ways.seeds, "--zip": ways.zips, "--needed": ways.needed}
    for name, value in given.items():
        if value:
            raise UsageError(f"--resume goes on with one run; {name} is for new ones")


def _told(run: Run, as_json: bool, verbose: bool) -> int:
    if run.error is not None and verbose:
        traceback.print_exception(run.error)
    if as_json:
        print(json.dumps({"path": str(run.path), **run.info}, indent=1))  # noqa: T201
    elif run.info["exit_code"] == 0:
        terminal_tables.print_summary(run)
        run_commands.run_command(run.info["verb"]).print_result(run)
    else:
        _say(f"run {run.id} {run.info['status']}: {run.info['reason']}\nsee {run.path / 'log.txt'}")
    return run.info["exit_code"]


def _carried_out(made: Sweep, options: Options, ways: Ways, as_json: bool) -> int:
    """The sweep to its end, then the table, and what failed."""
    try:
        interrupted = sweep_runner.carry_out(made, options, ways)
    finally:
        made.let_go()
    reports = sweep_runner.reports(made)
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=1))  # noqa: T201
    elif interrupted is None:
        _print_runs(reports)
    code = _failures(made, reports) if interrupted is None else interrupted
    done = sum(report.exit_code == 0 for report in reports)
    if done < len(reports):
        _say(f"{done} of {len(reports)} done; to run the others: dlcli sweep resume {made.id}{_out(options)}")
    return code


def _out(options: Options) -> str:
    return "" if options.out.absolute() == Path("outputs").absolute() else f" --out {shlex.quote(str(options.out))}"


def _print_runs(reports: Sequence[Report]) -> None:
    runs = [Run.open(Path(report.run)) for report in reports if report.run and report.exit_code == 0]
    if any(run.info["metrics"] for run in runs):
        terminal_tables.print_groups(group(runs[::-1], None, "test")[0])


def _failures(made: Sweep, reports: Sequence[Report]) -> int:
    """Tell what failed; the exit code of all."""
    begun = [(place, report) for place, report in enumerate(reports) if report != NOT_BEGUN]
    failed = [(place, report) for place, report in begun if report.exit_code]
    if failed:
        sweep_progress.print_failures([(place, sweep_runner.title(made, place), report) for place, report in failed])
    codes = {report.exit_code for _, report in failed}
    if codes == {2} and len(failed) == len(reports):
        return 2
    return 75 if codes == {75} else 5 if codes or len(begun) < len(reports) else 0


def dry_run(words: Sequence[str], options: Options, as_json: bool, ways: Ways = _PLAIN) -> int:
    """What would run: sizes, and the time that a probe of a few steps promises. Nothing is written."""
    ways.check()
    points = expand(words, options, ways)
    rows = [run_commands.run_command(point.verb).estimate(point, options) for point in points]
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    else:
        terminal_tables.print_estimates(rows)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
