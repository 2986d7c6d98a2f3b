"""Range checks of task options (`task.KEY=VALUE`)."""

from collections.abc import Sequence

from dlcli.core.errors import UsageError, nearest


def check_at_least(least: int, **numbers: int) -> None:
    """Check task options, given by name, against a lower bound.

    Raises:
        UsageError: a value is smaller than `least`.
    """
    for name, number in numbers.items():
        if number < least:
            raise UsageError("invalid_value", key=f"task.{name}", must=f"at least {least}", got=number)


def check_choice(known: Sequence[str], **options: str) -> None:
    """Check task options, given by name, against the allowed values.

    Raises:
        UsageError: a value is not in `known`; the hint names the nearest one.
    """
    for name, value in options.items():
        if value not in known:
            suggestion = nearest(value, known)
            hint = suggestion.strip(" ()") if "did you mean" in suggestion else ""
            raise UsageError("invalid_value", key=f"task.{name}", must=" or ".join(known), got=value, hint=hint)


def check_column(key: str, name: str, columns: Sequence[str]) -> str:
    """Return the name if it is one of the columns of a file.

    Args:
        key: option that names the column, for messages.
        name: name of the column.
        columns: columns of the file.

    Raises:
        UsageError: the file does not have the column; the message suggests the nearest one.
    """
    if name not in columns:
        raise UsageError("not_found", kind=f"{key}: column", name=name, known=columns, key=key)
    return name
