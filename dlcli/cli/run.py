"""Commands that start runs, train, evolve, search and sketch, and `config`, which prints their configuration."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from dlcli.cli.options import (
    OUT,
    OVERRIDES_FIRST,
    ConfigDirs,
    FailFast,
    Jobs,
    Json,
    Launcher,
    Name,
    Out,
    Overrides,
    Progress,
    Quiet,
    SkipExisting,
    Tags,
    Verbose,
    preload_workers,
)
from dlcli.core.errors import UsageError

HELP = {
    "train": "Train a model on a task; the shortest command is `dlcli train model=tcn`.",
    "evolve": "Evolve a model by a genetic algorithm, an evolution strategy or novelty search: `dlcli evolve novelty`.",
    "search": "Search architectures or hyper-parameters, with random search as baseline: `dlcli search tpe model=tcn`.",
    "sketch": "Sketch the activations of a network for `dlcli sketch query`: `dlcli sketch from=RUN`.",
}
"""The commands that start runs; their arguments and options are the same."""
_SHARED = ("evolve", "search")
"""Commands whose single run distributes its own work over `--jobs` workers."""
_OVER_HELP = "Key to search over: interval(LOW,HIGH), range(A,B,STEP) or choice(A,B). Repeatable."


def register(app: typer.Typer) -> None:
    """Add the commands to the root."""
    for verb, text in HELP.items():
        app.command(verb, help=text, context_settings=OVERRIDES_FIRST)(_run_command(verb))
    app.command(context_settings=OVERRIDES_FIRST)(config)


def _check_options(verb: str, over: list[str] | None, from_search: str | None) -> None:
    if over and verb != "search":
        hint = f"dlcli {verb} takes one value, or several with commas (KEY=1,2)."
        raise UsageError("requires", key="--over", requirement="dlcli search", hint=hint)
    if from_search is not None and verb != "train":
        raise UsageError("requires", key="--from-search", requirement="dlcli train")


def _run_command(verb: str) -> Callable[..., int]:
    """The Typer function of a command that starts runs."""

    def run(
        overrides: Overrides = None,
        resume: Annotated[
            str | None, typer.Option(metavar="RUN", help="Resume a run from its last checkpoint.")
        ] = None,
        init_from: Annotated[
            str | None, typer.Option(metavar="RUN", help="Initialize the weights from the best checkpoint of a run.")
        ] = None,
        from_run: Annotated[
            str | None, typer.Option("--from", metavar="RUN", help="Use the configuration of a run, with changes.")
        ] = None,
        smoke: Annotated[bool, typer.Option("--smoke", help="The recipe's one-second version.")] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print size and estimated time; start nothing.")
        ] = False,
        multirun: Annotated[
            bool, typer.Option("--multirun", "-m", help="Accepted for Hydra users; several values always start runs.")
        ] = False,
        seeds: Annotated[
            str | None, typer.Option(metavar="SEEDS", help="Several seeds: 6 or 0:6 for seeds 0 to 5, or 3,5.")
        ] = None,
        zips: Annotated[
            list[str] | None,
            typer.Option("--zip", metavar="'A=1,2 B=3,4'", help="Vary keys together: first values, second values ..."),
        ] = None,
        over: Annotated[
            list[str] | None,
            typer.Option(metavar="'KEY=interval(LOW,HIGH)'", help=_OVER_HELP, hidden=verb != "search"),
        ] = None,
        from_search: Annotated[
            str | None,
            typer.Option(metavar="RUN", help="Train the result of a search from scratch.", hidden=verb != "train"),
        ] = None,
        jobs: Jobs = None,
        launcher: Launcher = None,
        fail_fast: FailFast = False,
        skip_existing: SkipExisting = False,
        name: Name = None,
        tag: Tags = None,
        out: Out = OUT,
        config_dir: ConfigDirs = None,
        progress: Progress = "auto",
        quiet: Quiet = False,
        verbose: Verbose = False,
        as_json: Json = False,
    ) -> int:
        _check_options(verb, over, from_search)
        from dlcli.launch.distributed import worker

        if worker.is_torchrun_worker():
            worker.under_torchrun()
        preload_workers(jobs, launcher)
        from dlcli.commands import run
        from dlcli.engine.options import Options
        from dlcli.launch.sweep_runner import LaunchOptions

        ways = LaunchOptions(seeds, tuple(zips or ()), jobs, launcher, fail_fast, skip_existing, shared=verb in _SHARED)
        options = Options(
            out, name, tuple(tag or ()), progress, quiet, tuple(config_dir or ()), tuple(sys.argv[1:]),
            init_from=init_from, smoke=smoke, verb=verb, from_search=from_search,
        )  # fmt: skip
        typed = overrides or [] if from_run is None else run.from_saved_run(overrides or [], from_run, resume, options)
        typed = run.with_search_space(typed, over or [], resume, options)
        if dry_run:
            return run.dry_run(typed, options, as_json, ways)
        return run.main(typed, options, resume, as_json, verbose, ways)

    return run


def config(
    overrides: Overrides = None,
    verb: Annotated[str, typer.Option(metavar="COMMAND", help="train, evolve, search or sketch.")] = "train",
    reference: Annotated[bool, typer.Option("--reference", help="Print the reference of all top-level keys.")] = False,
    config_dir: ConfigDirs = None,
    as_json: Json = False,
) -> int:
    """Print the resolved configuration, with the source of each value."""
    if reference:
        from dlcli.config import schema

        sys.stdout.write(schema.reference())
        return 0
    from dlcli.commands import config as command

    return command.main(verb, overrides or [], config_dir or [], as_json)
