"""What is in a mapping that people write: its keys known, its values of the right kind."""

from collections.abc import Collection, Mapping
from typing import Any

from dlcli.core.errors import UsageError, nearest

_KINDS = {str: "text", float: "a number", list: "a list", dict: "a mapping"}


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
    """The value of a key; whole numbers are numbers, true and false are none.

    Raises:
        UsageError: it is of another kind.
    """
    given = found.get(key, default)
    if given is default and key not in found:
        return default
    fits = isinstance(given, int | float) and not isinstance(given, bool) if kind is float else isinstance(given, kind)
    if not fits:
        raise UsageError(f"{place}: {key} is {_KINDS[kind]}, not {given!r}")
    return float(given) if kind is float else given


def one_of(given: Any, known: Collection[str], what: str, place: str) -> str:
    """A word that is known.

    Raises:
        UsageError: it is not; the nearest one that is.
    """
    if not isinstance(given, str) or given not in known:
        raise UsageError(f"{place}: no {what} {given!r}{nearest(str(given), known)}")
    return given
