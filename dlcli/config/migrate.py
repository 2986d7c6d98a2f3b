"""Migrate configurations of runs of earlier versions: keys under their new names."""

from collections.abc import Mapping
from typing import Any

from dlcli.config import aliases

_PARTS = ("initial", "start", "form")
"""Old names that other classes use for numbers: renamed only where the value is a part with a class."""


def renamed_keys(node: Any) -> Any:
    """The nested values with every old key under its new name (`aliases.KEYS`)."""
    if isinstance(node, list):
        return [renamed_keys(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    return {_new(str(key), value): renamed_keys(value) for key, value in node.items()}


def _new(key: str, value: Any) -> str:
    if key in _PARTS and not (isinstance(value, Mapping) and "_target_" in value):
        return key
    return aliases.KEYS.get(key, key)
