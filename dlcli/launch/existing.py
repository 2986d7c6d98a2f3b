"""Which points an equal finished run covers."""

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
    """The newest completed run of equal experiment and seed, by the place of the point that it covers.

    Args:
        among: the newest first; None is all that there are.

    Raises:
        UsageError: the runs would start from the weights of another, which nothing tells before they begin.
    """
    if options.init_from:
        raise UsageError(f"--needed cannot tell which runs began with the same weights: not with {_WEIGHTS}")
    finished: dict[tuple[str, Any], Run] = {}
    for run in selectors.scan(options.out) if among is None else among:
        if run.status == "completed" and not _began_elsewhere(run):
            finished.setdefault((experiment(run), run.info.get("seed")), run)
    keys = [_key(point) for point in points]
    return {place: finished[key] for place, key in enumerate(keys) if key in finished}


def _began_elsewhere(run: Run) -> bool:
    return origin(run) is not None or any(str(word).startswith(_WEIGHTS) for word in run.info.get("argv") or ())


def _key(point: compose.Point) -> tuple[str, int] | None:
    """Experiment and seed; None of a configuration that cannot be built, which its run will say."""
    try:
        config = settle_budget(point.resolved())
        hashed = core(settle_budget(point.resolved(seed=0)))
    except UsageError:
        return None
    return identity(signature(hashed, config["until"]), patience=config["patience"]), config["seed"]
