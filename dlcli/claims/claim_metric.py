"""Metrics of a claim: a score on the test or validation split, or its difference from the training score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcli.claims.claim_fields import check_keys, choice, value
from dlcli.core.errors import UsageError
from dlcli.runs.record import Direction

_DIRECTIONS = ("lower", "higher")


@dataclass(frozen=True)
class ClaimMetric:
    """Metric of a claim.

    Args:
        name: name in the claim.
        of: name of the metric in runs.
        direction: "lower" or "higher" is better.
        gap: True for the absolute difference from the score on the training split (the generalization gap).
    """

    name: str
    of: str
    direction: str
    gap: bool = False

    def check(self, stated: Direction | None, claim: str, run: str) -> None:
        """Check the claim's direction against the direction that a run states for the metric.

        A gap has no direction in the run, and a run may lack directions.

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
        """Factor of differences, such that positive differences are better."""
        return 1 if self.direction == "higher" else -1


def parse(name: str, entry: Any, place: str) -> ClaimMetric:
    """Parse a metric: `lower`, or `{direction: lower, of: nll, minus: train}`.

    Raises:
        UsageError: the entry has neither form.
    """
    place = f"{place}: metrics.{name}"
    if not isinstance(entry, Mapping):
        return ClaimMetric(name, name, choice(entry, _DIRECTIONS, "direction", place))
    check_keys(entry, ("direction", "of", "minus"), ("direction",), place)
    if "minus" in entry:
        choice(entry["minus"], ("train",), "minus", place)
    direction = choice(entry["direction"], _DIRECTIONS, "direction", place)
    return ClaimMetric(name, value(entry, "of", str, place, name), direction, "minus" in entry)
