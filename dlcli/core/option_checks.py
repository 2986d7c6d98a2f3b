"""Checks of what a user set under `task.`"""

from collections.abc import Sequence

from dlcli.core.errors import UsageError, nearest


def at_least(least: int, **numbers: int) -> None:
    """Check whole numbers against a lower bound.

    Raises:
        UsageError: one is below it.
    """
    for name, number in numbers.items():
        if number < least:
            raise UsageError(f"task.{name} is at least {least}, not {number}")


def one_of(known: Sequence[str], **words: str) -> None:
    """Check words against the known ones.

    Raises:
        UsageError: one is another.
    """
    for name, word in words.items():
        if word not in known:
            raise UsageError(f"task.{name} is {' or '.join(known)}, not {word!r}{nearest(word, known)}")


def column(key: str, name: str, columns: Sequence[str]) -> str:
    """The name when it is one of the columns.

    Raises:
        UsageError: it is not; the message has the nearest one.
    """
    if name not in columns:
        raise UsageError(f"{key}: the file has no column {name!r}{nearest(name, columns)}")
    return name
