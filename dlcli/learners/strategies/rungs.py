"""Stops on the way to a trial's end."""

import itertools
from collections.abc import Mapping

from dlcli.core.errors import UsageError

Limits = Mapping[str, int | float]


def stops(until: Limits, count: int, reduction: int) -> list[dict[str, int | float]]:
    """`count` limits, each `reduction` times the one before, the last one `until`.

    Raises:
        UsageError: `until` is too short for so many different stops.
    """
    found = [_part(until, reduction**place) for place in range(count)][::-1]
    if any(one == other for one, other in itertools.pairwise(found)):
        raise UsageError(f"until {dict(until)} is too short for {count} stops, each {reduction} times the one before")
    return found


def _part(until: Limits, divisor: int) -> dict[str, int | float]:
    return {
        name: max(1, round(limit / divisor)) if isinstance(limit, int) else limit / divisor
        for name, limit in until.items()
    }
