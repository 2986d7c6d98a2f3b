"""A claim of a paper, as `dlcli/claims/catalogue/NAME.yaml` states it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.claims import claim_metric as measure
from dlcli.claims import relations
from dlcli.claims.claim_fields import check_keys, load, one_of, text, value, whole
from dlcli.claims.claim_metric import Metric
from dlcli.claims.relations import Known, Relation
from dlcli.config import catalogue
from dlcli.core.errors import UsageError, nearest

TIERS = ("minutes", "hour", "gpu")
SPLITS = ("test", "valid")
PROVENANCE = ("paper", "code", "others", "recalled")
"""Read in the paper, read in the authors' code or words, reported by others, or remembered and not checked."""

_NEEDED = ("system", "paper", "where", "file", "statement", "tier", "minutes", "metrics", "arms", "relations", "scaled")
_KEYS = (*_NEEDED, "members", "seeds", "split", "figures", "needs", "waiting")
_HELD = ("arms", "metrics", "split", "relations")
"""What a verdict is about: when it changes, a verdict is of something else."""


@dataclass(frozen=True)
class Arm:
    """A recipe with changes; `metric` is what it is read by, where that is not the claim's first."""

    name: str
    verb: str
    recipe: str
    overrides: tuple[str, ...] = ()
    metric: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """As they are typed behind the verb."""
        return (self.recipe, *self.overrides)


@dataclass(frozen=True)
class Figure:
    """A number of the paper's, and how it is known."""

    of: str
    value: str
    provenance: str


@dataclass(frozen=True)
class Claim:
    """What is claimed, what is run, and what must hold.

    Args:
        where: table, figure or section of the paper.
        file: of the system's code.
        minutes: expected, of one core, with all seeds.
        scaled: what is smaller than in the paper, and why.
        needs: data sets that must be fetched.
        members: which systems it is of, as `model/tcn`.
        waiting: for what; None when the claim can be run.
        definition: hash of all that a verdict is about.
    """

    name: str
    system: str
    paper: str
    where: str
    file: str
    statement: str
    tier: str
    minutes: float
    scaled: str
    seeds: int
    split: str
    metrics: Mapping[str, Metric]
    arms: Mapping[str, Arm]
    figures: tuple[Figure, ...]
    relations: tuple[Relation, ...]
    needs: tuple[str, ...]
    members: tuple[str, ...]
    waiting: str | None
    definition: str


def shelf(extra: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Every claim by name."""
    return catalogue.registry("claim", extra)


def find(name: str, extra: tuple[Path, ...] = ()) -> Claim:
    """The claim of a name.

    Raises:
        UsageError: there is none, or it is not stated as a claim is.
    """
    known = shelf(extra)
    if name not in known:
        raise UsageError(f"no claim {name!r}{nearest(name, known)}\nAll: dlcli reproduce")
    return read(known[name])


def read(path: Path) -> Claim:
    """A claim from its file.

    Raises:
        UsageError: what is wrong with it, in words.
    """
    return parse(path.stem, load(path))


def readable(extra: tuple[Path, ...] = ()) -> tuple[list[Claim], list[str]]:
    """Every claim that is stated as one is, and what is wrong with the others."""
    found, wrong = [], []
    for path in shelf(extra).values():
        try:
            found.append(read(path))
        except UsageError as error:
            wrong.append(str(error))
    return found, wrong


def check_tier(tier: str) -> None:
    """Whether there is such a tier.

    Raises:
        UsageError: there is none.
    """
    if tier not in TIERS:
        raise UsageError(f"--tier {tier!r}{nearest(tier, TIERS)}")


def parse(name: str, found: Any) -> Claim:
    """A claim from plain values.

    Raises:
        UsageError: as `read`.
    """
    place = f"claim {name}"
    check_keys(found, _KEYS, _NEEDED, place)
    told = {key: text(found, key, place) for key in ("system", "paper", "where", "file", "statement", "scaled")}
    metrics = {str(one): measure.parse(str(one), entry, place) for one, entry in _mapping(found, "metrics", place)}
    arms = {str(one): _arm(str(one), entry, place) for one, entry in _mapping(found, "arms", place)}
    known = Known({one.name: one.metric for one in arms.values()}, metrics, place)
    for arm in arms.values():
        known.metric(arm.name, None)
    stated = value(found, "relations", list, place)
    if not stated:
        raise UsageError(f"{place}: a claim has a relation at least")
    return Claim(
        name, **told,
        tier=one_of(found["tier"], TIERS, "tier", place),
        minutes=_minutes(found, place),
        seeds=whole(found, "seeds", place, 5),
        split=_split(found, place),
        metrics=metrics, arms=arms,
        figures=tuple(_figure(one, place) for one in value(found, "figures", list, place, [])),
        relations=tuple(relations.parse(one, known) for one in stated),
        needs=tuple(map(str, value(found, "needs", list, place, []))),
        members=tuple(map(str, value(found, "members", list, place, []))),
        waiting=text(found, "waiting", place) if found.get("waiting") else None,
        definition=_definition(found),
    )  # fmt: skip


def _mapping(found: Mapping[str, Any], key: str, place: str) -> list[tuple[Any, Any]]:
    entries = value(found, key, dict, place)
    if not entries:
        raise UsageError(f"{place}: {key} is empty")
    return list(entries.items())


def _minutes(found: Mapping[str, Any], place: str) -> float:
    minutes: float = value(found, "minutes", float, place)
    if minutes <= 0:
        raise UsageError(f"{place}: minutes is above 0, not {minutes:g}")
    return minutes


def _split(found: Mapping[str, Any], place: str) -> str:
    if (split := found.get("split", "test")) == "train":
        raise UsageError(f"{place}: split: train shows nothing of what was learned; test or valid")
    return one_of(split, SPLITS, "split", place)


def _arm(name: str, entry: Any, place: str) -> Arm:
    place = f"{place}: arms.{name}"
    check_keys(entry, ("verb", "recipe", "overrides", "metric"), ("verb", "recipe"), place)
    verb = one_of(entry["verb"], catalogue.VERBS, "verb", place)
    overrides = value(entry, "overrides", list, place, [])
    if odd := [one for one in overrides if not isinstance(one, str) or "=" not in one]:
        raise UsageError(f"{place}: an override is KEY=VALUE, not {odd[0]!r}")
    if any(one.lstrip("+").startswith("seed=") for one in overrides):
        raise UsageError(f"{place}: seeds are those of the claim, not of an arm")
    metric = value(entry, "metric", str, place)
    return Arm(name, verb, value(entry, "recipe", str, place), tuple(overrides), metric)


def _figure(entry: Any, place: str) -> Figure:
    keys = ("of", "value", "provenance")
    check_keys(entry, keys, keys, f"{place}: figures")
    provenance = one_of(entry["provenance"], PROVENANCE, "provenance", place)
    for key in ("of", "value"):
        if isinstance(entry[key], list | dict):
            raise UsageError(f"{place}: figures: {key} is text or a number, not {entry[key]!r}")
    return Figure(str(entry["of"]), str(entry["value"]), provenance)


def _definition(found: Mapping[str, Any]) -> str:
    """The order counts: the first metric is what arms are read by."""
    held = {key: found.get(key) for key in _HELD}
    return hashlib.sha256(json.dumps(held, default=str).encode()).hexdigest()[:16]
