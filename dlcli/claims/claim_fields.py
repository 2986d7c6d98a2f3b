"""What is in a mapping that people write: its keys known, its values of the right kind."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from dlcli.core.errors import UsageError, nearest

_KINDS = {str: "text", float: "a number", list: "a list", dict: "a mapping"}
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):
    """Refuses a key that is there twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (word := (key.tag, key.value)) in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            seen.add(word if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep=deep)


def load(path: Path) -> Any:
    """Plain values from a YAML file.

    Raises:
        UsageError: it cannot be read, or says something twice.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())[:200]}") from None


def check_keys(found: Any, known: Collection[str], needed: Collection[str], place: str) -> None:
    """Whether a mapping has keys that are known, and all that are needed.

    Raises:
        UsageError: it has not, or is no mapping.
    """
    if not isinstance(found, Mapping):
        raise UsageError(f"{place}: a mapping was wanted, not {found!r}")
    for key in found:
        if key not in known:
            raise UsageError(f"{place}: no key {key!r}{nearest(str(key), known)}")
    if missing := [key for key in needed if key not in found]:
        raise UsageError(f"{place}: {', '.join(missing)} missing")


def value(found: Mapping[str, Any], key: str, kind: type, place: str, default: Any = None) -> Any:
    """The value of a key; whole numbers are numbers, true and false, NaN and infinities are none.

    Raises:
        UsageError: it is of another kind.
    """
    given = found.get(key, default)
    if given is default and key not in found:
        return default
    if not (is_number(given) if kind is float else isinstance(given, kind)):
        raise UsageError(f"{place}: {key} is {_KINDS[kind]}, not {given!r}")
    return float(given) if kind is float else given


def text(found: Mapping[str, Any], key: str, place: str) -> str:
    """A text as one line.

    Raises:
        UsageError: it is none, or would command a terminal.
    """
    line = " ".join(value(found, key, str, place).split())
    if not line.isprintable():
        raise UsageError(f"{place}: {key} has characters that cannot be printed: {line!r}")
    return line


def is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def whole(found: Mapping[str, Any], key: str, place: str, default: int) -> int:
    """A whole number above 0.

    Raises:
        UsageError: it is not one.
    """
    given = found.get(key, default)
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise UsageError(f"{place}: {key} is a whole number above 0, not {given!r}")
    return given


def one_of(given: Any, known: Collection[str], what: str, place: str) -> str:
    """A word that is known.

    Raises:
        UsageError: it is not; the nearest one that is.
    """
    if not isinstance(given, str) or given not in known:
        raise UsageError(f"{place}: no {what} {given!r}{nearest(str(given), known)}")
    return given
