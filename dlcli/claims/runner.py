"""The arms of a claim as ordinary runs over seeds, and what they scored."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcli.claims import results
from dlcli.claims.claim import Arm, Claim
from dlcli.claims.claim_metric import Metric
from dlcli.claims.verdict_record import check_directions, judged, measured
from dlcli.config import build, compose, sweeps
from dlcli.config.budget import settle_budget
from dlcli.config.data_sets import complete
from dlcli.core.errors import Missing, UsageError
from dlcli.engine import run_commands
from dlcli.engine.device import choose_device
from dlcli.engine.evaluate import evaluate_split
from dlcli.engine.options import Options, listening
from dlcli.launch import sweep_runner
from dlcli.launch.sweep_runner import Ways
from dlcli.runs.environment import describe
from dlcli.runs.run import Run

Runs = Mapping[str, Mapping[int, Run | None]]
"""Arm -> seed -> its run; None where it failed."""

_ONE_THREAD = "threads=1"


@dataclass(frozen=True)
class Done:
    """What one claim came to: a result, or the exit code of what interrupted it; `failed` runs are counted.

    Args:
        sweep: the sweep that was interrupted.
        runs: which there are of it, for claims with equal arms.
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


def reproduce(claim: Claim, options: Options, ways: Ways, made: Sequence[Run] = ()) -> Done:
    """Run the arms over the seeds and judge; nothing is written but run directories.

    Args:
        made: runs of the claims before, which are not made again.

    Raises:
        UsageError: an arm cannot be composed or built, or its data are missing.
    """
    check_data(claim)
    began = time.monotonic()
    points = {arm.name: _points(arm, claim, options, ways) for arm in claim.arms.values()}
    for name, several in points.items():
        if claim.arms[name].verb != "sketch":  # which builds what it trains by itself
            _check(several[0])
    try:
        found, failed = _carried_out(claim, points, options, ways, made)
    except _Interrupted as stopped:
        return Done(None, stopped.exit_code, sweep=stopped.sweep)
    check_directions(claim, {arm: [run for run in several.values() if run] for arm, several in found.items()})
    scoring_began = time.monotonic()
    values = _values(claim, found)
    seconds = round(_seconds(found) + time.monotonic() - scoring_began, 1)
    result = judged(claim, values, seeds=_seeds(points))
    told = {"seconds": seconds, "wall": round(time.monotonic() - began, 1), "runs": _ids(found)}
    return Done(result | told | _surroundings(found), failed=failed, runs=tuple(_each(found)))


def check_data(claim: Claim) -> None:
    """Whether the data sets that it needs are here.

    Raises:
        Missing: which command fetches them.
    """
    if missing := lacking(claim):
        raise Missing(f"claim {claim.name} needs data that are not here\nGet them: {fetching(missing)}")


def lacking(claim: Claim) -> list[str]:
    """The data sets that it needs and that are not here."""
    return [name for name in claim.needs if not complete(name)]


def fetching(missing: Sequence[str]) -> str:
    """The commands that fetch data sets."""
    return " and ".join(f"dlcli data fetch {name}" for name in missing)


def _points(arm: Arm, claim: Claim, options: Options, ways: Ways) -> list[compose.Point]:
    """A run a seed."""
    word = sweeps.seeds(ways.seeds or str(claim.seeds))
    threads = [_ONE_THREAD] if arm.verb in ("train", "sketch") else []
    points = run_commands.points([*arm.words, *threads, word], replace(options, verb=arm.verb))
    if len(points) != word.count(",") + 1:
        raise UsageError(f"claim {claim.name}: arms.{arm.name}: an override has several values")
    return points


def _check(point: compose.Point) -> None:
    """Whether it can be built, before the first arm has taken its minutes."""
    config = settle_budget(point.resolved())
    with listening(quiet=True):
        build.build(config, choose_device(config["device"]))


def _carried_out(
    claim: Claim, points: Mapping[str, Sequence[compose.Point]], options: Options, ways: Ways, before: Sequence[Run]
) -> tuple[Runs, int]:
    """All runs, a sweep a verb; arms of equal words share them.

    Raises:
        _Interrupted: by a signal.
    """
    found: dict[str, dict[int, Run | None]] = {}
    failed = 0
    for verb in dict.fromkeys(arm.verb for arm in claim.arms.values()):
        arms = {arm.words: name for name, arm in claim.arms.items() if arm.verb == verb}
        asked = [(name, point) for name in arms.values() for point in points[name]]
        own = replace(options, verb=verb, name=claim.name)
        made = sweep_runner.create([point for _, point in asked], own, ways, before)
        try:
            interrupted = sweep_runner.carry_out(made, own, ways)
        finally:
            made.let_go()
        if interrupted is not None:
            raise _Interrupted(interrupted, made.id)
        for (name, point), report in zip(asked, sweep_runner.reports(made), strict=True):
            whole = report.exit_code == 0 and report.run
            failed += not whole
            found.setdefault(name, {})[_seed(point)] = Run.open(Path(str(report.run))) if whole else None
        found |= {name: found[arms[arm.words]] for name, arm in claim.arms.items() if arm.verb == verb}
    return found, failed


def _seed(point: compose.Point) -> int:
    return next(int(word.partition("=")[2]) for word in reversed(point.words) if word.startswith("seed="))


def _seeds(points: Mapping[str, Sequence[compose.Point]]) -> list[int]:
    return [_seed(point) for point in next(iter(points.values()))]


def _values(claim: Claim, found: Runs) -> dict[tuple[str, str], dict[int, float | None]]:
    """What is compared, of every arm and metric that a relation speaks of."""
    return {
        (arm, name): {seed: _value(run, claim.metrics[name], claim.split) for seed, run in found[arm].items()}
        for arm, name in measured(claim)
    }


def _value(run: Run | None, metric: Metric, split: str) -> float | None:
    if run is None:
        return None
    score = (run.record.scores(split) or {}).get(metric.of)
    if score is None or not metric.gap:
        return score
    return abs(score - evaluate_split(run, "train")[metric.of].mean)


def _each(found: Runs) -> list[Run]:
    """Every run once."""
    return list({run.path: run for several in found.values() for run in several.values() if run is not None}.values())


def _seconds(found: Runs) -> float:
    """From start to end of every run, whenever it was made; what runs inside it took counts."""
    return sum(map(_took, _each(found)))


def _took(run: Run) -> float:
    return (datetime.fromisoformat(run.info["ended"]) - run.started).total_seconds()


def _ids(found: Runs) -> dict[str, dict[str, str | None]]:
    return {
        arm: {str(seed): run.id if run else None for seed, run in several.items()} for arm, several in found.items()
    }


def _surroundings(found: Runs) -> dict[str, Any]:
    """Code and machine of the runs, which may have been made earlier and elsewhere; and the code that judges."""
    here, _ = describe("cpu", 1)
    there = [known for run in _each(found) if (known := results.plain(run.path / "environment.json"))]
    told = [one | {"torch": (one.get("packages") or {}).get("torch")} for one in there or [here]]
    return {
        "commit": here["commit"],
        "dirty": here["dirty"] or any(one.get("dirty") for one in there),
        "commits": sorted({str(one.get("commit")) for one in there}),
        "machine": {name: _all(told, name) for name in ("processor", "cores", "platform", "python", "torch")},
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _all(several: Sequence[Mapping[str, Any]], name: str) -> Any:
    """A value that all have, or every one of them in words."""
    values = list(dict.fromkeys(one.get(name) for one in several))
    return values[0] if len(values) == 1 else " and ".join(map(str, values))
