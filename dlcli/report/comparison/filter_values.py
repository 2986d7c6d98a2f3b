"""Comparison of the values of a run with the operands of a condition."""

from typing import Any

from dlcli.core.errors import UsageError

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "nothing"})()
"""Value of a key that a run does not have."""


class Incomparable(UsageError):
    """A value and an operand of different types have no order."""


def holds(key: str, value: Any, sign: str, operand: Any) -> bool:
    """Evaluate one comparison.

    Args:
        key: key of the value, for the message.
        sign: = != < <= > >=, in, not in, has or has not.

    Raises:
        Incomparable: value and operand have no order.
    """
    if sign in ("=", "!="):
        return _equal(value, operand) == (sign == "=")
    if sign in ("in", "not in"):
        return any(_equal(value, option) for option in operand) == (sign == "in")
    if sign in ("has", "has not"):
        return _contains(value, operand) == (sign == "has")
    if not _ordered(value, operand):
        must = f"comparable by {sign} with {operand!r}"
        raise Incomparable("invalid_value", key=f"--where: {key}", must=must, got=value)
    return {"<": value < operand, "<=": value <= operand, ">": value > operand, ">=": value >= operand}[sign]


def _equal(value: Any, operand: Any) -> bool:
    """Equality; text is compared case-insensitively, true, false and null by identity."""
    if isinstance(operand, str):
        return str(value).casefold() == operand.casefold()
    if isinstance(value, bool) or isinstance(operand, bool) or operand is None:
        return value is operand
    return bool(value == operand)


def _contains(value: Any, operand: Any) -> bool:
    if isinstance(value, list):
        return any(_equal(item, operand) for item in value)
    return str(operand).casefold() in str(value).casefold()


def _ordered(value: Any, operand: Any) -> bool:
    numeric = [isinstance(side, int | float) and not isinstance(side, bool) for side in (value, operand)]
    return all(numeric) or (isinstance(value, str) and isinstance(operand, str))
