"""What the shell offers after <TAB>; reads file names and YAML lines, imports nothing heavy."""

import re
from collections.abc import Iterator
from pathlib import Path

from dlcli import catalogue

_GROUPS = ("task", "model", "learner", "optimiser", "schedule", "objective")
_KEY = re.compile(r"^( *)([A-Za-z_]\w*):")


def words(incomplete: str) -> list[str]:
    """Recipes, keys, and the members of a group behind `group=`."""
    if "=" in incomplete:
        group, _, begun = incomplete.partition("=")
        known = catalogue.members(group) if group in _GROUPS else {}
        return [f"{group}={name}" for name in known if name.startswith(begun)]
    offered = [name for _, name, _ in catalogue.recipes()]
    offered += [f"{key}=" for key in (*_GROUPS, "lr", "batch", *_keys(catalogue.packaged() / "train.yaml"))]
    for group in ("task", "model"):
        if incomplete.startswith(f"{group}."):
            offered += [f"{group}.{key}=" for path in catalogue.members(group).values() for key in _keys(path)]
    return sorted({word for word in offered if word.startswith(incomplete)})


def datasets(incomplete: str) -> list[str]:
    """Data sets that can be fetched."""
    return [name for name in catalogue.members("data") if name.startswith(incomplete)]


def _keys(path: Path) -> Iterator[str]:
    """The top keys of a YAML file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _KEY.match(line)
        if match and not match.group(1) and match.group(2) not in ("defaults", "scales", "smoke"):
            yield match.group(2)
