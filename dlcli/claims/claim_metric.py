"""What a claim measures: a score of a run on test or valid, or how far that is from the training score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcli.claims.claim_fields import check_keys, one_of, value
from dlcli.core.errors import UsageError
from dlcli.runs.record import Direction

_DIRECTIONS = ("lower", "higher")


@dataclass(frozen=True)
class Metric:
    """A quantity with its direction.

    Args:
        name: in the claim.
        of: as runs report it.
        direction: "lower" or "higher" is better.
        gap: the score less the same score on the training split; how far apart they are, never the latter alone.
    """

    name: str
    of: str
    direction: str
    gap: bool = False

    def check(self, stated: Direction | None, claim: str, run: str) -> None:
        """Check the claim's direction against the direction that a run states for the metric.

        A gap has no direction of its own, and a run may state none.

        Raises:
            UsageError: they contradict each other.
        """
        if self.gap or stated is None or (stated == "max") == (self.direction == "higher"):
            return
        right = "higher" if stated == "max" else "lower"
        raise UsageError(
            "mismatch",
            subject=f"claim {claim}: metrics.{self.name}",
            requirement=f"direction: {right} (run {run} states {stated} for {self.of})",
            got=self.direction,
        )

    @property
    def sign(self) -> int:
        """By which a difference is multiplied, so that better is more."""
        return 1 if self.direction == "higher" else -1


def parse(name: str, entry: Any, place: str) -> Metric:
    """`lower`, or `{direction: lower, of: nll, minus: train}`.

    Raises:
        UsageError: it is neither.
    """
    place = f"{place}: metrics.{name}"
    if not isinstance(entry, Mapping):
        return Metric(name, name, one_of(entry, _DIRECTIONS, "direction", place))
    check_keys(entry, ("direction", "of", "minus"), ("direction",), place)
    if "minus" in entry:
        one_of(entry["minus"], ("train",), "split to take away", place)
    direction = one_of(entry["direction"], _DIRECTIONS, "direction", place)
    return Metric(name, value(entry, "of", str, place, name), direction, "minus" in entry)
