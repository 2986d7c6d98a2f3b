"""Re-run saved configurations with changes: `dlcli train RUN/config.yaml KEY=VALUE`, `dlcli train --from RUN`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcli.config import catalogue, checks, run_config, schema
from dlcli.config.overrides import Folders
from dlcli.core.errors import UsageError

_METADATA = ("short", "scales", "finishes")  # of a member's YAML, not saved with a run


def load(path: Path, command: str, extra: Folders) -> tuple[DictConfig, dict[str, str]]:
    """Load a saved configuration, restore its interpolations, and determine the selected member by group.

    A resolved file contains copies of `seed` and `precision` where the YAML files refer to them; `seed=1` must change
    all of them.

    Args:
        path: config.yaml of a run.
        command: command that re-runs it.
        extra: folders given by `--config-dir`.

    Raises:
        UsageError: the file is damaged, or belongs to another command.
    """
    plain = run_config.read(path)
    info = _run_record(path.parent / "run.json")
    foreign = [name for name in plain if name in schema.keys_of() and name not in schema.keys_of(command)]
    if foreign:
        others = [other for other in schema.COMMANDS if other in schema.keys_of()[foreign[0]].use.commands]
        raise UsageError("unsupported", subject=f"dlcli {command}", feature=f"{foreign[0]} of {path}",
                         hint=f"dlcli {others[0]} {path}")  # fmt: skip
    plain = schema.defaults(command) | plain
    choices = {
        name: str(info.get(name) or _class_name(plain[name])) for name in schema.groups(command) if plain.get(name)
    }
    config = OmegaConf.create(plain)
    for group in schema.groups(command):
        for member in _members(group, plain.get(group), extra):
            _restore_interpolations(config[group], member)
            for name in _METADATA:
                if name in member:
                    config[group][name] = member[name]
    config.budget = None  # the saved widths already meet it
    return config, choices


def _run_record(path: Path) -> dict[str, Any]:
    """The content of run.json; empty if it is missing or damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _class_name(node: Any) -> str:
    """The lower-case class name of a member whose YAML is not known."""
    return str(node.get("_target_", "own")).rpartition(".")[2].lower() if isinstance(node, Mapping) else "own"


def _members(group: str, node: Any, extra: Folders) -> Iterator[dict[str, Any]]:
    """Members of a group with the class of a saved node and, for learners, the same players."""
    for name in catalogue.members(group, extra) if isinstance(node, Mapping) else ():
        member = catalogue.compose_plain(group, name, extra)
        is_same_class = member.get("_target_") == node.get("_target_")
        if is_same_class and {*(member.get("players") or {})} == {*(node.get("players") or {})}:
            yield member


def _restore_interpolations(node: DictConfig, member: Mapping[str, Any], prefix: str = "") -> None:
    """Replace saved values by the interpolations of a member's YAML, in place."""
    for name, value in member.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            _restore_interpolations(node, value, f"{key}.")
        elif isinstance(value, str) and value.startswith("${") and checks.has(node, key):
            OmegaConf.update(node, key, value)
