"""Whether a value of a run is what a condition wants."""

from typing import Any

from dlcli.core.errors import UsageError

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "nothing"})()
"""What a run answers that has no such key."""


class Incomparable(UsageError):
    """A value and a wanted one have no order."""


def holds(key: str, value: Any, sign: str, wanted: Any) -> bool:
    """Whether a value stands so to the wanted one.

    Raises:
        Incomparable: there is no order between them.
    """
    if sign in ("=", "!="):
        return _same(value, wanted) == (sign == "=")
    if sign in ("in", "not in"):
        return any(_same(value, one) for one in wanted) == (sign == "in")
    if sign in ("has", "has not"):
        return _has(value, wanted) == (sign == "has")
    if not _ordered(value, wanted):
        raise Incomparable(f"{key} is {value!r}, which has no order with {wanted!r}")
    return {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[sign]


def _same(value: Any, wanted: Any) -> bool:
    """Equal; text in capitals or not, and anything else as it is written."""
    if isinstance(wanted, str):
        return str(value).casefold() == wanted.casefold()
    if isinstance(value, bool) or isinstance(wanted, bool) or wanted is None:
        return value is wanted
    return bool(value == wanted)


def _has(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(_same(one, wanted) for one in value)
    return str(wanted).casefold() in str(value).casefold()


def _ordered(value: Any, wanted: Any) -> bool:
    number = [isinstance(one, int | float) and not isinstance(one, bool) for one in (value, wanted)]
    return all(number) or (isinstance(value, str) and isinstance(wanted, str))
