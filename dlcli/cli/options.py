"""Options and arguments that several commands share, and the old names of options."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli import completion

OVERRIDES_FIRST = {"ignore_unknown_options": True, "allow_interspersed_args": True}
"""Context settings of commands that take KEY=VALUE: unknown options reach the configuration, which explains them."""
OUT = Path("outputs")

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RECIPE | KEY=VALUE",
        help="Recipe, then settings (default: model=tcn task=sequential_digits). "
        "Several recipes (gru,tcn) or values (seed=0,1,2) start one run each.",
        autocompletion=completion.words,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Settings to change, e.g. task.path=new.csv.",
        autocompletion=completion.words,
    ),
]
_SELECTOR_HELP = "Path, id prefix, position (1 is the newest), @TAG or last."
Selector = Annotated[str, typer.Argument(metavar="RUN", help=_SELECTOR_HELP, autocompletion=completion.runs)]
Selectors = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN", help=f"{_SELECTOR_HELP} Default: all runs.", autocompletion=completion.runs),
]
RequiredSelectors = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN", help=f"{_SELECTOR_HELP} At least one.", autocompletion=completion.runs),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of run directories.")]
ConfigDirs = Annotated[
    list[Path] | None,
    typer.Option("--config-dir", metavar="DIR", help="Folder of your own YAML files; precedes ./conf."),
]
Progress = Annotated[str, typer.Option("--progress", metavar="MODE", help="Progress display: auto, bar, plain, none.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Verbose; show tracebacks.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done; change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Skip the confirmation prompt.")]
Json = Annotated[bool, typer.Option("--json", help="Write only JSON to standard output.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write only CSV to standard output.")]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="Display name.")]
Tags = Annotated[list[str] | None, typer.Option(metavar="TAG", help="Tag; select with @TAG. Repeatable.")]
Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", help="Maximum number of runs in parallel.")]
Launcher = Annotated[
    str | None, typer.Option("--launcher", metavar="NAME", help="Where runs are executed: local, ray or slurm.")
]
FailFast = Annotated[bool, typer.Option("--fail-fast/--keep-going", help="Stop all runs at the first failure.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Skip runs for which an identical run has already completed.")
]

RENAMED = {
    "--on": "--launcher",
    "--needed": "--skip-existing",
    "--anew": "--fresh",
    "--randomised": "--randomized",
}
"""Old names of options, by the present ones; the old ones are accepted with a note."""


def with_new_names(arguments: Sequence[str]) -> list[str]:
    """The arguments with old option names replaced; each replacement is noted on standard error."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    renamed = list(arguments)
    for index, argument in enumerate(arguments[:end]):
        old, equals, value = argument.partition("=")
        if old in RENAMED:
            print(f"note: {old} is now {RENAMED[old]}", file=sys.stderr)  # noqa: T201
            renamed[index] = f"{RENAMED[old]}{equals}{value}"
    return renamed


def preload_workers(jobs: int | None, launcher: str | None) -> None:
    """Start the process server of parallel local runs, which imports PyTorch while this process does."""
    if jobs is not None and jobs > 1 and launcher in (None, "local"):
        from dlcli.launch.local import start_process_server

        start_process_server("dlcli.launch.run_job")
