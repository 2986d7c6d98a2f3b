"""`dlcli evolve`: train a population without gradients."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.config import compose
from dlcli.engine.estimate import estimate_training
from dlcli.engine.options import Options
from dlcli.engine.resume import resume
from dlcli.engine.train import train as start
from dlcli.runs.run import Run

__all__ = ["estimate", "points", "print_result", "resume", "start"]


def points(overrides: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[compose.Point]:
    """Compose the evolution runs that the overrides describe."""
    return compose.expand("evolve", overrides, extra=options.extra, smoke=options.smoke, zips=zips)


def estimate(point: compose.Point, options: Options) -> Mapping[str, Any]:
    """Estimate sizes and time of an evolution run from a few generations."""
    return estimate_training(point)


def print_result(run: Run) -> None:
    """Print nothing: the summary of the run is complete."""
