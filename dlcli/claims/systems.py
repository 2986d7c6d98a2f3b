"""List of all systems: the members of the configuration groups, and the entries of conf/systems.yaml."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlcli.claims.claim_fields import load
from dlcli.config import catalogue

GROUPS = {
    "model": "Models",
    "learner": "Learners",
    "strategy": "Strategies",
    "objective": "Objectives and regularizers",
}
OTHERS = "system"
"""Group of the entries of conf/systems.yaml."""

_PAPER = re.compile(r"(?P<name>.*?)(?: \((?P<paper>[^()]*\b(?:1[89]|20)\d\d\b[^()]*)\))?")


@dataclass(frozen=True)
class System:
    """System: a row of docs/systems.md.

    Args:
        name: name of the system.
        paper: authors and year; empty without a paper.
        file: source file.
        run: arguments of `dlcli` that run it.
    """

    name: str
    paper: str
    file: str
    run: str


def systems(conf: Path) -> dict[str, System]:
    """Systems by `GROUP/MEMBER`, in the order of the page.

    Args:
        conf: root of the configuration.
    """
    recipes = _recipes(conf)
    members = {
        f"{group}/{path.stem}": _member(group, path, recipes)
        for group in GROUPS for path in sorted((conf / group).glob("[!_]*.yaml"))
    }  # fmt: skip
    listed = load(conf / "systems.yaml") if (conf / "systems.yaml").is_file() else {}
    described = {name: replace(system, **listed.get(name, {})) for name, system in members.items()}
    return described | {f"{OTHERS}/{name}": System(**entry) for name, entry in listed.items() if "/" not in name}


def _member(group: str, path: Path, recipes: Mapping[str, Sequence[str]]) -> System:
    parts = _PAPER.fullmatch(catalogue.describe(path))
    assert parts is not None
    target = _target(path)
    file = f"{target.rpartition('.')[0].replace('.', '/')}.py"
    selecting = recipes.get(f"{group}/{path.stem}", ())
    namesakes = [recipe for recipe in selecting if recipe.split()[1] == path.stem]
    run = next(
        iter([*namesakes, *selecting]), f"train model={path.stem}" if group == "model" else f"train {group}={path.stem}"
    )
    return System(parts["name"], parts["paper"] or "", file, run)


def _target(path: Path) -> str:
    """Class of a YAML file, or of the first file in its defaults."""
    config = load(path)
    if "_target_" in config:
        return str(config["_target_"])
    first = next(entry for entry in config["defaults"] if isinstance(entry, str) and entry != "_self_")
    return _target(path.with_name(f"{first}.yaml"))


def _recipes(conf: Path) -> dict[str, list[str]]:
    """Recipes by the members that they select, as `VERB RECIPE`."""
    result: dict[str, list[str]] = {}
    for verb in catalogue.VERBS:
        for path in sorted((conf / "experiment" / verb).glob("*.yaml")):
            recipe = load(path)
            for member in [*_overrides(recipe.get("defaults") or []), *_short(recipe)]:
                result.setdefault(member, []).append(f"{verb} {path.stem}")
    return result


def _overrides(defaults: Sequence[Any]) -> list[str]:
    """Members of `defaults`: `objective/mixup` for `override /objective@learner...: mixup`."""
    entries = [pair for entry in defaults if isinstance(entry, Mapping) for pair in entry.items()]
    return [f"{key.removeprefix('override ').strip('/').partition('@')[0]}/{name}" for key, name in entries]


def _short(recipe: Mapping[str, Any]) -> list[str]:
    """Members of short keys: `objective/margin` for `objective: margin` or `objective: {name: margin, down: 0.25}`."""
    names = {key: value.get("name") if isinstance(value, Mapping) else value for key, value in recipe.items()}
    return [f"{group}/{names[group]}" for group in GROUPS if isinstance(names.get(group), str)]
