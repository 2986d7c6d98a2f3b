"""Words of the command line as overrides: recipes told from settings, syntax checked, repeated keys resolved."""

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
    """The key of `key=value`, `+key=value` or `~key`."""
    return word.lstrip("+~").partition("=")[0]


def value_of(word: str) -> str:
    """The text after the first `=`."""
    return word.partition("=")[2]


def is_bare(word: str) -> bool:
    """True for a word that can be a recipe's name."""
    return "=" not in word and not word.startswith(("~", "-", "+"))


def split(command: str, words: Sequence[str], extra: Folders) -> tuple[list[str | None], list[str]]:
    """Split words into recipes ([None] without one) and overrides.

    A recipe is the first word, or `experiment=NAME`; so is the path of a saved config.yaml.

    Raises:
        UsageError: a word is neither, or there is no such recipe.
    """
    named = [word for word in words if (match := _RECIPE.fullmatch(word)) and match[1] in (None, command)]
    rest = [word for word in words if word not in named]
    names = [value_of(word) for word in named]
    if rest and is_bare(rest[0]):
        if (path := saved_path(rest[0])) is not None:
            for word in rest[1:]:
                check_word(word)
            return [str(path)], [quoted(renamed(word)) for word in rest[1:]]
        hints.check_first(rest, command, extra)
        names.insert(0, rest.pop(0))
    if len(names) > 1:
        raise UsageError("conflict", first=names[0], second=names[1], reason="a command takes one recipe")
    recipes: list[str | None] = [_recipe(command, name, extra) for one in names for name in one.split(",")]
    for word in rest:
        check_word(word)
    return recipes or [None], [quoted(renamed(word)) for word in rest]


def saved_path(word: str) -> Path | None:
    """The absolute path of a run's config.yaml; None for any other word."""
    path = Path(word).expanduser()
    if path.suffix != ".yaml" or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    return path.absolute() if all(f"\n{name}:" in f"\n{text}" for name in schema.needed()) else None


def _recipe(command: str, name: str, extra: Folders) -> str:
    known = catalogue.members(f"experiment/{command}", extra)
    if name in known:
        return name
    for other, recipe, _ in catalogue.recipes(extra):
        if recipe == name:
            reason = f"{name} is a recipe of {other}"
            raise UsageError("unknown_name", kind="recipe", name=name, hint=f"{reason}: dlcli {other} {name}")
    names = [*known, *catalogue.RESERVED.get(command, ())]
    raise UsageError("unknown_name", kind="recipe", name=name, known=names, hint="All of them: dlcli list recipes")


def check_word(word: str) -> None:
    """Check the form of an override.

    Raises:
        UsageError: it is not `key=value`, or no such change is possible.
    """
    if word.startswith("-"):
        raise hints.of_option(word)
    if is_bare(word):
        raise hints.of_bare(word)
    key = key_of(word)
    if not key:
        raise UsageError("invalid_value", key="override", must="key=value", got=word, hint="The key is missing")
    if key.partition("/")[0] == "experiment":
        other = key.partition("/")[2]
        raise UsageError(
            "invalid_value", key=word, must="the recipe's name as first word", got=value_of(word),
            hint=f"dlcli {other or 'train'} {value_of(word)}",
        )  # fmt: skip
    if word.startswith("~") and "." not in key:
        raise UsageError("unsupported", subject=f"~{key}", feature="deletion: every run needs it")


def renamed(word: str) -> str:
    """The word with old names of groups and top-level keys replaced, with a note."""
    key = key_of(word)
    head = key.partition(".")[0]
    if "@" in key or catalogue.members(aliases.renamed(key)):
        new = aliases.renamed(key)
    elif head in aliases.KEYS and head not in schema.keys_of():
        new = f"{aliases.KEYS[head]}{key.removeprefix(head)}"
    else:
        return word
    group, _, place = new.partition("@")
    new = place if place and group in aliases.OPTIONS else new
    if new == key:
        return word
    aliases.note(key, new)
    return word.replace(key, new, 1)


def parse(word: str) -> Override:
    """Parse a word with Hydra's grammar.

    Raises:
        UsageError: it does not follow the grammar.
    """
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        hint = "Quote values with commas, brackets or quotes: 'key=\"a, b\"'"
        raise UsageError("unreadable", text=word[:100], hint=hint) from None


def quoted(word: str) -> str:
    """The word; its value quoted if Hydra's grammar cannot read it and it can only be plain text."""
    key, equals, value = word.partition("=")
    if not equals or not value or any(sign in value for sign in ",'\"\\$"):
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return f"{key}='{value}'"
    return word


def latest(words: Sequence[str]) -> list[str]:
    """The last word of each key; `until` and its short words are one key."""
    found: dict[str, str] = {}
    for word in words:
        key = key_of(word)
        if key == "until":
            for other in [one for one in found if one in ("steps", "epochs") or one.startswith("until.")]:
                del found[other]
        if key in ("steps", "epochs"):
            for other in ("until", "until.steps", "until.epochs"):
                found.pop(other, None)
        found.pop(key, None)
        found[key] = word
    return list(found.values())


def check_end(words: Sequence[str]) -> None:
    """Check that `steps` or `epochs` and `until` do not both set the same limit.

    Raises:
        UsageError: they do.
    """
    given = {key_of(word): word for word in words if value_of(word) != "null"}
    short = [name for name in ("steps", "epochs") if name in given]
    long: list[str] = [name for name in ("until.steps", "until.epochs") if name in given]
    if not long and re.search(r"[{,]\s*(steps|epochs)\s*:", given.get("until", "")):
        long = ["until"]
    if short and long:
        raise UsageError("conflict", first=f"{short[0]}=", second=f"{long[0]}=", reason="both limit the run")


def whole(word: str) -> str:
    """`budget=1e4` as `budget=10000`, for keys that hold integers."""
    key, _, value = word.partition("=")
    power = re.fullmatch(r"\d{1,3}(\.\d{1,9})?[eE]\+?\d", value, re.ASCII)
    known = schema.keys_of().get(key)
    if known is None or known.kinds != (int,) or power is None or not float(value).is_integer():
        return word
    return f"{key}={float(value):.0f}"


def written(value: object) -> str:
    """A plain value in Hydra's override grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{written(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(written, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)
