"""Command line: Typer commands that dispatch to `dlcli.commands`."""

from dlcli.cli.app import app, main

__all__ = ["app", "main"]
