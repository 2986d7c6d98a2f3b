"""Range checks of hyper-parameters."""

from collections.abc import Iterable

from dlcli.core.errors import UsageError


def probability(key: str, value: float) -> float:
    """Return the value if it lies in [0, 1).

    Raises:
        UsageError: the value is out of range.
    """
    if not 0 <= value < 1:
        raise UsageError("invalid_value", key=key, must="in [0, 1)", got=value)
    return value


def at_least(minimum: int, **values: int) -> None:
    """Check hyper-parameters of the model, given by name, against a lower bound.

    Raises:
        UsageError: a value is smaller than `minimum`.
    """
    for name, value in values.items():
        if value < minimum:
            raise UsageError("invalid_value", key=f"model.{name}", must=f"at least {minimum}", got=value)


def each_at_least(minimum: int, name: str, values: Iterable[int]) -> None:
    """Check every element of a list hyper-parameter; an error names `model.<name>.<index>`."""
    at_least(minimum, **{f"{name}.{index}": value for index, value in enumerate(values)})
