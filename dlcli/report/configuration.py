"""Resolved configuration of a run: config.json, or config.yaml of runs of dlcli 0.1.0."""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_NODES = 100_000
"""Largest number of mappings, lists and scalars of a configuration. A few lines of YAML aliases can expand to
exponentially many.
"""


def read_settings(path: Path) -> dict[str, Any]:
    """Load the configuration as plain nested values; empty if it is missing or damaged.

    Args:
        path: the run directory.
    """
    for read in (_read_json, _read_yaml):
        try:
            settings = read(path)
        except (OSError, ValueError, yaml.YAMLError, RecursionError):
            continue
        if isinstance(settings, dict):
            return settings
    return {}


def _read_json(path: Path) -> Any:
    with open(f"{path}/config.json", "rb") as file:
        return json.loads(file.read())


def _read_yaml(path: Path) -> Any:
    with open(f"{path}/config.yaml", encoding="utf-8") as file:
        return _plain(yaml.load(file.read(), Loader=_Loader), itertools.count())


def _plain(node: Any, visited: Iterator[int]) -> Any:
    """Convert to JSON values: infinities, NaN and dates become text.

    Raises:
        ValueError: the configuration has more than `_MOST_NODES` nodes.
    """
    if next(visited) >= _MOST_NODES:
        raise ValueError(f"more than {_MOST_NODES:,} nodes")
    if isinstance(node, Mapping):
        return {str(key): _plain(value, visited) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, visited) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return str(node)
    return node if node is None or isinstance(node, bool | int | float | str) else str(node)


def flatten(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs of dotted key and value; lists are values."""
    if not isinstance(node, Mapping):
        yield prefix, node
        return
    for key, value in node.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, Mapping):
            yield from flatten(value, name)
        else:
            yield name, value
