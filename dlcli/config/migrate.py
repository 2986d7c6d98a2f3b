"""Migrate configurations of runs of earlier versions to the present keys, classes and options."""

from collections.abc import Mapping
from typing import Any

from dlcli.config import aliases
from dlcli.config.moved_targets import ARGUMENTS, renamed_target

_PARTS = ("initial", "start", "form")
"""Previous names that other classes use for numbers: renamed only if the value is a node with a class."""

_OPTIONS = {
    "norm": {"BatchNorm2d": "batch", "Identity": "none"},
    "warp_init": {"Identity": "identity", "Random": "random"},
}
"""Options that were nodes with a class: present value by class name."""


def renamed_keys(node: Any) -> Any:
    """Return the nested values with present names of keys (`aliases.KEYS`), classes and options."""
    if isinstance(node, list):
        return [renamed_keys(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    renamed = {(new := _new_key(str(key), value)): _new_value(new, renamed_keys(value)) for key, value in node.items()}
    return ARGUMENTS.get(str(node.get("_target_")), {}) | renamed


def _new_value(key: str, value: Any) -> Any:
    """The present name of a class, or of an option that was a node with a class; any other value unchanged."""
    if key == "_target_" and isinstance(value, str):
        return renamed_target(value)
    if key not in _OPTIONS or not isinstance(value, Mapping):
        return value
    return _OPTIONS[key].get(str(value.get("_target_")).rpartition(".")[2], value)


def _new_key(key: str, value: Any) -> str:
    if key in _PARTS and not (isinstance(value, Mapping) and "_target_" in value):
        return key
    return aliases.KEYS.get(key, key)
