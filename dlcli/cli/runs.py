"""`dlcli runs` and `dlcli sweep`: manage run directories, resume sweeps."""

from typing import Annotated

import typer

from dlcli.cli.options import (
    OUT,
    DryRun,
    FailFast,
    Jobs,
    Json,
    Launcher,
    Out,
    Progress,
    Quiet,
    RequiredSelectors,
    Selectors,
    Yes,
    preload_workers,
)
from dlcli.cli.suggestions import CommandGroup

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Manage runs: delete, prune, tag.")
sweep_app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Resume a sweep.")


@app.command("rm")
def runs_rm(
    selectors: RequiredSelectors = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    out: Out = OUT,
    as_json: Json = False,
) -> int:
    """Delete run directories; running ones are refused."""
    from dlcli.commands.runs import prune as command

    return command.rm(selectors or [], out, command.Confirmation(dry_run, yes, as_json))


@app.command("prune")
def runs_prune(
    selectors: Selectors = None,
    status: Annotated[
        str | None,
        typer.Option(metavar="STATUS", help="Statuses, comma-separated. Default: failed,diverged,lost."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only runs unchanged for 12h, 30d, or since a date.")
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Delete only last.pt of completed runs, which resuming needs.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    out: Out = OUT,
    as_json: Json = False,
) -> int:
    """Delete failed, diverged and lost runs, or checkpoints that are no longer needed."""
    from dlcli.commands.runs import prune as command

    consent = command.Confirmation(dry_run, yes, as_json)
    return command.prune(selectors or [], out, status, older_than, checkpoints, consent)


@app.command("tag")
def runs_tag(
    selectors: RequiredSelectors = None,
    add: Annotated[list[str] | None, typer.Option("--add", metavar="TAG", help="Add a tag. Repeatable.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="TAG", help="Remove a tag. Repeatable.")
    ] = None,
    dry_run: DryRun = False,
    out: Out = OUT,
    as_json: Json = False,
) -> int:
    """Tag runs; select them with @TAG."""
    from dlcli.commands.runs import tag as command

    return command.main(selectors or [], out, add or [], remove or [], dry_run, as_json)


@sweep_app.command("resume")
def sweep_resume(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="Path, id prefix, or last.")],
    jobs: Jobs = None,
    launcher: Launcher = None,
    fail_fast: FailFast = False,
    out: Out = OUT,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Run the missing, failed and stopped runs of a sweep, from their checkpoints if there are any."""
    preload_workers(jobs, launcher)
    from dlcli.commands import run
    from dlcli.engine.options import Options
    from dlcli.launch.sweep_runner import LaunchOptions

    options = Options(out, show=progress, quiet=quiet)
    return run.resume_sweep(sweep, options, LaunchOptions(jobs=jobs, on=launcher, fail_fast=fail_fast), as_json)
