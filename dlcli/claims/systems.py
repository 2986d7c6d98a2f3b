"""Every system that there is: the members of the groups, and what conf/systems.yaml lists."""

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
    "objective": "Objectives and regularisers",
}
OTHERS = "system"
"""The group of what conf/systems.yaml lists."""

_PAPER = re.compile(r"(?P<name>.*?)(?: \((?P<paper>[^()]*\b(?:1[89]|20)\d\d\b[^()]*)\))?")


@dataclass(frozen=True)
class System:
    """One row.

    Args:
        name: what it is.
        paper: empty where it has none.
        file: of its code.
        run: what is typed behind `dlcli`.
    """

    name: str
    paper: str
    file: str
    run: str


def systems(conf: Path) -> dict[str, System]:
    """By `GROUP/MEMBER`, as claims name them, in the order of the page."""
    chosen = _chosen(conf)
    found = {
        f"{group}/{path.stem}": _member(group, path, chosen)
        for group in GROUPS for path in sorted((conf / group).glob("[!_]*.yaml"))
    }  # fmt: skip
    listed = load(conf / "systems.yaml") if (conf / "systems.yaml").is_file() else {}
    told = {name: replace(one, **listed.get(name, {})) for name, one in found.items()}
    return told | {f"{OTHERS}/{name}": System(**entry) for name, entry in listed.items() if "/" not in name}


def _member(group: str, path: Path, chosen: Mapping[str, Sequence[str]]) -> System:
    parts = _PAPER.fullmatch(catalogue.describe(path))
    assert parts is not None
    target = _target(path)
    file = f"{target.rpartition('.')[0].replace('.', '/')}.py"
    recipes = chosen.get(f"{group}/{path.stem}", ())
    own = [one for one in recipes if one.split()[1] == path.stem]
    run = next(iter([*own, *recipes]), f"train model={path.stem}" if group == "model" else f"train {group}={path.stem}")
    return System(parts["name"], parts["paper"] or "", file, run)


def _target(path: Path) -> str:
    """The class; of a YAML without one, that of the YAML it begins with."""
    found = load(path)
    if "_target_" in found:
        return str(found["_target_"])
    first = next(one for one in found["defaults"] if isinstance(one, str) and one != "_self_")
    return _target(path.with_name(f"{first}.yaml"))


def _chosen(conf: Path) -> dict[str, list[str]]:
    """Which recipes choose a member, by the overrides of their defaults."""
    found: dict[str, list[str]] = {}
    for verb in catalogue.VERBS:
        for path in sorted((conf / "experiment" / verb).glob("*.yaml")):
            recipe = load(path)
            for member in [*_overrides(recipe.get("defaults") or []), *_short(recipe)]:
                found.setdefault(member, []).append(f"{verb} {path.stem}")
    return found


def _overrides(defaults: Sequence[Any]) -> list[str]:
    """`model/tcn` of `override /model: tcn`; `objective/mixup` of `override /objective@learner...: mixup`."""
    entries = [pair for one in defaults if isinstance(one, Mapping) for pair in one.items()]
    return [f"{key.removeprefix('override ').strip('/').partition('@')[0]}/{name}" for key, name in entries]


def _short(recipe: Mapping[str, Any]) -> list[str]:
    """`objective/margin` of `objective: margin` and of `objective: {name: margin, down: 0.25}`."""
    named = {key: value.get("name") if isinstance(value, Mapping) else value for key, value in recipe.items()}
    return [f"{group}/{named[group]}" for group in GROUPS if isinstance(named.get(group), str)]
