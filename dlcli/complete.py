"""What the shell offers after <TAB>; reads file names and YAML lines, imports nothing heavy."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlcli import catalogue

_GROUPS = ("task", "model", "learner", "optimiser", "schedule", "objective", "augment", "network")
_DEFAULTS = {"task": "sequential_digits", "model": "tcn", "learner": "gradient"}
_PLAYER = "learner.players.model"
_KEY = re.compile(r"^( *)([A-Za-z_]\w*):")
_AFTER_SKETCH = ("query", "stream")
"""Words that stand where a recipe of `dlcli sketch` does."""
QUESTIONS = ("count", "mean", "attribute", "similar", "erase", "recover-network", "bench")
"""What `dlcli sketch query` answers."""
_HIDDEN = ("defaults", "scales", "eval_keys", "smoke", "_target_", "_partial_")


def words(ctx: Any, incomplete: str) -> list[str]:
    """Recipes, keys, and the members of a group behind `group=`.

    Bash breaks words at `=`: there `model=t` arrives as `model`, `=`, `t`, and only what follows the `=` is replaced.
    """
    given = ctx.params or {}
    extra = [Path(folder) for folder in given.get("config_dir") or ()]
    typed = list(given.get("words") or ())
    if typed and typed[-1] in ("=", *_GROUPS):
        group = [word for word in typed if word != "="][-1]
        return [name for name in _members(group, extra) if name.startswith(incomplete)]
    if "=" in incomplete:
        group, _, begun = incomplete.partition("=")
        return [f"{group}={name}" for name in _members(group, extra) if name.startswith(begun)]
    sketching = getattr(ctx, "info_name", None) == "sketch"
    recipes = [name for _, name, _ in catalogue.recipes(extra)] if not typed else []
    recipes += _AFTER_SKETCH if sketching and not typed else ()
    own = _keys(catalogue.packaged() / "sketch.yaml") if sketching else ()
    offered = [*recipes, *(f"{key}=" for key in (*own, *_offered(_chosen(typed, extra), extra)))]
    found = sorted({word for word in offered if word.startswith(incomplete)})
    if len(found) == 1 and found[0].removesuffix("=") in _GROUPS:
        return [f"{found[0]}{name}" for name in _members(found[0].removesuffix("="), extra)]
    return found


def questions(incomplete: str) -> list[str]:
    """What a run of sketches can be asked."""
    return [name for name in QUESTIONS if name.startswith(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Data sets that can be fetched."""
    return [name for name in catalogue.members("data") if name.startswith(incomplete)]


def claims(incomplete: str) -> list[str]:
    """Claims that can be reproduced."""
    return [name for name in catalogue.members("claim") if name.startswith(incomplete)]


def _members(group: str, extra: Sequence[Path]) -> list[str]:
    return list(catalogue.members(group, extra)) if group in _GROUPS else []


def _chosen(typed: Sequence[str], extra: Sequence[Path]) -> dict[str, str]:
    """The member of each group that the words so far choose: their own, the recipe's, or the default."""
    pairs = dict(re.findall(r"(\w+)\s?=\s?(\w+)", " ".join(typed)))
    home = catalogue.members("experiment/train", extra)
    recipe = home.get(typed[0] if typed else "") or home.get(pairs.get("model", "tcn"))
    text = recipe.read_text(encoding="utf-8", errors="replace") if recipe else ""
    return _DEFAULTS | dict(re.findall(r"override /(\w+): (\w+)", text)) | pairs


def _offered(chosen: dict[str, str], extra: Sequence[Path]) -> Iterator[str]:
    """Every key that may be set."""
    yield from (*_GROUPS, "lr", "batch", "clip", *_keys(catalogue.packaged() / "train.yaml"))
    for group in _DEFAULTS:
        if path := catalogue.members(group, extra).get(chosen[group]):
            yield from (f"{group}.{key}" for key in _keys(path))
    if path := catalogue.members("optimiser", extra).get(chosen.get("optimiser", "adam")):
        yield from (f"{_PLAYER}.optimiser.{key}" for key in _keys(path))
    if path := catalogue.members("objective", extra).get(chosen.get("objective", "supervised")):
        yield from (f"objective.{key}" for key in _keys(path))


def _keys(path: Path) -> Iterator[str]:
    """The dotted keys of a YAML file that hold values, two spaces a level."""
    above: list[str] = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for match in filter(None, map(_KEY.match, lines)):
        above[len(match.group(1)) // 2 :] = [match.group(2)]
        holds_more = match.string.partition("#")[0].rstrip().endswith(":")
        if not holds_more and above[0] not in _HIDDEN and above[-1] not in _HIDDEN:
            yield ".".join(above)
