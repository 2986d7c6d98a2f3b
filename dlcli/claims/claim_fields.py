"""Validation of the fields of a claim file."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from dlcli.core.errors import UsageError

_KINDS = {str: "text", float: "a finite number", list: "a list", dict: "a mapping"}
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """YAML loader that rejects duplicate keys, of which YAML would silently use the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (identity := (key.tag, key.value)) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
            seen.add(identity if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep=deep)


def load(path: Path) -> Any:
    """Load a YAML file as plain values.

    Raises:
        UsageError: the file cannot be read or parsed, or has a duplicate key.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError("invalid_data", path=path, problem=" ".join(str(error).split())) from None


def check_keys(fields: Any, known: Collection[str], required: Collection[str], place: str) -> None:
    """Check that a mapping has only known keys and all required ones.

    Args:
        place: position in the claim, for messages.

    Raises:
        UsageError: a key is unknown or missing, or `fields` is not a mapping.
    """
    if not isinstance(fields, Mapping):
        raise UsageError("invalid_value", key=place, must="a mapping", got=fields)
    for key in fields:
        if key not in known:
            raise UsageError("unknown_key", key=f"{place}: {key}", name=str(key), known=known)
    if missing := [key for key in required if key not in fields]:
        raise UsageError("required", key=f"{place}: {', '.join(missing)}")


def value(fields: Mapping[str, Any], key: str, kind: type, place: str, default: Any = None) -> Any:
    """Value of a key, after a check of its type.

    Args:
        kind: str, list, dict, or float for a finite number.
        place: position in the claim, for messages.
        default: value of a missing key.

    Raises:
        UsageError: the value has another type.
    """
    given = fields.get(key, default)
    if given is default and key not in fields:
        return default
    if not (is_number(given) if kind is float else isinstance(given, kind)):
        raise UsageError("invalid_value", key=f"{place}: {key}", must=_KINDS[kind], got=given)
    return float(given) if kind is float else given


def text(fields: Mapping[str, Any], key: str, place: str) -> str:
    """Text of a key as one line.

    Raises:
        UsageError: the value is not text, or contains control characters.
    """
    line = " ".join(value(fields, key, str, place).split())
    if not line.isprintable():
        raise UsageError("invalid_value", key=f"{place}: {key}", must="printable text", got=line)
    return line


def is_number(given: Any) -> bool:
    """True for a finite number; False for booleans."""
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def positive_integer(fields: Mapping[str, Any], key: str, place: str, default: int) -> int:
    """Value of a key that must be a positive integer.

    Raises:
        UsageError: the value is not a positive integer.
    """
    given = fields.get(key, default)
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise UsageError("invalid_value", key=f"{place}: {key}", must="a positive integer", got=given)
    return given


def choice(given: Any, known: Collection[str], kind: str, place: str) -> str:
    """Check that a value is among the known ones.

    Args:
        kind: name of the kind of value, for messages.
        place: position in the claim, for messages.

    Raises:
        UsageError: the value is unknown.
    """
    if not isinstance(given, str) or given not in known:
        raise UsageError("unknown_name", kind=f"{kind} of {place}:", name=str(given), known=known)
    return given
