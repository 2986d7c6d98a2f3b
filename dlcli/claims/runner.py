"""Reproduction of a claim: its arms as ordinary runs over seeds, and their scores."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcli.claims import results
from dlcli.claims.claim import Arm, Claim
from dlcli.claims.claim_metric import ClaimMetric
from dlcli.claims.verdict_record import check_directions, compared_metrics, judge_claim
from dlcli.config import build, compose, sweeps
from dlcli.config.budget import solve_budget
from dlcli.config.data_sets import is_complete
from dlcli.core.errors import Missing, UsageError
from dlcli.engine import run_commands
from dlcli.engine.device import choose_device
from dlcli.engine.evaluate import evaluate_split
from dlcli.engine.options import Options, captured_messages
from dlcli.launch import sweep_runner
from dlcli.launch.sweep_runner import LaunchOptions
from dlcli.runs.environment import describe
from dlcli.runs.run import Run

Runs = Mapping[str, Mapping[int, Run | None]]
"""Runs by arm, then by seed; None for a failed run."""

_ONE_THREAD = "threads=1"


@dataclass(frozen=True)
class ClaimOutcome:
    """Outcome of the reproduction of a claim.

    Args:
        result: the result; None after an interruption.
        interrupted: exit code of the interruption; None without one.
        failed: number of failed runs.
        sweep: id of the interrupted sweep.
        runs: runs of the arms, which other claims with equal arms can reuse.
    """

    result: dict[str, Any] | None
    interrupted: int | None = None
    failed: int = 0
    sweep: str = ""
    runs: tuple[Run, ...] = ()


class _Interrupted(Exception):
    def __init__(self, exit_code: int, sweep: str) -> None:
        super().__init__(exit_code)
        self.exit_code, self.sweep = exit_code, sweep


def reproduce(claim: Claim, options: Options, ways: LaunchOptions, made: Sequence[Run] = ()) -> ClaimOutcome:
    """Run the arms over the seeds and judge the claim. Only run directories are written.

    Args:
        made: runs of other claims that can be reused.

    Raises:
        UsageError: an arm cannot be composed or built, or its data are missing.
    """
    check_data(claim)
    start = time.monotonic()
    points = {arm.name: _points(arm, claim, options, ways) for arm in claim.arms.values()}
    for name, arm_points in points.items():
        if claim.arms[name].verb != "sketch":  # sketch builds its models itself
            _check_buildable(arm_points[0])
    try:
        runs, failed = _run_arms(claim, points, options, ways, made)
    except _Interrupted as stopped:
        return ClaimOutcome(None, stopped.exit_code, sweep=stopped.sweep)
    check_directions(claim, {arm: [run for run in by_seed.values() if run] for arm, by_seed in runs.items()})
    evaluation_start = time.monotonic()
    values = _values(claim, runs)
    seconds = round(sum(map(_run_seconds, _unique(runs))) + time.monotonic() - evaluation_start, 1)
    result = judge_claim(claim, values, seeds=_seeds(points))
    facts = {"seconds": seconds, "wall": round(time.monotonic() - start, 1), "runs": _ids(runs)}
    return ClaimOutcome(result | facts | _environment(runs), failed=failed, runs=tuple(_unique(runs)))


def check_data(claim: Claim) -> None:
    """Check that the data sets of a claim have been downloaded.

    Raises:
        Missing: a data set is missing.
    """
    if missing := missing_data_sets(claim):
        hint = f"Download with: {download_commands(missing)}"
        raise Missing("requires", key=f"claim {claim.name}", requirement=f"data sets: {', '.join(missing)}", hint=hint)


def missing_data_sets(claim: Claim) -> list[str]:
    """Data sets of a claim that have not been downloaded."""
    return [name for name in claim.needs if not is_complete(name)]


def download_commands(missing: Sequence[str]) -> str:
    """Commands that download data sets."""
    return " and ".join(f"dlcli data fetch {name}" for name in missing)


def _points(arm: Arm, claim: Claim, options: Options, ways: LaunchOptions) -> list[compose.Point]:
    """Points of an arm, one per seed."""
    seeds = sweeps.seed_override(ways.seeds or str(claim.seeds))
    threads = [_ONE_THREAD] if arm.verb in ("train", "sketch") else []
    points = run_commands.points([*arm.words, *threads, seeds], replace(options, verb=arm.verb))
    if len(points) != seeds.count(",") + 1:
        key = f"claim {claim.name}: arms.{arm.name}: overrides"
        raise UsageError(
            "invalid_value", key=key, must="single values, not lists of values", got=" ".join(arm.overrides)
        )
    return points


def _check_buildable(point: compose.Point) -> None:
    """Build a run without training, so that errors are reported before the first arm is trained."""
    config = solve_budget(point.resolved())
    with captured_messages(quiet=True):
        build.build(config, choose_device(config["device"]))


def _run_arms(
    claim: Claim,
    points: Mapping[str, Sequence[compose.Point]],
    options: Options,
    ways: LaunchOptions,
    before: Sequence[Run],
) -> tuple[Runs, int]:
    """Run all arms with one sweep per verb; arms with equal arguments share their runs.

    Returns:
        the runs, and the number of failed ones.

    Raises:
        _Interrupted: a signal stopped the sweep.
    """
    runs: dict[str, dict[int, Run | None]] = {}
    failed = 0
    for verb in dict.fromkeys(arm.verb for arm in claim.arms.values()):
        arms = {arm.words: name for name, arm in claim.arms.items() if arm.verb == verb}
        planned = [(name, point) for name in arms.values() for point in points[name]]
        own = replace(options, verb=verb, name=claim.name)
        sweep = sweep_runner.create_sweep([point for _, point in planned], own, ways, before)
        try:
            interrupted = sweep_runner.execute_sweep(sweep, own, ways)
        finally:
            sweep.let_go()
        if interrupted is not None:
            raise _Interrupted(interrupted, sweep.id)
        for (name, point), report in zip(planned, sweep_runner.reports(sweep), strict=True):
            completed = report.exit_code == 0 and report.run
            failed += not completed
            runs.setdefault(name, {})[_seed(point)] = Run.open(Path(str(report.run))) if completed else None
        runs |= {name: runs[arms[arm.words]] for name, arm in claim.arms.items() if arm.verb == verb}
    return runs, failed


def _seed(point: compose.Point) -> int:
    seeds = [override.partition("=")[2] for override in point.words if override.startswith("seed=")]
    return int(seeds[-1])


def _seeds(points: Mapping[str, Sequence[compose.Point]]) -> list[int]:
    return [_seed(point) for point in next(iter(points.values()))]


def _values(claim: Claim, runs: Runs) -> dict[tuple[str, str], dict[int, float | None]]:
    """Values by seed of every pair of arm and metric in the relations."""
    return {
        (arm, name): {seed: _value(run, claim.metrics[name], claim.split) for seed, run in runs[arm].items()}
        for arm, name in compared_metrics(claim)
    }


def _value(run: Run | None, metric: ClaimMetric, split: str) -> float | None:
    if run is None:
        return None
    score = (run.record.scores(split) or {}).get(metric.of)
    if score is None or not metric.gap:
        return score
    return abs(score - evaluate_split(run, "train")[metric.of].mean)


def _unique(runs: Runs) -> list[Run]:
    """Completed runs without duplicates."""
    return list({run.path: run for by_seed in runs.values() for run in by_seed.values() if run is not None}.values())


def _run_seconds(run: Run) -> float:
    """Seconds from start to end of a run, child runs included."""
    return (datetime.fromisoformat(run.info["ended"]) - run.started).total_seconds()


def _ids(runs: Runs) -> dict[str, dict[str, str | None]]:
    return {arm: {str(seed): run.id if run else None for seed, run in by_seed.items()} for arm, by_seed in runs.items()}


def _environment(runs: Runs) -> dict[str, Any]:
    """Commits and machines of the runs, which may be older or from elsewhere, and the commit that judges them."""
    current, _ = describe("cpu", 1)
    recorded = [facts for run in _unique(runs) if (facts := results.load_json(run.path / "environment.json"))]
    machines = [facts | {"torch": (facts.get("packages") or {}).get("torch")} for facts in recorded or [current]]
    return {
        "commit": current["commit"],
        "dirty": current["dirty"] or any(facts.get("dirty") for facts in recorded),
        "commits": sorted({str(facts.get("commit")) for facts in recorded}),
        "machine": {name: _joined(machines, name) for name in ("processor", "cores", "platform", "python", "torch")},
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _joined(machines: Sequence[Mapping[str, Any]], name: str) -> Any:
    """Value of a field if all machines have the same, else the different values joined by `and`."""
    values = list(dict.fromkeys(facts.get(name) for facts in machines))
    return values[0] if len(values) == 1 else " and ".join(map(str, values))
