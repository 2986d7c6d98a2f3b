"""`dlcli train`, `evolve`, `search` and `sketch`: run the points of a command line, one run or a sweep."""

import json
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from dlcli.config import compose, sweeps
from dlcli.core.errors import UsageError
from dlcli.core.executor import NOT_STARTED, JobResult
from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.launch import sweep_runner
from dlcli.launch.sweep_runner import LaunchOptions
from dlcli.report import terminal_tables
from dlcli.report.comparison.groups import group_runs
from dlcli.report.progress import progress, sweep_progress
from dlcli.runs import selectors
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep

_DEFAULT_WAYS = LaunchOptions()


def main(
    overrides: Sequence[str],
    options: Options,
    resume: str | None,
    as_json: bool,
    verbose: bool,
    ways: LaunchOptions = _DEFAULT_WAYS,
) -> int:
    """Start or resume the runs of a command line, print their results, and return the exit code.

    Args:
        overrides: recipe (optional) and KEY=VALUE overrides.
        options: output folder, display and further options of the runs.
        resume: selector of the run to resume; None starts new runs.
        as_json: print run.json, or the reports of a sweep, as JSON.
        verbose: print the traceback of a failed run.
        ways: seeds, parallel jobs and launcher.
    """
    _check_progress(options)
    ways.check()
    single_run_options = replace(options, jobs=ways.jobs, on=ways.engine) if ways.shared else options
    if resume is not None:
        _check_single(ways)
        return _print_run(run_commands.resume(resume, overrides, single_run_options), as_json, verbose)
    points = expand(overrides, options, ways)
    if len(points) == 1 and not ways.needed and (ways.engine == "local" or ways.shared):
        return _print_run(run_commands.start(points[0], single_run_options), as_json, verbose)
    sweep = sweep_runner.create_sweep(points, options, ways)
    skipped = len(points) - len(sweep_runner.unfinished(sweep))
    if skipped:
        sweep_runner.say(f"skipping {skipped} of {len(points)}: an identical run has completed")
    return _run_sweep(sweep, options, ways, as_json)


def with_search_space(overrides: Sequence[str], over: Sequence[str], resume: str | None, options: Options) -> list[str]:
    """Append the search space of `--over` to the overrides.

    Args:
        overrides: recipe and KEY=VALUE overrides.
        over: texts of `--over`, such as "lr=loguniform(1e-4,1e-1)".
        resume: selector of `--resume`.
        options: for their additional configuration folders.

    Raises:
        UsageError: `--over` is combined with `--resume`, or a text has no values.
    """
    if over and resume is not None:
        raise UsageError("conflict", first="--resume", second="--over", reason="a search keeps its search space")
    return [*overrides, sweeps.over_override(over, options.extra)] if over else list(overrides)


def from_saved_run(overrides: Sequence[str], selector: str, resume: str | None, options: Options) -> list[str]:
    """Return the overrides of `--from RUN`: the path of the run's config.yaml, then the changes.

    Raises:
        UsageError: there is no such run, or a recipe or another run is given as well.
    """
    if resume is not None or options.from_search is not None:
        other = "--resume" if resume is not None else "--from-search"
        raise UsageError("conflict", first="--from", second=other, reason="each starts from its own configuration")
    if overrides and "=" not in overrides[0] and not overrides[0].startswith(("~", "-", "+")):
        raise UsageError("conflict", first="--from", second=overrides[0], reason="a run's configuration has no recipe")
    return [str((selectors.one(selector, options.out).path / "config.yaml").absolute()), *overrides]


def expand(overrides: Sequence[str], options: Options, ways: LaunchOptions) -> list[compose.Point]:
    """Compose the points of a command line, including `--seeds` and `--zip`.

    Raises:
        UsageError: an override is invalid, or seeds are given twice.
    """
    overrides = list(overrides)
    if ways.seeds is not None:
        if any(override.lstrip("+").startswith("seed=") for override in overrides):
            raise UsageError("conflict", first="--seeds", second="seed=", reason="both choose the seeds")
        overrides.append(sweeps.seed_override(ways.seeds))
    return run_commands.points(overrides, options, ways.zips)


def resume_sweep(selector: str, display: Options, ways: LaunchOptions, as_json: bool) -> int:
    """Resume a sweep: run its missing, failed and stopped points, then print the table of all.

    Args:
        selector: selects one sweep.
        display: output folder and display of this command; all else comes from the sweep.
        ways: parallel jobs and launcher; those of the sweep by default.
        as_json: print the reports as JSON.

    Raises:
        UsageError: there is no such sweep, or its sweep.json is damaged.
    """
    _check_progress(display)
    ways.check()
    sweep = sweep_runner.find_sweep(selector, display.out)
    options = replace(sweep_runner.reopen_sweep(sweep), show=display.show, quiet=display.quiet)
    jobs, launcher = sweep.info.get("jobs"), sweep.info.get("on")
    if not isinstance(jobs, int | None) or not isinstance(launcher, str | None):
        problem = "`jobs` must be an integer and `on` a string"
        raise UsageError("damaged", path=sweep.path / "sweep.json", problem=problem)
    ways = replace(ways, jobs=ways.jobs or jobs, on=ways.on or launcher)
    ways.check()
    return _run_sweep(sweep, options, ways, as_json)


def _check_progress(options: Options) -> None:
    if options.show not in progress.MODES:
        raise UsageError("unknown_name", kind="--progress mode", name=options.show, known=progress.MODES)


def _check_single(ways: LaunchOptions) -> None:
    """Refuse options of several runs together with `--resume`."""
    for option, value in {"--seeds": ways.seeds, "--zip": ways.zips, "--needed": ways.needed}.items():
        if value:
            raise UsageError("conflict", first="--resume", second=option, reason="--resume continues a single run")


def _print_run(run: Run, as_json: bool, verbose: bool) -> int:
    """Print the summary of a run that has ended, or why it failed; return its exit code."""
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


def _run_sweep(sweep: Sweep, options: Options, ways: LaunchOptions, as_json: bool) -> int:
    """Run the unfinished points of a sweep, print the table and the failures, and return the exit code."""
    try:
        interrupted = sweep_runner.execute_sweep(sweep, options, ways)
    finally:
        sweep.let_go()
    reports = sweep_runner.reports(sweep)
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=1))  # noqa: T201
    elif interrupted is None:
        runs = [Run.open(Path(report.run)) for report in reports if report.run and report.exit_code == 0]
        if any(run.info["metrics"] for run in runs):
            terminal_tables.print_groups(group_runs(runs[::-1], None, "test")[0])
    code = _report_failures(sweep, reports) if interrupted is None else interrupted
    completed = sum(report.exit_code == 0 for report in reports)
    if completed < len(reports):
        out = "" if options.out.absolute() == Path("outputs").absolute() else f" --out {shlex.quote(str(options.out))}"
        _say(f"{completed} of {len(reports)} completed; resume the others: dlcli sweep resume {sweep.id}{out}")
    return code


def _report_failures(sweep: Sweep, reports: Sequence[JobResult]) -> int:
    """Print the failed points of a sweep and return the exit code of the sweep."""
    started = [(index, report) for index, report in enumerate(reports) if report != NOT_STARTED]
    failed = [(index, report) for index, report in started if report.exit_code]
    if failed:
        sweep_progress.print_failures([(index, sweep_runner.title(sweep, index), report) for index, report in failed])
    codes = {report.exit_code for _, report in failed}
    if codes == {2} and len(failed) == len(reports):
        return 2
    return 75 if codes == {75} else 5 if codes or len(started) < len(reports) else 0


def dry_run(overrides: Sequence[str], options: Options, as_json: bool, ways: LaunchOptions = _DEFAULT_WAYS) -> int:
    """Print sizes and estimated time of each point, from a probe of a few steps; write nothing."""
    ways.check()
    points = expand(overrides, options, ways)
    rows = [run_commands.run_command(point.verb).estimate(point, options) for point in points]
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    else:
        terminal_tables.print_estimates(rows)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
