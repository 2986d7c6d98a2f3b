"""`dlcli list`: models, tasks, recipes, metrics, claims and runs."""

from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli.options import OUT, ConfigDirs, Csv, Json, Out, Selectors
from dlcli.cli.suggestions import CommandGroup

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="List models, tasks, recipes, metrics, claims or runs.")
Filter = Annotated[
    str | None, typer.Argument(metavar="TEXT", help="Only those whose name contains TEXT (case-insensitive).")
]


@app.command("models")
def list_models(text: Filter = None, config_dir: ConfigDirs = None, as_json: Json = False) -> int:
    """List the models, the values of `model=`."""
    return _list("model", text, config_dir, as_json)


@app.command("tasks")
def list_tasks(text: Filter = None, config_dir: ConfigDirs = None, as_json: Json = False) -> int:
    """List the tasks, the values of `task=`."""
    return _list("task", text, config_dir, as_json)


@app.command("recipes")
def list_recipes(text: Filter = None, config_dir: ConfigDirs = None, as_json: Json = False) -> int:
    """List the recipes: tested combinations of task, model and learner."""
    return _list("recipe", text, config_dir, as_json)


def _list(kind: str, text: str | None, config_dirs: list[Path] | None, as_json: bool) -> int:
    from dlcli.commands import list as command

    return command.members(kind, config_dirs or [], as_json, text or "")


@app.command("metrics")
def list_metrics(as_json: Json = False) -> int:
    """List the metrics with direction, target types or tasks, and unit; `task.metrics` selects the reported ones."""
    from dlcli.commands import list as command

    return command.metrics(as_json)


@app.command("claims")
def list_claims(config_dir: ConfigDirs = None, out: Out = OUT, as_json: Json = False) -> int:
    """List the claims of papers that can be reproduced, each with its latest verdict."""
    from dlcli.commands import list as command

    return command.claims(config_dir or [], out, as_json)


@app.command("runs")
def list_runs(
    selectors: Selectors = None,
    children: Annotated[bool, typer.Option("--children", help="Include child runs, e.g. trials of a search.")] = False,
    out: Out = OUT,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """List runs, newest first."""
    from dlcli.commands import list as command

    return command.runs(selectors or [], out, children, as_json, as_csv)
