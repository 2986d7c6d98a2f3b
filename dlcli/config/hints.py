"""What a newcomer's words mean in dlcli: the command or key to type instead."""

from pathlib import Path

from dlcli.config import catalogue, schema
from dlcli.core.errors import SYNONYMS, UsageError

SHORT = (*schema.SHORT, *schema.SHORT_FIXED)
_FILES = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".npy": "npz", ".txt": "text"}
_MIXED = {"bf16": "bfloat16", "fp16": "float16", "amp": "bfloat16"}
_YES = ("true", "1", "yes", "on", "VALUE")


def equivalent(key: str, value: str) -> str | None:
    """dlcli's setting for another library's key: `learning_rate=0.1` is `lr=0.1`; None if there is none."""
    low = key.lower().replace("-", "_")
    if low in ("gpus", "gpu", "num_gpus"):
        many = value.isdigit() and int(value) > 1
        return f"device=cuda learner.devices={value}" if many else "device=cpu" if value == "0" else "device=cuda"
    if low == "accelerator":
        return f"device={'cuda' if value in ('gpu', 'VALUE') else value}"
    if low in _MIXED and value.lower() in _YES:
        return f"precision={_MIXED[low]}"
    own = SYNONYMS.get(low)
    head = (own or "").partition(".")[0]
    return f"{own}={value}" if own and " " not in own and (head in schema.keys_of() or head in SHORT) else None


def of_option(word: str) -> UsageError:
    """The error for `--lr=1`: settings have no dashes."""
    key, _, value = word.lstrip("-").partition("=")
    last = key.rpartition(".")[2]
    shown = equivalent(key, value or "VALUE") or f"{last if last in SHORT else key}={value or 'VALUE'}"
    return UsageError("unknown_key", key=word, hint=f"Settings are written key=value, without dashes: {shown}")


def of_bare(word: str) -> UsageError:
    """The error for a word that is neither a recipe at the first position nor `key=value`."""
    return UsageError(
        "invalid_value", key="override", must="key=value (the one recipe is the first word)", got=word,
        hint=named(word) or "",
    )  # fmt: skip


def check_first(words: list[str], command: str, extra: tuple[Path, ...]) -> None:
    """Check that the first word can be a recipe: `model tcn`, `tcn.yaml` and `sales.csv` are answered.

    Raises:
        UsageError: it cannot, with the command to type.
    """
    first, path = words[0], Path(words[0])
    recipes = catalogue.members(f"experiment/{command}", extra)
    if first in recipes:
        return
    following = words[1] if len(words) > 1 and "=" not in words[1] else "NAME"
    if first in schema.groups(command) or first in schema.SHORT_GROUPS:
        raise UsageError("unknown_name", kind="recipe", name=first, hint=f"dlcli {command} {first}={following}")
    if path.suffix in (".yaml", ".yml"):
        if path.stem in recipes:
            hint = f"Recipes are named without folder and ending: dlcli {command} {path.stem}"
        else:
            own = f"DIR/experiment/{command}/{path.name}"
            hint = f"A saved configuration: dlcli train RUN/config.yaml; your own recipes: --config-dir DIR with {own}"
        raise UsageError("unknown_name", kind="recipe", name=first, hint=hint)
    if path.suffix in _FILES:
        task = _FILES[path.suffix]
        more = " task.target=COLUMN" if task == "csv" else ""
        raise UsageError(
            "unknown_name", kind="recipe", name=first,
            hint=f"Data files: dlcli {command} task={task} task.path={first}{more} model=MODEL",
        )  # fmt: skip


def named(word: str) -> str | None:
    """How a member of a group is chosen, if the word is one."""
    for group in ("model", "task", "learner"):
        for name in catalogue.members(group):
            if name.lower() == word.lower():
                return f"{group}={name}"
    return None
