"""Migrate configurations of runs of earlier versions: keys under their new names."""

from collections.abc import Mapping
from typing import Any

from dlcli.config import aliases
from dlcli.config.moved_targets import ARGUMENTS, renamed_target

_PARTS = ("initial", "start", "form")
"""Old names that other classes use for numbers: renamed only where the value is a part with a class."""

_OPTIONS = {
    "norm": {"BatchNorm2d": "batch", "Identity": "none"},
    "warp_init": {"Identity": "identity", "Random": "random"},
}
"""Options that were parts with a class."""


def renamed_keys(node: Any) -> Any:
    """The nested values with every old key under its new name (`aliases.KEYS`)."""
    if isinstance(node, list):
        return [renamed_keys(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    renamed = {(new := _new(str(key), value)): _value(new, renamed_keys(value)) for key, value in node.items()}
    return ARGUMENTS.get(str(node.get("_target_")), {}) | renamed


def _value(key: str, value: Any) -> Any:
    """Return the present name of a class, or of an option that was a part with a class; any other value unchanged."""
    if key == "_target_" and isinstance(value, str):
        return renamed_target(value)
    if key not in _OPTIONS or not isinstance(value, Mapping):
        return value
    return _OPTIONS[key].get(str(value.get("_target_")).rpartition(".")[2], value)


def _new(key: str, value: Any) -> str:
    if key in _PARTS and not (isinstance(value, Mapping) and "_target_" in value):
        return key
    return aliases.KEYS.get(key, key)
