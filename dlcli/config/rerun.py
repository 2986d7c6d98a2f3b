"""Saved configurations as a starting point: `dlcli train RUN/config.yaml KEY=VALUE`, `dlcli train --from RUN`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcli.config import catalogue, checks, run_config, schema
from dlcli.config.overrides import Folders
from dlcli.core.errors import UsageError

_METADATA = ("short", "scales", "finishes")  # of a member's YAML, not saved with a run


def opened(path: Path, command: str, extra: Folders) -> tuple[DictConfig, dict[str, str]]:
    """A saved configuration with its references restored, and the chosen member by group as far as known.

    A resolved file holds copies of `seed` and `precision` where the YAML files refer to them: `seed=1` must change all
    of them.

    Raises:
        UsageError: the file is damaged, or belongs to another command.
    """
    plain = run_config.read(path)
    info = _facts(path.parent / "run.json")
    foreign = [name for name in plain if name in schema.keys_of() and name not in schema.keys_of(command)]
    if foreign:
        others = [other for other in schema.COMMANDS if other in schema.keys_of()[foreign[0]].use.commands]
        raise UsageError("unsupported", subject=f"dlcli {command}", feature=f"{foreign[0]} of {path}",
                         hint=f"dlcli {others[0]} {path}")  # fmt: skip
    plain = schema.defaults(command) | plain
    choices = {name: str(info.get(name) or _named(plain[name])) for name in schema.groups(command) if plain.get(name)}
    config = OmegaConf.create(plain)
    for group in schema.groups(command):
        for member in _members(group, plain.get(group), extra):
            _link(config[group], member)
            for name in _METADATA:
                if name in member:
                    config[group][name] = member[name]
    config.budget = None  # the widths are those that it was solved for
    return config, choices


def _facts(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _named(node: Any) -> str:
    """A name for a group's member of which only the class is known."""
    return str(node.get("_target_", "own")).rpartition(".")[2].lower() if isinstance(node, Mapping) else "own"


def _members(group: str, node: Any, extra: Folders) -> Iterator[dict[str, Any]]:
    """The members of a group with the class of a saved node and, for learners, its players."""
    for name in catalogue.members(group, extra) if isinstance(node, Mapping) else ():
        member = catalogue.plain(group, name, extra)
        same = member.get("_target_") == node.get("_target_")
        if same and {*(member.get("players") or {})} == {*(node.get("players") or {})}:
            yield member


def _link(node: DictConfig, member: Mapping[str, Any], prefix: str = "") -> None:
    """Put the references of a member's YAML in the place of the values that they had."""
    for name, value in member.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            _link(node, value, f"{key}.")
        elif isinstance(value, str) and value.startswith("${") and checks.has(node, key):
            OmegaConf.update(node, key, value)
