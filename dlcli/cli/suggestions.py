"""The dlcli command for a command that does not exist: words from other tools, misspellings, missing arguments."""

from collections.abc import Iterable, Sequence
from typing import Any

from typer.core import TyperGroup

from dlcli.cli import options
from dlcli.config import catalogue
from dlcli.core.errors import UsageError

_PREDICT = "predict RUN FILE"
OTHER_WORDS = {
    "": {
        "models": "list models", "tasks": "list tasks", "recipes": "list recipes", "claims": "list claims",
        "ls": "list runs", "infer": _PREDICT, "inference": _PREDICT,
        "test": "eval RUN", "evaluate": "eval RUN", "validate": "eval RUN", "score": "eval RUN",
        "tune": "search tpe model=MODEL", "hpo": "search tpe model=MODEL", "optimize": "search tpe model=MODEL",
        "fit": "train model=MODEL", "run": "train model=MODEL", "resume": "train --resume RUN",
        "sample": "eval RUN --draw N --to FILE.png", "generate": "eval RUN --draw N --to FILE.png",
        "explain": "show RUN --explain", "inspect": "show RUN", "info": "show RUN", "summary": "compare models",
        "plot": "compare runs --plot FILE.png", "benchmark": "compare models",
        "rm": "runs rm RUN", "delete": "runs rm RUN", "remove": "runs rm RUN", "tag": "runs tag RUN --add TAG",
        "prune": "runs prune", "clean": "runs prune", "datasets": "data list", "dataset": "data list",
        "fetch": "data fetch NAME", "download": "data fetch NAME", "query": "sketch query RUN QUESTION",
        "stream": "sketch stream PATH", "version": "--version",
    },
    "list": {"data": "data list", "datasets": "data list", "data-sets": "data list"},
    "runs": {
        "list": "list runs", "ls": "list runs", "delete": "runs rm RUN", "remove": "runs rm RUN",
        "show": "show RUN", "compare": "compare runs", "clean": "runs prune", "resume": "train --resume RUN",
    },
    "sweep": {"list": "list runs", "ls": "list runs", "run": "train model=MODEL seed=0,1,2"},
    "data": {"download": "data fetch NAME", "get": "data fetch NAME", "ls": "data list", "check": "data verify"},
    "compare": {},
}  # fmt: skip
"""By group of commands ("" is the root): commands of other tools, and dlcli's own."""


class CommandGroup(TyperGroup):
    """A group of commands that answers unknown ones with the command to type."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self._is_unknown(ctx, args):
            names = [] if ctx.parent is None else [str(ctx.info_name)]
            raise unknown_command(names, args, self.list_commands(ctx))
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, rest if ctx.resilient_parsing else normalized(command, rest)

    def _is_unknown(self, ctx: Any, args: Sequence[str]) -> bool:
        if ctx.resilient_parsing or not args or args[0].startswith("-"):
            return False
        return self.get_command(ctx, args[0]) is None


def normalized(command: Any, arguments: Sequence[str]) -> list[str]:
    """The arguments of a command with old option names replaced; a trailing `help` is `--help`."""
    if arguments[-1:] == ["help"]:
        subcommands = getattr(command, "commands", {})
        if all(argument in subcommands for argument in arguments[:-1]):
            return [*arguments[:-1], "--help"]
    return options.with_new_names(arguments)


def unknown_command(group: Sequence[str], arguments: Sequence[str], known: Iterable[str]) -> UsageError:
    """The error for an unknown command, with the command to type if one is certain.

    Args:
        group: the group's words, such as ["runs"]; empty at the root.
        arguments: what the user typed after them; the first is unknown.
        known: the commands of the group.
    """
    hint = command_to_type(" ".join(group), arguments)
    name = " ".join([*group, arguments[0]])
    if hint is not None:
        return UsageError("unknown_name", kind="command", name=name, hint=hint)
    own = [" ".join([*group, command]) for command in known]
    return UsageError("unknown_name", kind="command", name=name, known=own, hint=f"Help: {_dlcli(group)} -h")


def command_to_type(group: str, arguments: Sequence[str]) -> str | None:
    """The command to type instead of `dlcli GROUP ARGUMENTS...`, or None if none is certain."""
    word, following = arguments[0].lower(), [argument for argument in arguments[1:] if not argument.startswith("-")]
    if word in OTHER_WORDS.get(group, {}):
        return f"Type: dlcli {_filled(OTHER_WORDS[group][word], following)}"
    if group == "data" and word in catalogue.registry("data"):
        return f"Type: dlcli data fetch {word}"
    models = {name.lower(): name for name in catalogue.members("model")}
    if group == "compare":
        names = [argument for argument in arguments if not argument.startswith("-")]
        if not all(name.lower() in models for name in names):
            return f"Type: dlcli compare runs {' '.join(names)}" if len(names) > 1 else None
        chosen = ",".join(models[name.lower()] for name in names)
        return (
            f"Size and speed without training: dlcli compare models model={chosen}\nFinished runs: dlcli compare runs"
        )
    if group == "" and word in models:
        return f"Type: dlcli train model={models[word]}"
    if group == "":
        verb = next((verb for verb, recipe, _ in catalogue.recipes() if recipe == word), None)
        return f"Type: dlcli {verb} {word}" if verb else None
    return None


def _filled(command: str, following: Sequence[str]) -> str:
    """A command with what the user typed in place of its first placeholder."""
    if not following:
        return command
    for placeholder in ("RUN", "NAME"):
        if placeholder in command.split():
            return command.replace(placeholder, following[0], 1)
    if command.endswith("model=MODEL"):
        return f"{command.removesuffix('model=MODEL')}{' '.join(following)}"
    return f"{command} {' '.join(following)}" if command.startswith("list ") else command


def missing_argument(error: Any) -> str:
    """The text of a missing argument or option: its help, and the names to choose from."""
    parameter = error.param
    name = parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0]
    name = name or parameter.name.upper()
    text = f"{name} is required: {getattr(parameter, 'help', '') or name}"
    known = [item.value for item in parameter.shell_complete(error.ctx, "")][:12]
    return f"{text}\nAvailable: {', '.join(known)}" if known else text


def help_line(ctx: Any) -> str:
    """How the help of the command of a context is shown."""
    names: list[str] = []
    while ctx is not None and ctx.parent is not None:
        names.insert(0, str(ctx.info_name))
        ctx = ctx.parent
    return f"Help: {_dlcli(names)} -h"


def _dlcli(names: Iterable[str]) -> str:
    return " ".join(["dlcli", *names])
