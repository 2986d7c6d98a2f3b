"""Shell completion: recipes, keys and members of groups, from file names and YAML; imports nothing heavy."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config import catalogue, schema
from dlcli.sketching import QUESTIONS

_PARTS = (*schema.SHORT_GROUPS, "augment")
_DEFAULTS = {"task": "sequential_digits", "model": "tcn", "learner": "gradient"}
_AFTER_SKETCH = ("query", "stream")
"""Words that stand where a recipe of `dlcli sketch` does."""
_HIDDEN = ("defaults", "scales", "eval_keys", "short", "smoke", "_target_", "_partial_")


def words(ctx: Any, incomplete: str) -> list[str]:
    """Recipes, keys, and the members of a group behind `group=`.

    Bash breaks words at `=`: there `model=t` arrives as `model`, `=`, `t`, and only what follows the `=` is replaced.
    """
    given = ctx.params or {}
    extra = [Path(folder) for folder in given.get("config_dir") or ()]
    typed = list(given.get("words") or ())
    groups = (*schema.groups(), *_PARTS)
    if typed and typed[-1] in ("=", *groups):
        group = [word for word in typed if word != "="][-1]
        return [name for name in _members(group, extra) if name.startswith(incomplete)]
    if "=" in incomplete:
        group, _, begun = incomplete.partition("=")
        return [f"{group}={name}" for name in _members(group, extra) if name.startswith(begun)]
    sketching = getattr(ctx, "info_name", None) == "sketch"
    recipes = [name for _, name, _ in catalogue.recipes(extra)] if not typed else []
    recipes += _AFTER_SKETCH if sketching and not typed else ()
    command = "sketch" if sketching else getattr(ctx, "info_name", None)
    own = schema.settable(command if command in schema.COMMANDS else "train")
    offered = [*recipes, *(f"{key}=" for key in (*own, *_offered(_chosen(typed, extra), extra)))]
    found = sorted({word for word in offered if word.startswith(incomplete)})
    if len(found) == 1 and found[0].removesuffix("=") in groups:
        return [f"{found[0]}{name}" for name in _members(found[0].removesuffix("="), extra)]
    return found


def questions(incomplete: str) -> list[str]:
    """What a run of sketches can be asked."""
    return [name for name in QUESTIONS if name.startswith(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Data sets that can be fetched."""
    return [name for name in catalogue.registry("data") if name.startswith(incomplete)]


def claims(incomplete: str) -> list[str]:
    """Claims that can be reproduced."""
    return [name for name in catalogue.registry("claim") if name.startswith(incomplete)]


def _members(group: str, extra: Sequence[Path]) -> list[str]:
    known = (*schema.groups(), *_PARTS)
    return list(catalogue.members(group, extra)) if group in known else []


def _chosen(typed: Sequence[str], extra: Sequence[Path]) -> dict[str, str]:
    """The member of each group that the words so far choose: their own, the recipe's, or the default."""
    pairs = dict(re.findall(r"(\w+)\s?=\s?(\w+)", " ".join(typed)))
    home = catalogue.members("experiment/train", extra)
    recipe = home.get(typed[0] if typed else "") or home.get(pairs.get("model", "tcn"))
    text = recipe.read_text(encoding="utf-8", errors="replace") if recipe else ""
    named = re.findall(r"^(\w+): (?:\{name: )?(\w+)", text, re.MULTILINE)
    parts = {key: value for key, value in named if key in _PARTS}
    return _DEFAULTS | dict(re.findall(r"override /(\w+): (\w+)", text)) | parts | pairs


def _offered(chosen: Mapping[str, str], extra: Sequence[Path]) -> Iterator[str]:
    """Every key that can be set."""
    yield from (*schema.SHORT, *schema.SHORT_FIXED)
    for group in _DEFAULTS:
        yield from (f"{group}.{key}" for key in _keys(catalogue.plain(group, chosen[group], extra)))
    learner = catalogue.plain("learner", chosen["learner"], extra)
    places = learner.get("short") or {}
    for part in schema.SHORT_GROUPS:
        if part in chosen or part == "objective":
            keys = list(_keys(catalogue.plain(part, chosen.get(part, "supervised"), extra)))
            yield from (f"{part}.{key}" for key in keys if part == "objective")
            yield from (f"learner.{places[part]}.{key}" for key in keys if part in places)


def _keys(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys of values."""
    for name, value in node.items():
        if str(name) in _HIDDEN:
            continue
        if isinstance(value, dict) and value:
            yield from _keys(value, f"{prefix}{name}.")
        elif not isinstance(value, dict):
            yield f"{prefix}{name}"
