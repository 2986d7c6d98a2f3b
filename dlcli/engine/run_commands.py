"""Dispatch of a run to the command that starts runs of its kind."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from dlcli.config.compose import Point
from dlcli.engine.options import Options
from dlcli.runs.run import Run


class RunCommand(Protocol):
    """Interface of a module `dlcli.commands.NAME` for which `dlcli NAME` starts runs."""

    def points(self, overrides: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[Point]:
        """Compose the configurations that the overrides describe."""
        ...

    def start(self, point: Point, options: Options) -> Run:
        """Execute a run of one configuration and return it."""
        ...

    def resume(self, selector: str, overrides: Sequence[str], options: Options) -> Run:
        """Resume a run and return it when it has ended."""
        ...

    def estimate(self, point: Point, options: Options) -> Mapping[str, Any]:
        """Estimate sizes and duration of a run without starting it: one row of `--dry-run`."""
        ...

    def print_result(self, run: Run) -> None:
        """Print the results of a completed run that its summary does not contain."""
        ...


def run_command(name: str) -> RunCommand:
    """Import the command of this name: train, evolve, search or sketch."""
    return cast(RunCommand, import_module(f"dlcli.commands.{name}"))


def points(overrides: Sequence[str], options: Options, zips: Sequence[str] = ()) -> list[Point]:
    """Compose the configurations that the overrides describe for the command `options.verb`."""
    return run_command(options.verb).points(overrides, options, zips)


def start(point: Point, options: Options) -> Run:
    """Execute a run of one configuration and return it."""
    return run_command(point.verb).start(point, options)


def resume(selector: str, overrides: Sequence[str], options: Options) -> Run:
    """Resume a run and return it when it has ended."""
    return run_command(options.verb).resume(selector, overrides, options)
