"""What `dlcli train` does with its words: one run, or one after another where values hold commas."""

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcli import build, compose
from dlcli.core.errors import UsageError, nearest
from dlcli.core.executor import Job, Report
from dlcli.engine import limits
from dlcli.launch import InProcess
from dlcli.machine import choose_device
from dlcli.probe import estimate
from dlcli.report import progress, tables
from dlcli.report.groups import group
from dlcli.run import Run
from dlcli.verbs import train
from dlcli.verbs.options import Options
from dlcli.verbs.resume import resume as go_on


def main(words: Sequence[str], options: Options, resume: str | None, as_json: bool, verbose: bool) -> int:
    """Run what the words ask for, print what came out, and answer with the exit code."""
    if options.show not in progress.MODES:
        raise UsageError(f"--progress {options.show!r}{nearest(options.show, progress.MODES)}")
    if resume is not None:
        return _told(go_on(resume, words, options), as_json, verbose)
    points = compose.expand("train", words, extra=options.extra, smoke=options.smoke)
    if len(points) == 1:
        return _told(train.train(points[0], options), as_json, verbose)
    return _several(points, options, as_json)


def _told(run: Run, as_json: bool, verbose: bool) -> int:
    if run.error is not None and verbose:
        traceback.print_exception(run.error)
    if as_json:
        print(json.dumps({"path": str(run.path), **run.info}, indent=1))  # noqa: T201
    elif run.info["exit_code"] == 0:
        tables.print_summary(run)
    else:
        _say(f"run {run.id} {run.info['status']}: {run.info['reason']}\nsee {run.path / 'log.txt'}")
    return run.info["exit_code"]


def _several(points: Sequence[compose.Point], options: Options, as_json: bool) -> int:
    """Every point once, failures told as they happen, then the table."""
    executor = InProcess(train.perform)
    plain = {name: value for name, value in vars(options).items() if name != "smoke"}
    for point in points:
        recipe = (point.recipe,) if point.recipe else ()
        executor.submit(Job("train", (*recipe, *point.words), plain))
    reports: list[Report] = []
    for place, point in enumerate(points, 1):
        _say(f"[{place}/{len(points)}] {_title(point)}")
        reports.append(executor.wait()[1])
        if reports[-1].exit_code:
            _say(f"[{place}/{len(points)}] exit code {reports[-1].exit_code}: {reports[-1].error}")
        if reports[-1].exit_code in (130, 143, 75):
            return reports[-1].exit_code
    runs = [Run.open(Path(report.run)) for report in reports if report.run]
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=1))  # noqa: T201
    else:
        tables.print_groups(group(runs[::-1], None, "test")[0])
    return _failures(points, reports)


def _title(point: compose.Point) -> str:
    return " ".join([point.label, *point.words])


def _failures(points: Sequence[compose.Point], reports: Sequence[Report]) -> int:
    failed = [(point, report) for point, report in zip(points, reports, strict=True) if report.exit_code]
    for point, report in failed:
        _say(f"failed: {_title(point)}: {report.error.splitlines()[0] if report.error else '?'}")
    if len(failed) == len(points) and all(report.exit_code == 2 for _, report in failed):
        return 2
    return 5 if failed else 0


def dry_run(words: Sequence[str], options: Options, as_json: bool) -> int:
    """What would run: sizes, and the time that a probe of a few steps promises. Nothing is written."""
    points = compose.expand("train", words, extra=options.extra, smoke=options.smoke)
    rows = [_estimate(point) for point in points]
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    else:
        tables.print_estimates(rows)
    return 0


def _estimate(point: compose.Point) -> Mapping[str, Any]:
    config = build.settle_budget(point.resolved())
    core = build.core(build.settle_budget(point.resolved(seed=0)))
    device = choose_device(config["device"])
    built = build.build(config, device)
    stops = limits(config["until"], built.learner, built.task)
    plan = train.plan(config)
    threads = train.set_threads(config, core, device)
    return {
        "what": point.label,
        "words": list(point.words),
        "task": point.choices["task"],
        "model": point.choices["model"],
        "spec": built.task.spec.describe(),
        "parameters": built.parameters,
        **train.reach(built.model, built.task),
        "until": config["until"],
        "threads": threads,
        "device": str(device),
        **estimate(built.learner, built.task, stops, plan.eval_every),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
