"""What must hold between the arms of a claim: a small form that is read, never run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from dlcli.claims.claim_fields import check_keys, is_number, one_of, value
from dlcli.claims.claim_metric import Metric
from dlcli.core.errors import UsageError, nearest

_FORMS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "better": (("better", "than", "by", "by_factor", "metric"), ("than",)),
    "reaches": (("arm", "reaches", "metric"), ("arm",)),
    "order": (("order", "metric"), ()),
    "slope": (("slope", "within", "arm"), ("within",)),
    "value": (("value", "within", "arm"), ("within",)),
}
"""The key that tells a form: keys that it may have, and must have."""


@dataclass(frozen=True)
class Comparison:
    """One interval, and where it must lie.

    Args:
        text: in words.
        kind: of a difference (the better, the larger), of a ratio (likewise), or of a mean.
        arms: one for a mean, two for the others, the one that must be better first.
        metrics: of each arm.
        low: of the region in which the whole interval must lie.
        high: as low.
        directed: whether the direction of the metrics matters.
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
    """A line of a claim: all of its comparisons must hold."""

    text: str
    comparisons: tuple[Comparison, ...]


class Known:
    """The arms and metrics that relations speak of.

    Args:
        arms: name -> the metric it is read by, None for the first.
        metrics: by name.
        place: what an error begins with.
    """

    def __init__(self, arms: Mapping[str, str | None], metrics: Mapping[str, Metric], place: str) -> None:
        self.arms, self.metrics, self.place = arms, metrics, place

    def arm(self, name: Any) -> str:
        return one_of(name, self.arms, "arm", self.place)

    def metric(self, arm: str, wanted: Any) -> Metric:
        """That of the relation, else the arm's own, else the first."""
        name = wanted if wanted is not None else self.arms[arm] or next(iter(self.metrics))
        return self.metrics[one_of(name, self.metrics, "metric", self.place)]


def parse(entry: Any, known: Known) -> Relation:
    """A relation from what a YAML says.

    Raises:
        UsageError: it has none of the forms, an unknown key, or speaks of an arm or a metric that is not there.
    """
    if not isinstance(entry, Mapping):
        raise UsageError(f"{known.place}: a relation is a mapping, not {entry!r}")
    forms = [name for name in _FORMS if name in entry]
    if len(forms) != 1:
        odd = next((str(key) for key in entry if key not in {one for keys, _ in _FORMS.values() for one in keys}), "")
        hint = f": no key {odd!r}{nearest(odd, _FORMS)}" if odd else ""
        raise UsageError(f"{known.place}: a relation has one of {', '.join(_FORMS)}{hint}")
    check_keys(entry, *_FORMS[forms[0]], f"{known.place}: {forms[0]}")
    found = _READERS[forms[0]](entry, known)
    return Relation("; ".join(one.text for one in found), tuple(found))


def _better(entry: Mapping[str, Any], known: Known) -> list[Comparison]:
    if "by" in entry and "by_factor" in entry:
        raise UsageError(f"{known.place}: better: by or by_factor, not both")
    if "by_factor" in entry:
        factor = value(entry, "by_factor", float, known.place)
        if factor <= 0:
            raise UsageError(f"{known.place}: by_factor is above 0, not {factor:g}")
        return [_pair(entry["better"], entry["than"], entry.get("metric"), known, "ratio", factor)]
    margin = value(entry, "by", float, known.place, 0.0)
    return [_pair(entry["better"], entry["than"], entry.get("metric"), known, "difference", margin)]


def _order(entry: Mapping[str, Any], known: Known) -> list[Comparison]:
    names = value(entry, "order", list, known.place)
    if len(names) < 2 or len(set(map(str, names))) < len(names):
        raise UsageError(f"{known.place}: order: two arms or more, each once, not {names}")
    return [_pair(a, b, entry.get("metric"), known, "difference", 0.0) for a, b in pairwise(names)]


def _pair(a: Any, b: Any, wanted: Any, known: Known, kind: Literal["difference", "ratio"], margin: float) -> Comparison:
    names = known.arm(a), known.arm(b)
    if names[0] == names[1]:
        raise UsageError(f"{known.place}: {a} cannot be better than itself")
    one, other = (known.metric(name, wanted) for name in names)
    if one.sign != other.sign:
        raise UsageError(f"{known.place}: {one.name} and {other.name} are better in opposite directions")
    by = f" by more than {margin:g}" if kind == "difference" and margin > 0 else ""
    by = f" by a factor above {margin:g}" if kind == "ratio" else by
    words = f"{a} better than {b}{by}" if margin >= 0 else f"{a} at most {-margin:g} worse than {b}"
    read = one.name if one == other else f"{one.name} against {other.name}"
    return Comparison(f"{words} ({read})", kind, names, (one.name, other.name), one.sign, low=margin)


def _reaches(entry: Mapping[str, Any], known: Known) -> list[Comparison]:
    arm, level = known.arm(entry["arm"]), value(entry, "reaches", float, known.place)
    metric = known.metric(arm, entry.get("metric"))
    words, bound = ("at least", {"low": level}) if metric.sign > 0 else ("at most", {"high": level})
    return [Comparison(f"{arm} {words} {level:g} ({metric.name})", "mean", (arm,), (metric.name,), 1, **bound)]


def _within(entry: Mapping[str, Any], known: Known, key: str) -> list[Comparison]:
    if "arm" not in entry and len(known.arms) > 1:
        raise UsageError(f"{known.place}: {key}: of which arm? arm: one of {', '.join(known.arms)}")
    arm = known.arm(entry.get("arm", next(iter(known.arms))))
    metric = known.metric(arm, entry[key])
    bounds = value(entry, "within", list, known.place)
    if len(bounds) != 2 or not all(map(is_number, bounds)) or not bounds[0] < bounds[1]:
        raise UsageError(f"{known.place}: within is [low, high], not {bounds}")
    text = f"{metric.name} of {arm} within [{bounds[0]:g}, {bounds[1]:g}]"
    return [Comparison(text, "mean", (arm,), (metric.name,), 1, float(bounds[0]), float(bounds[1]), directed=False)]


_READERS = {
    "better": _better,
    "order": _order,
    "reaches": _reaches,
    "slope": lambda entry, known: _within(entry, known, "slope"),
    "value": lambda entry, known: _within(entry, known, "value"),
}
