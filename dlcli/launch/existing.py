"""`--skip-existing`: configurations for which an identical run has completed."""

from collections.abc import Iterable, Sequence
from typing import Any

from dlcli.config import compose
from dlcli.config.budget import settle_budget
from dlcli.config.identity import core, signature
from dlcli.core.errors import UsageError
from dlcli.engine.options import Options
from dlcli.report.comparison.identity import experiment, identity, origin
from dlcli.runs import selectors
from dlcli.runs.run import Run

_WEIGHTS = "--init-from"


def covering(
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
    finished: dict[tuple[str, Any], Run] = {}
    for run in selectors.scan(options.out) if among is None else among:
        if run.status == "completed" and not _has_other_initial_weights(run):
            finished.setdefault((experiment(run), run.info.get("seed")), run)
    keys = [_key(point) for point in points]
    return {index: finished[key] for index, key in enumerate(keys) if key in finished}


def _has_other_initial_weights(run: Run) -> bool:
    return origin(run) is not None or any(str(argument).startswith(_WEIGHTS) for argument in run.info.get("argv") or ())


def _key(point: compose.Point) -> tuple[str, int] | None:
    """Experiment and seed; None if the configuration is invalid, which its run will report."""
    try:
        config = settle_budget(point.resolved())
        core_hash = core(settle_budget(point.resolved(seed=0)))
    except UsageError:
        return None
    return identity(signature(core_hash, config["until"]), patience=config["patience"]), config["seed"]
