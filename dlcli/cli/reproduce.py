"""`dlcli reproduce`: claims of papers."""

import sys
from typing import Annotated

import typer

from dlcli.cli import completion
from dlcli.cli.options import OUT, ConfigDirs, Jobs, Json, Launcher, Out, Progress, Quiet, preload_workers
from dlcli.core.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(reproduce)


def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="CLAIM", help="Claims. Default: list all.", autocompletion=completion.claims),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Run every claim (of the tier, with --tier).")] = False,
    tier: Annotated[str | None, typer.Option(metavar="TIER", help="Only claims of: minutes, hour or gpu.")] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="SEEDS", help="Seeds in place of the claim's: 6 or 0:6 for seeds 0 to 5.")
    ] = None,
    jobs: Jobs = None,
    launcher: Launcher = None,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing/--fresh", help="Skip runs for which an identical run has completed, or run all again."
        ),
    ] = False,
    docs: Annotated[bool, typer.Option("--docs", help="Regenerate docs/claims.md and docs/systems.md.")] = False,
    out: Out = OUT,
    config_dir: ConfigDirs = None,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Test claims of papers: run all arms over seeds and test the relation. Exit code 6 if it does not hold."""
    run_options = {
        "--seeds": seeds, "--jobs": jobs, "--launcher": launcher, "--skip-existing": skip_existing, "--quiet": quiet,
        "--progress": progress != "auto",
    }  # fmt: skip
    if docs:
        selecting = {"--all": everything, "--tier": tier, "--json": as_json, "--config-dir": config_dir}
        _check_unused("--docs", selecting | run_options | {" ".join(names or ()): names})
        from dlcli.commands import reproduce as command

        return command.write_pages()
    if not (names or everything):
        given = [option for option, value in run_options.items() if value]
        if given:
            raise UsageError("requires", key=", ".join(given), requirement="CLAIM or --all")
        from dlcli.commands import list as listing

        return listing.claims(config_dir or [], out, as_json, tier)
    preload_workers(jobs, launcher)
    from dlcli.commands import reproduce as command
    from dlcli.engine.options import Options
    from dlcli.launch.sweep_runner import LaunchOptions

    options = Options(out, show=progress, quiet=quiet, extra=tuple(config_dir or ()), argv=tuple(sys.argv[1:]))
    chosen = command.ClaimSelection(tuple(names or ()), everything, tier)
    return command.main(chosen, options, LaunchOptions(seeds, (), jobs, launcher, needed=skip_existing), as_json)


def _check_unused(option: str, others: dict[str, object]) -> None:
    """Raise UsageError if an option is given that `option` would ignore."""
    given = [name for name, value in others.items() if value]
    if given:
        raise UsageError("conflict", first=option, second=", ".join(given), reason="no claim is run")
