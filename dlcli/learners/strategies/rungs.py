"""Rungs: intermediate limits of a trial."""

import itertools
from collections.abc import Mapping

from dlcli.core.errors import UsageError

Limits = Mapping[str, int | float]


def rung_limits(until: Limits, count: int, reduction: int) -> list[dict[str, int | float]]:
    """`count` limits, each `reduction` times the previous one; the last one is `until`.

    Raises:
        UsageError: `until` is too small for `count` distinct limits.
    """
    limits = [_shortened(until, reduction**level) for level in range(count)][::-1]
    if any(lower == higher for lower, higher in itertools.pairwise(limits)):
        must = f"large enough for {count} limits, each {reduction} times the previous one"
        raise UsageError("invalid_value", key="until", must=must, got=dict(until))
    return limits


def _shortened(until: Limits, divisor: int) -> dict[str, int | float]:
    return {
        name: max(1, round(limit / divisor)) if isinstance(limit, int) else limit / divisor
        for name, limit in until.items()
    }
