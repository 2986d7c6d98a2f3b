"""Relations between the arms of a claim: parsed from a few fixed forms, never executed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from dlcli.claims.claim_fields import check_keys, choice, is_number, value
from dlcli.claims.claim_metric import ClaimMetric
from dlcli.core.errors import UsageError

_FORMS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "better": (("better", "than", "by", "by_factor", "metric"), ("than",)),
    "reaches": (("arm", "reaches", "metric"), ("arm",)),
    "order": (("order", "metric"), ()),
    "slope": (("slope", "within", "arm"), ("within",)),
    "value": (("value", "within", "arm"), ("within",)),
}
"""Allowed and required keys of each form, by its identifying key."""


@dataclass(frozen=True)
class RelationResult:
    """Confidence interval and the region in which it must lie.

    Args:
        text: description.
        kind: difference or ratio, both larger if the first arm is better, or mean.
        arms: one arm for a mean, otherwise two with the one that must be better first.
        metrics: metric of each arm.
        sign: factor of differences, such that positive differences are better.
        low: lower end of the region.
        high: upper end of the region.
        directed: True if the direction of the metrics matters.
    """

    text: str
    kind: Literal["difference", "ratio", "mean"]
    arms: tuple[str, ...]
    metrics: tuple[str, ...]
    sign: int
    low: float = -math.inf
    high: float = math.inf
    directed: bool = True


@dataclass(frozen=True)
class Relation:
    """Relation of a claim. All of its comparisons must hold."""

    text: str
    comparisons: tuple[RelationResult, ...]


class ClaimContext:
    """Arms and metrics to which relations can refer.

    Args:
        arms: metric of each arm by name; None for the first metric of the claim.
        metrics: metrics by name.
        place: position in the claim, for messages.
    """

    def __init__(self, arms: Mapping[str, str | None], metrics: Mapping[str, ClaimMetric], place: str) -> None:
        self.arms, self.metrics, self.place = arms, metrics, place

    def arm(self, name: Any) -> str:
        """Check the name of an arm."""
        return choice(name, self.arms, "arm", self.place)

    def metric(self, arm: str, given: Any) -> ClaimMetric:
        """Metric of a relation: the given one, else that of the arm, else the first of the claim."""
        name = given if given is not None else self.arms[arm] or next(iter(self.metrics))
        return self.metrics[choice(name, self.metrics, "metric", self.place)]


def parse(entry: Any, known: ClaimContext) -> Relation:
    """Parse a relation from plain values.

    Raises:
        UsageError: the entry has none of the forms, an unknown key, or refers to an unknown arm or metric.
    """
    if not isinstance(entry, Mapping):
        raise UsageError("invalid_value", key=f"{known.place}: relation", must="a mapping", got=entry)
    forms = [name for name in _FORMS if name in entry]
    if len(forms) != 1:
        every_key = {key for keys, _ in _FORMS.values() for key in keys}
        if unknown := [str(key) for key in entry if key not in every_key]:
            key = f"{known.place}: relation: {unknown[0]}"
            raise UsageError("unknown_key", key=key, name=unknown[0], known=_FORMS)
        must = f"a mapping with exactly one of {', '.join(_FORMS)}"
        raise UsageError("invalid_value", key=f"{known.place}: relation", must=must, got=dict(entry))
    check_keys(entry, *_FORMS[forms[0]], f"{known.place}: {forms[0]}")
    comparisons = _PARSERS[forms[0]](entry, known)
    return Relation("; ".join(comparison.text for comparison in comparisons), tuple(comparisons))


def _better(entry: Mapping[str, Any], known: ClaimContext) -> list[RelationResult]:
    if "by" in entry and "by_factor" in entry:
        raise UsageError("conflict", first=f"{known.place}: better: by", second="by_factor")
    if "by_factor" in entry:
        factor = value(entry, "by_factor", float, known.place)
        if factor <= 0:
            raise UsageError("invalid_value", key=f"{known.place}: by_factor", must="positive", got=factor)
        return [_pair(entry["better"], entry["than"], entry.get("metric"), known, "ratio", factor)]
    margin = value(entry, "by", float, known.place, 0.0)
    return [_pair(entry["better"], entry["than"], entry.get("metric"), known, "difference", margin)]


def _order(entry: Mapping[str, Any], known: ClaimContext) -> list[RelationResult]:
    names = value(entry, "order", list, known.place)
    if len(names) < 2 or len(set(map(str, names))) < len(names):
        must = "a list of two or more different arms"
        raise UsageError("invalid_value", key=f"{known.place}: order", must=must, got=names)
    return [_pair(a, b, entry.get("metric"), known, "difference", 0.0) for a, b in pairwise(names)]


def _pair(
    a: Any, b: Any, given: Any, known: ClaimContext, kind: Literal["difference", "ratio"], margin: float
) -> RelationResult:
    names = known.arm(a), known.arm(b)
    if names[0] == names[1]:
        raise UsageError("invalid_value", key=f"{known.place}: than", must="another arm", got=str(b))
    first, second = (known.metric(name, given) for name in names)
    if first.sign != second.sign:
        reason = "their directions are opposite"
        first_metric = f"{known.place}: metric {first.name}"
        raise UsageError("conflict", first=first_metric, second=f"metric {second.name}", reason=reason)
    by = f" by more than {margin:g}" if kind == "difference" and margin > 0 else ""
    by = f" by a factor above {margin:g}" if kind == "ratio" else by
    statement = f"{a} better than {b}{by}" if margin >= 0 else f"{a} at most {-margin:g} worse than {b}"
    metrics = first.name if first == second else f"{first.name} against {second.name}"
    text = f"{statement} ({metrics})"
    return RelationResult(text, kind, names, (first.name, second.name), first.sign, low=margin)


def _reaches(entry: Mapping[str, Any], known: ClaimContext) -> list[RelationResult]:
    arm, level = known.arm(entry["arm"]), value(entry, "reaches", float, known.place)
    metric = known.metric(arm, entry.get("metric"))
    side, bound = ("at least", {"low": level}) if metric.sign > 0 else ("at most", {"high": level})
    return [RelationResult(f"{arm} {side} {level:g} ({metric.name})", "mean", (arm,), (metric.name,), 1, **bound)]


def _within(entry: Mapping[str, Any], known: ClaimContext, key: str) -> list[RelationResult]:
    if "arm" not in entry and len(known.arms) > 1:
        hint = f"Use one of: {', '.join(known.arms)}."
        raise UsageError("required", key=f"{known.place}: {key}: arm", hint=hint)
    arm = known.arm(entry.get("arm", next(iter(known.arms))))
    metric = known.metric(arm, entry[key])
    bounds = value(entry, "within", list, known.place)
    if len(bounds) != 2 or not all(map(is_number, bounds)) or not bounds[0] < bounds[1]:
        must = "[low, high] with two finite numbers and low < high"
        raise UsageError("invalid_value", key=f"{known.place}: within", must=must, got=bounds)
    text = f"{metric.name} of {arm} within [{bounds[0]:g}, {bounds[1]:g}]"
    return [RelationResult(text, "mean", (arm,), (metric.name,), 1, float(bounds[0]), float(bounds[1]), directed=False)]


_PARSERS = {
    "better": _better,
    "order": _order,
    "reaches": _reaches,
    "slope": lambda entry, known: _within(entry, known, "slope"),
    "value": lambda entry, known: _within(entry, known, "value"),
}
