"""Overrides: split arguments into recipes and overrides, check their syntax, and resolve repeated keys."""

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from dlcli.config import aliases, catalogue, hints, schema
from dlcli.core.errors import UsageError

Folders = tuple[Path, ...]
_RECIPE = re.compile(r"\+?experiment(?:/(\w+))?=(.+)")


def key_of(word: str) -> str:
    """Return the key of `key=value`, `+key=value` or `~key`."""
    return word.lstrip("+~").partition("=")[0]


def value_of(word: str) -> str:
    """Return the text after the first `=`."""
    return word.partition("=")[2]


def is_recipe_like(word: str) -> bool:
    """Return True for an argument that can be the name of a recipe."""
    return "=" not in word and not word.startswith(("~", "-", "+"))


def split(command: str, overrides: Sequence[str], extra: Folders) -> tuple[list[str | None], list[str]]:
    """Split the arguments of a command into recipes ([None] without one) and overrides.

    A recipe is the first argument, or `experiment=NAME`; the path of a saved config.yaml counts as a recipe.

    Raises:
        UsageError: an argument is neither a recipe nor an override.
    """
    named = [word for word in overrides if (match := _RECIPE.fullmatch(word)) and match[1] in (None, command)]
    rest = [word for word in overrides if word not in named]
    names = [value_of(word) for word in named]
    if rest and is_recipe_like(rest[0]):
        if (path := saved_config_path(rest[0])) is not None:
            for word in rest[1:]:
                check_override(word)
            return [str(path)], [quoted(renamed(word)) for word in rest[1:]]
        hints.check_first(rest, command, extra)
        names.insert(0, rest.pop(0))
    if len(names) > 1:
        raise UsageError("conflict", first=names[0], second=names[1], reason="a command takes one recipe")
    recipes: list[str | None] = [_recipe(command, name, extra) for text in names for name in text.split(",")]
    for word in rest:
        check_override(word)
    return recipes or [None], [quoted(renamed(word)) for word in rest]


def saved_config_path(word: str) -> Path | None:
    """Return the absolute path of a run's config.yaml; None for any other argument."""
    path = Path(word) if word.startswith("~") and not word.startswith("~/") else Path(word).expanduser()
    if path.suffix != ".yaml" or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    return path.absolute() if all(f"\n{name}:" in f"\n{text}" for name in schema.required()) else None


def _recipe(command: str, name: str, extra: Folders) -> str:
    """Return the name if it is a recipe of the command.

    Raises:
        UsageError: it is not; for a recipe of another command, the hint is that command.
    """
    known = catalogue.members(f"experiment/{command}", extra)
    if name in known:
        return name
    for other, recipe, _ in catalogue.recipes(extra):
        if recipe == name:
            hint = f"{name} is a recipe of {other}: dlcli {other} {name}"
            raise UsageError("unknown_name", kind="recipe", name=name, hint=hint)
    names = [*known, *catalogue.RESERVED.get(command, ())]
    raise UsageError("unknown_name", kind="recipe", name=name, known=names, hint="All recipes: dlcli list recipes")


def check_override(word: str) -> None:
    """Check the form of an override.

    Raises:
        UsageError: it is not `key=value`, selects a recipe, or deletes a required key.
    """
    if word.startswith("-"):
        raise hints.option_error(word)
    if is_recipe_like(word):
        raise hints.argument_error(word)
    key = key_of(word)
    if not key:
        raise UsageError("invalid_value", key="override", must="key=value", got=word, hint="The key is empty")
    if key.partition("/")[0] == "experiment":
        other = key.partition("/")[2]
        raise UsageError(
            "invalid_value", key=word, must="the name of a recipe as first argument", got=value_of(word),
            hint=f"dlcli {other or 'train'} {value_of(word)}",
        )  # fmt: skip
    if word.startswith("~") and "." not in key:
        raise UsageError("unsupported", subject=f"the required key {key}", feature=f"deletion (~{key})")


def renamed(word: str) -> str:
    """Replace previous names of groups and top-level keys in an override, with a note."""
    key = key_of(word)
    head = key.partition(".")[0]
    if "@" in key or catalogue.members(aliases.renamed(key)):
        new = aliases.renamed(key)
    elif head in aliases.KEYS and head not in schema.keys_of():
        new = f"{aliases.KEYS[head]}{key.removeprefix(head)}"
    else:
        return word
    group, _, package = new.partition("@")
    new = package if package and group in aliases.OPTIONS else new
    if new == key:
        return word
    aliases.note(key, new)
    return word.replace(key, new, 1)


def parse(word: str) -> Override:
    """Parse an override with Hydra's grammar.

    Raises:
        UsageError: its syntax is invalid.
    """
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        hint = "Quote values with commas, brackets or quotes: 'key=\"a, b\"'"
        raise UsageError("unreadable", text=word[:100], hint=hint) from None


def quoted(word: str) -> str:
    """Quote the value of an override if Hydra's grammar cannot parse it and it contains no special characters."""
    key, equals, value = word.partition("=")
    if not equals or not value or any(sign in value for sign in ",'\"\\$"):
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return f"{key}='{value}'"
    return word


def latest(overrides: Sequence[str]) -> list[str]:
    """Return the last override of each key; `until`, `steps` and `epochs` replace one another."""
    last: dict[str, str] = {}
    for word in overrides:
        key = key_of(word)
        if key == "until":
            for replaced in [name for name in last if name in ("steps", "epochs") or name.startswith("until.")]:
                del last[replaced]
        if key in ("steps", "epochs"):
            for replaced in ("until", "until.steps", "until.epochs"):
                last.pop(replaced, None)
        last.pop(key, None)
        last[key] = word
    return list(last.values())


def check_limits(overrides: Sequence[str]) -> None:
    """Check that `steps` or `epochs` and `until` do not both set the same limit.

    Raises:
        UsageError: they do.
    """
    by_key = {key_of(word): word for word in overrides if value_of(word) != "null"}
    short = [name for name in ("steps", "epochs") if name in by_key]
    long: list[str] = [name for name in ("until.steps", "until.epochs") if name in by_key]
    if not long and re.search(r"[{,]\s*(steps|epochs)\s*:", by_key.get("until", "")):
        long = ["until"]
    if short and long:
        raise UsageError("conflict", first=f"{short[0]}=", second=f"{long[0]}=", reason="both limit the run")


def expand_exponent(word: str) -> str:
    """Write out the exponent of an integer value: `budget=1e4` becomes `budget=10000`."""
    key, _, value = word.partition("=")
    has_exponent = re.fullmatch(r"\d{1,3}(\.\d{1,9})?[eE]\+?\d", value, re.ASCII)
    top_level = schema.keys_of().get(key)
    if top_level is None or top_level.kinds != (int,) or not has_exponent or not float(value).is_integer():
        return word
    return f"{key}={float(value):.0f}"


def format_value(value: object) -> str:
    """Format a plain value in Hydra's override grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{format_value(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(format_value, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)
