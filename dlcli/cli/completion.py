"""Shell completion of recipes, keys and group members from file names and YAML; imports nothing heavy."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config import catalogue, schema
from dlcli.sketching import QUERIES

_PARTS = (*schema.SHORT_GROUPS, "augment")
_DEFAULTS = {"task": "sequential_digits", "model": "tcn", "learner": "gradient"}
_SKETCH_COMMANDS = ("query", "stream")
"""Commands that stand in the place of a recipe of `dlcli sketch`."""
_HIDDEN = ("defaults", "scales", "eval_keys", "short", "smoke", "_target_", "_partial_")
_NEWEST = 12  # runs that are offered


def words(ctx: Any, incomplete: str) -> list[str]:
    """Complete recipes, keys, and the members of a group after `group=`.

    Bash breaks words at `=`: there `model=t` arrives as `model`, `=`, `t`, and only what follows the `=` is replaced.
    """
    parameters = ctx.params or {}
    extra = [Path(folder) for folder in parameters.get("config_dir") or ()]
    typed = list(parameters.get("overrides") or ())
    groups = (*schema.groups(), *_PARTS)
    if typed and typed[-1] in ("=", *groups):
        group = [word for word in typed if word != "="][-1]
        return [name for name in _members(group, extra) if name.startswith(incomplete)]
    if "=" in incomplete:
        group, _, prefix = incomplete.partition("=")
        return [f"{group}={name}" for name in _members(group, extra) if name.startswith(prefix)]
    command = getattr(ctx, "info_name", None)
    recipes = [name for _, name, _ in catalogue.recipes(extra)] if not typed else []
    recipes += _SKETCH_COMMANDS if command == "sketch" and not typed else ()
    keys = schema.settable(command if command in schema.COMMANDS else "train")
    candidates = [*recipes, *(f"{key}=" for key in (*keys, *_settable(_choices(typed, extra), extra)))]
    matches = sorted({candidate for candidate in candidates if candidate.startswith(incomplete)})
    if len(matches) == 1 and matches[0].removesuffix("=") in groups:
        return [f"{matches[0]}{name}" for name in _members(matches[0].removesuffix("="), extra)]
    return matches


def questions(incomplete: str) -> list[str]:
    """Complete the questions of `dlcli sketch query`."""
    return [name for name in QUERIES if name.startswith(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Complete the names of published data sets."""
    return [name for name in catalogue.registry("data") if name.startswith(incomplete)]


def claims(incomplete: str) -> list[str]:
    """Complete the names of claims."""
    return [name for name in catalogue.registry("claim") if name.startswith(incomplete)]


def runs(ctx: Any, incomplete: str) -> list[str]:
    """Complete the ids of the newest runs below `--out`."""
    from dlcli.runs.selectors import scan

    out = Path((ctx.params or {}).get("out") or "outputs")
    return [run.id for run in scan(out) if run.id.startswith(incomplete)][:_NEWEST]


def _members(group: str, extra: Sequence[Path]) -> list[str]:
    known = (*schema.groups(), *_PARTS)
    return list(catalogue.members(group, extra)) if group in known else []


def _choices(typed: Sequence[str], extra: Sequence[Path]) -> dict[str, str]:
    """The member of each group: from the overrides, else from the recipe, else the default."""
    pairs = dict(re.findall(r"(\w+)\s?=\s?(\w+)", " ".join(typed)))
    recipes = catalogue.members("experiment/train", extra)
    path = recipes.get(typed[0] if typed else "") or recipes.get(pairs.get("model", "tcn"))
    text = path.read_text(encoding="utf-8", errors="replace") if path else ""
    settings = re.findall(r"^(\w+): (?:\{name: )?(\w+)", text, re.MULTILINE)
    parts = {key: value for key, value in settings if key in _PARTS}
    return _DEFAULTS | dict(re.findall(r"override /(\w+): (\w+)", text)) | parts | pairs


def _settable(choices: Mapping[str, str], extra: Sequence[Path]) -> Iterator[str]:
    """The keys that can be set."""
    yield from (*schema.SHORT, *schema.SHORT_FIXED)
    for group in _DEFAULTS:
        yield from (f"{group}.{key}" for key in _keys(catalogue.compose_plain(group, choices[group], extra)))
    learner = catalogue.compose_plain("learner", choices["learner"], extra)
    full_keys = learner.get("short") or {}
    for part in schema.SHORT_GROUPS:
        if part in choices or part == "objective":
            keys = list(_keys(catalogue.compose_plain(part, choices.get(part, "supervised"), extra)))
            yield from (f"{part}.{key}" for key in keys if part == "objective")
            yield from (f"learner.{full_keys[part]}.{key}" for key in keys if part in full_keys)


def _keys(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys of the values of a configuration node."""
    for name, value in node.items():
        if str(name) in _HIDDEN:
            continue
        if isinstance(value, dict) and value:
            yield from _keys(value, f"{prefix}{name}.")
        elif not isinstance(value, dict):
            yield f"{prefix}{name}"
