"""Root of the command line: registration of the commands, errors and exit codes.

Only names are imported here; each command imports PyTorch, Hydra and pandas when it is called.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from dlcli.cli import compare, data, inspect, reproduce, run, runs, streams, suggestions
from dlcli.cli import list as listing
from dlcli.core.errors import DISTRIBUTION, UsageError

_CLICK_ERROR: Any = typer.BadParameter.__mro__[2]  # ClickException, which newer versions of Typer vendor


class RootGroup(suggestions.CommandGroup):
    """Root group: commands of two words, and errors as a few lines on standard error and an exit code."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = " ".join(args[:2])
        if len(args) > 1 and (command := self.get_command(ctx, name)) is not None:
            return name, command, suggestions.normalized(command, args[2:])
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete one word at a time: commands of two words are completed by their first command."""
        return [item for item in super().shell_complete(ctx, incomplete) if " " not in item.value]

    def main(self, args: Any = None, *rest: Any, standalone_mode: bool = True, **more: Any) -> Any:
        invoke = partial(super().main, args, *rest, **more | {"standalone_mode": False})
        return sys.exit(exit_code(invoke)) if standalone_mode else invoke()


def exit_code(invoke: Callable[[], Any]) -> int:
    """Run a command and return its exit code; exceptions are printed as one to five lines."""
    try:
        code = invoke()
        sys.stdout.flush()
    except UsageError as error:
        return _print_error(str(error), 2)
    except _CLICK_ERROR as error:
        return _print_error(_click_text(error), 2)
    except (typer.Abort, KeyboardInterrupt):
        return _print_error("interrupted", 130)
    except BrokenPipeError:
        return _discard_output()
    except SystemExit:
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":  # click's sign of a closed pipe
            return _discard_output()
        raise
    except MemoryError:
        return _print_error("out of memory", 4)
    except OSError as error:
        prefix = f"{error.filename}: " if error.filename else ""
        return _print_error(f"{prefix}{error.strerror or error}", getattr(error, "exit_code", 2))
    return code if isinstance(code, int) else 0


def _click_text(error: Any) -> str:
    ctx = getattr(error, "ctx", None)
    if type(error).__name__ == "MissingParameter" and ctx is not None and error.param is not None:
        return f"{suggestions.missing_argument(error)}\n{suggestions.help_line(ctx)}"
    text = error.format_message()
    return f"{text}\n{suggestions.help_line(ctx)}" if text and ctx is not None else text


def _discard_output() -> int:
    """Send the remaining output to the null device: the reader closed the pipe, and Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _print_error(text: str, code: int) -> int:
    shown = [line for line in text.strip().splitlines() if line.strip()][:5]
    if shown:
        print("dlcli: " + "\n       ".join(shown), file=sys.stderr)  # noqa: T201
    return code


app = typer.Typer(
    cls=RootGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train, evaluate and compare deep-learning models under fixed splits, seeds and budgets.",
)
for commands in (run, inspect, reproduce, streams):
    commands.register(app)
app.add_typer(listing.app, name="list")
app.add_typer(compare.app, name="compare")
app.add_typer(runs.app, name="runs")
app.add_typer(runs.sweep_app, name="sweep")
app.add_typer(data.app, name="data")


@app.command()
def trust(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder. Without it: list the trusted folders.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the folder from the list.")] = False,
) -> int:
    """Allow plug-in code of a folder to be imported by every command."""
    from dlcli.commands import trust as command

    return command.main(folder, remove)


@app.command("help")
def show_help(
    ctx: typer.Context,
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="E.g. train, or runs rm.")] = None,
) -> None:
    """Show the help of a command; also COMMAND -h."""
    root: Any = ctx.find_root().command
    root.main([*(command or []), "--help"], prog_name="dlcli", standalone_mode=False)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Print the version if requested; the help of the program stands in `app`."""
    if version:
        from importlib.metadata import version as installed_version

        print(f"dlcli {installed_version(DISTRIBUTION)}")  # noqa: T201
        raise typer.Exit


def main() -> None:
    """Run the console script."""
    app()
