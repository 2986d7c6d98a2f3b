"""Configurations of sketch runs: training of the network, networks of other runs, extended sketches."""

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
    """The training run of the network to be sketched."""
    config, own = point.config.copy(), schema.only_of("sketch")
    for name in own:
        config.pop(name, None)
    words = [word for word in point.words if not _heads(word) & {*own}]
    choices = {group: name for group, name in point.choices.items() if not _heads(group) & {*own}}
    return Point("train", config, None, choices, tuple(words))


def of_run(point: Point, source: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> Point:
    """The point with task, model and learner of the run whose network is sketched.

    Args:
        point: configuration of the sketch run.
        source: run.json of the training run.
        config: configuration of the training run.
        path: directory of the training run.

    Raises:
        UsageError: an override changes the training run.
    """
    allowed = {*schema.with_flag("with_run", "sketch"), "batch"}
    for word in point.words:
        if not _heads(word) & allowed:
            hint = "from= uses a trained network; only settings of the sketch can be changed"
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
    """The point with the settings of the sketches that it extends, except for its own overrides."""
    changed, overridden = point.config.copy(), {head for word in point.words for head in _heads(word)}
    for name in schema.with_flag("inherited"):
        if name not in overridden:
            changed[name] = before[name]
    return Point(point.verb, changed, point.recipe, point.choices, point.words)


def _heads(word: str) -> set[str]:
    """The top-level key of an override or a choice: `scenes` of `task@scenes` and of `scenes.batch`."""
    key = key_of(word)
    target = key.partition("@")[2] or key
    return {target.partition(".")[0]}
