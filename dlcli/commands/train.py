"""`dlcli train`: fit a model to a task, evaluate the best checkpoint once and write a run directory."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.config import compose, search_points
from dlcli.engine.estimate import estimate_training
from dlcli.engine.options import Options
from dlcli.engine.resume import resume
from dlcli.engine.train import train as start
from dlcli.runs.run import Run

__all__ = ["estimate", "points", "print_result", "resume", "start"]


def points(overrides: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """Compose the training runs; with `from_search`, of the best configuration of a search."""
    if options.from_search is not None:
        return search_points.compose_result(options.from_search, overrides, options.out, options.extra)
    return compose.expand("train", overrides, extra=options.extra, smoke=options.smoke, zips=zips)


def estimate(point: compose.Point, options: Options) -> Mapping[str, Any]:
    """Estimate sizes and time of a training run from a few steps."""
    return estimate_training(point)


def print_result(run: Run) -> None:
    """Print nothing: the summary of the run is complete."""
