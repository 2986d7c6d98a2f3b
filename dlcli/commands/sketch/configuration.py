"""Points of sketches: the training run that comes first, the configuration of a given run, of extended sketches."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.config import schema
from dlcli.config.compose import Point
from dlcli.config.overrides import key_of
from dlcli.core.errors import UsageError

_OF_RUN = ("task", "model", "learner", "until", "seed", "precision")


def training(point: Point) -> Point:
    """The training run of the network that is sketched."""
    config, own = point.config.copy(), schema.only_of("sketch")
    for name in own:
        config.pop(name, None)
    kept = [word for word in point.words if not _heads(word) & {*own}]
    choices = {group: name for group, name in point.choices.items() if not _heads(group) & {*own}}
    return Point("train", config, None, choices, tuple(kept))


def of_run(point: Point, source: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> Point:
    """The point with task, model and learner of a finished run, whose network is sketched.

    Args:
        source: the run's run.json.
        config: the run's configuration.
        path: the run's directory.

    Raises:
        UsageError: a word changes what the run has fixed.
    """
    allowed = {*schema.having("with_run", "sketch"), "batch"}
    for word in point.words:
        if not _heads(word) & allowed:
            hint = "from= uses a trained network: only the sketch can be changed"
            raise UsageError("unknown_key", key=re.split(r"[.@]", key_of(word))[0], known=allowed, hint=hint)
    changed = point.config.copy()
    changed["from"] = str(path.absolute())
    for name in _OF_RUN:
        changed[name] = config[name]
    changed.plugins = list(dict.fromkeys([*config.get("plugins", []), *changed.plugins]))
    choices = {**point.choices, "task": str(source.get("task")), "model": str(source.get("model"))}
    words = tuple(f"from='{path.absolute()}'" if key_of(word) == "from" else word for word in point.words)
    return Point(point.verb, changed, point.recipe, choices, words)


def settled(point: Point, before: Mapping[str, Any]) -> Point:
    """The point with the values of the sketches that it extends, except those that words set."""
    changed, said = point.config.copy(), {head for word in point.words for head in _heads(word)}
    for name in schema.having("inherited"):
        if name not in said:
            changed[name] = before[name]
    return Point(point.verb, changed, point.recipe, point.choices, point.words)


def _heads(word: str) -> set[str]:
    """The top-level keys that a word or a choice is about: `scenes` of `task@scenes` and of `scenes.batch`."""
    key = key_of(word)
    place = key.partition("@")[2] or key
    return {place.partition(".")[0]}
