"""`dlcli data`: published data sets."""

from typing import Annotated

import typer

from dlcli.cli import completion
from dlcli.cli.options import Json
from dlcli.cli.suggestions import CommandGroup

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="List, download and verify published data sets.")


@app.command("list")
def data_list(as_json: Json = False) -> int:
    """List the data sets and whether they are downloaded."""
    from dlcli.commands import data as command

    return command.list_data_sets(as_json)


@app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set.", autocompletion=completion.datasets)],
) -> int:
    """Download a data set from its public URL and verify its SHA-256."""
    from dlcli.commands import data as command

    return command.fetch(name)


@app.command("verify")
def data_verify(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Data set. Default: all downloaded ones.", autocompletion=completion.datasets
        ),
    ] = None,
) -> int:
    """Verify the SHA-256 of downloaded files."""
    from dlcli.commands import data as command

    return command.verify(name)
