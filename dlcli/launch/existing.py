"""`--skip-existing`: configurations for which an identical run has completed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlcli.config import compose
from dlcli.config.budget import solve_budget
from dlcli.config.identity import core, signature
from dlcli.core.errors import UsageError
from dlcli.engine.options import Options
from dlcli.report.comparison.identity import experiment, identity, origin
from dlcli.report.configuration import read_settings
from dlcli.runs import selectors
from dlcli.runs.run import Run

_WEIGHTS = "--init-from"


def completed_runs(
    points: Sequence[compose.Point], options: Options, among: Iterable[Run] | None = None
) -> dict[int, Run]:  # fmt: skip
    """Find the newest completed run with the same experiment and seed, by index of the configuration.

    Args:
        among: candidate runs, newest first; None is all runs below `options.out`.

    Raises:
        UsageError: with `--init-from`, since the initial weights are not part of an experiment's identity.
    """
    if options.init_from:
        raise UsageError(
            "conflict", first="--skip-existing", second=_WEIGHTS, reason="initial weights are not compared"
        )
    finished: dict[tuple[str, Any], list[Run]] = {}
    for run in selectors.scan(options.out) if among is None else among:
        if run.status == "completed" and not _has_other_initial_weights(run):
            finished.setdefault((experiment(run), run.info.get("seed")), []).append(run)
    covered = {}
    for index, point in enumerate(points):
        same = finished.get(key, []) if (key := _key(point)) is not None else []
        reporting = [run for run in same if _reports(run, point)]
        if reporting:
            covered[index] = reporting[0]
    return covered


def _reports(run: Run, point: compose.Point) -> bool:
    """True if the run has scores of every metric that `task.metrics` selects; null selects the task's defaults."""
    task = point.config.get("task")
    names = task.get("metrics") if isinstance(task, Mapping) else None
    if names is None:
        own = read_settings(run.path).get("task")
        return not isinstance(own, Mapping) or own.get("metrics") is None
    return set(names) <= set(run.record.scores("test") or ())


def _has_other_initial_weights(run: Run) -> bool:
    return origin(run) is not None or any(str(argument).startswith(_WEIGHTS) for argument in run.info.get("argv") or ())


def _key(point: compose.Point) -> tuple[str, int] | None:
    """Experiment and seed; None if the configuration is invalid, which its run will report."""
    try:
        config = solve_budget(point.resolved())
        core_hash = core(solve_budget(point.resolved(seed=0)))
    except UsageError:
        return None
    return identity(signature(core_hash, config["until"]), patience=config["patience"]), config["seed"]
