"""Suggestions for arguments of other libraries and common mistakes: the command or key to type instead."""

from pathlib import Path

from dlcli.config import catalogue, schema
from dlcli.core.errors import SYNONYMS, UsageError

SHORT = (*schema.SHORT, *schema.SHORT_FIXED)
_TASKS = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".npy": "npz", ".txt": "text"}
_PRECISIONS = {"bf16": "bfloat16", "fp16": "float16", "amp": "bfloat16"}
_TRUE = ("true", "1", "yes", "on", "VALUE")


def equivalent(key: str, value: str) -> str | None:
    """Return dlcli's override for a key of another library (`learning_rate=0.1`: `lr=0.1`); None if there is none."""
    name = key.lower().replace("-", "_")
    if name in ("gpus", "gpu", "num_gpus"):
        parallel = value.isdigit() and int(value) > 1
        return f"device=cuda devices={value}" if parallel else "device=cpu" if value == "0" else "device=cuda"
    if name == "accelerator":
        return f"device={'cuda' if value in ('gpu', 'VALUE') else value}"
    if name in _PRECISIONS and value.lower() in _TRUE:
        return f"precision={_PRECISIONS[name]}"
    new_key = SYNONYMS.get(name)
    head = (new_key or "").partition(".")[0]
    is_key = new_key and " " not in new_key and (head in schema.keys_of() or head in SHORT)
    return f"{new_key}={value}" if is_key else None


def option_error(word: str) -> UsageError:
    """Return the error for an override with dashes (`--lr=1`)."""
    key, _, value = word.lstrip("-").partition("=")
    last = key.rpartition(".")[2]
    override = equivalent(key, value or "VALUE") or f"{last if last in SHORT else key}={value or 'VALUE'}"
    return UsageError("unknown_key", key=word, hint=f"Overrides are written key=value, without dashes: {override}")


def argument_error(word: str) -> UsageError:
    """Return the error for an argument after the first that is not `key=value`."""
    return UsageError(
        "invalid_value", key="override", must="key=value (a recipe is the first argument)", got=word,
        hint=member_override(word) or "",
    )  # fmt: skip


def check_first(overrides: list[str], command: str, extra: tuple[Path, ...]) -> None:
    """Check the first argument of a command, which should be a recipe.

    Raises:
        UsageError: it is a group (`model tcn`), a YAML file (`tcn.yaml`) or a data file (`sales.csv`); the hint is the
            command to type.
    """
    first, path = overrides[0], Path(overrides[0])
    recipes = catalogue.members(f"experiment/{command}", extra)
    if first in recipes:
        return
    following = overrides[1] if len(overrides) > 1 and "=" not in overrides[1] else "NAME"
    if first in schema.groups(command) or first in schema.SHORT_GROUPS:
        raise UsageError("unknown_name", kind="recipe", name=first, hint=f"dlcli {command} {first}={following}")
    if path.suffix in (".yaml", ".yml"):
        if path.stem in recipes:
            hint = f"Recipes are named without folder and extension: dlcli {command} {path.stem}"
        else:
            file = f"DIR/experiment/{command}/{path.name}"
            hint = f"A saved configuration: dlcli train RUN/config.yaml; your own recipes: --config-dir DIR with {file}"
        raise UsageError("unknown_name", kind="recipe", name=first, hint=hint)
    if path.suffix in _TASKS:
        task = _TASKS[path.suffix]
        more = " task.target=COLUMN" if task == "csv" else ""
        raise UsageError(
            "unknown_name", kind="recipe", name=first,
            hint=f"Data files: dlcli {command} task={task} task.path={first}{more} model=MODEL",
        )  # fmt: skip


def member_override(word: str) -> str | None:
    """Return the override that selects a model, task or learner of this name; None if there is none."""
    for group in ("model", "task", "learner"):
        for name in catalogue.members(group):
            if name.lower() == word.lower():
                return f"{group}={name}"
    return None
