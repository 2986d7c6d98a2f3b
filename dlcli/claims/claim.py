"""Claims of papers, read from `dlcli/claims/catalogue/NAME.yaml`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.claims import claim_metric as measure
from dlcli.claims import relations
from dlcli.claims.claim_fields import check_keys, choice, load, positive_integer, text, value
from dlcli.claims.claim_metric import ClaimMetric
from dlcli.claims.relations import ClaimContext, Relation
from dlcli.config import catalogue
from dlcli.core.errors import UsageError

TIERS = ("minutes", "hour", "gpu")
SPLITS = ("test", "valid")
PROVENANCE = ("paper", "code", "others", "recalled")
"""Source of a number: the paper, the authors' code or text, a report by others, or memory (not verified)."""

_REQUIRED = (
    "system",
    "paper",
    "where",
    "file",
    "statement",
    "tier",
    "minutes",
    "metrics",
    "arms",
    "relations",
    "scaled",
)
_KEYS = (*_REQUIRED, "members", "seeds", "split", "figures", "needs", "waiting")
_JUDGED = ("arms", "metrics", "split", "relations")
"""Fields that determine the verdict: a result is valid only for the fields with which it was computed."""


@dataclass(frozen=True)
class Arm:
    """Arm of a claim: a recipe with overrides.

    Args:
        name: name in the claim.
        verb: command of the recipe.
        recipe: name of the recipe.
        overrides: overrides of the recipe, `KEY=VALUE`.
        metric: metric by which the arm is compared; None for the first metric of the claim.
    """

    name: str
    verb: str
    recipe: str
    overrides: tuple[str, ...] = ()
    metric: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Arguments of the command."""
        return (self.recipe, *self.overrides)


@dataclass(frozen=True)
class PaperNumber:
    """Number of the paper.

    Args:
        of: quantity.
        value: value with unit, as text.
        provenance: one of `PROVENANCE`.
    """

    of: str
    value: str
    provenance: str


@dataclass(frozen=True)
class Claim:
    """Claim of a paper: the statement, the arms to run, and the relations that must hold.

    Args:
        name: name of the claim.
        system: name of the system.
        paper: authors and year.
        where: table, figure or section of the paper.
        file: source file of the system.
        statement: the claim in one sentence.
        tier: one of `TIERS`, by cost.
        minutes: expected time of all seeds in core-minutes.
        scaled: differences from the experiment of the paper, with reasons.
        seeds: number of seeds.
        split: split of the scores, test or valid.
        metrics: metrics by name; the first is the default of the arms.
        arms: arms by name.
        figures: numbers of the paper.
        relations: relations that must hold.
        needs: data sets that must be downloaded.
        members: systems of the claim, as `model/tcn`.
        waiting: missing requirement; None for a claim that can be run.
        definition: hash of the fields that determine the verdict.
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
    metrics: Mapping[str, ClaimMetric]
    arms: Mapping[str, Arm]
    figures: tuple[PaperNumber, ...]
    relations: tuple[Relation, ...]
    needs: tuple[str, ...]
    members: tuple[str, ...]
    waiting: str | None
    definition: str


def claim_paths(extra: tuple[Path, ...] = ()) -> dict[str, Path]:
    """Paths of all claims by name.

    Args:
        extra: further configuration directories.
    """
    return catalogue.registry("claim", extra)


def load_claim(name: str, extra: tuple[Path, ...] = ()) -> Claim:
    """Load a claim by name.

    Raises:
        UsageError: the claim is unknown or invalid.
    """
    known = claim_paths(extra)
    if name not in known:
        raise UsageError(
            "unknown_name", kind="claim", name=name, known=known, hint="List all claims with: dlcli reproduce"
        )
    return read(known[name])


def read(path: Path) -> Claim:
    """Load a claim from its file.

    Raises:
        UsageError: the file is not a valid claim.
    """
    return parse(path.stem, load(path))


def load_valid_claims(extra: tuple[Path, ...] = ()) -> tuple[list[Claim], list[str]]:
    """Load all claims.

    Returns:
        the valid claims, and the error messages of the others.
    """
    claims, errors = [], []
    for path in claim_paths(extra).values():
        try:
            claims.append(read(path))
        except UsageError as error:
            errors.append(str(error))
    return claims, errors


def check_tier(tier: str) -> None:
    """Check the name of a tier.

    Raises:
        UsageError: the tier is unknown.
    """
    if tier not in TIERS:
        raise UsageError("unknown_name", kind="--tier", name=tier, known=TIERS)


def parse(name: str, fields: Any) -> Claim:
    """Parse a claim from plain values.

    Raises:
        UsageError: the values are not a valid claim.
    """
    place = f"claim {name}"
    check_keys(fields, _KEYS, _REQUIRED, place)
    texts = {key: text(fields, key, place) for key in ("system", "paper", "where", "file", "statement", "scaled")}
    metrics = {str(key): measure.parse(str(key), entry, place) for key, entry in _mapping(fields, "metrics", place)}
    arms = {str(key): _arm(str(key), entry, place) for key, entry in _mapping(fields, "arms", place)}
    known = ClaimContext({arm.name: arm.metric for arm in arms.values()}, metrics, place)
    for arm in arms.values():
        known.metric(arm.name, None)
    entries = value(fields, "relations", list, place)
    if not entries:
        raise UsageError("invalid_value", key=f"{place}: relations", must="at least one relation", got=entries)
    return Claim(
        name, **texts,
        tier=choice(fields["tier"], TIERS, "tier", place),
        minutes=_minutes(fields, place),
        seeds=positive_integer(fields, "seeds", place, 5),
        split=_split(fields, place),
        metrics=metrics, arms=arms,
        figures=tuple(_figure(entry, place) for entry in value(fields, "figures", list, place, [])),
        relations=tuple(relations.parse(entry, known) for entry in entries),
        needs=tuple(map(str, value(fields, "needs", list, place, []))),
        members=tuple(map(str, value(fields, "members", list, place, []))),
        waiting=text(fields, "waiting", place) if fields.get("waiting") else None,
        definition=_definition(fields),
    )  # fmt: skip


def _mapping(fields: Mapping[str, Any], key: str, place: str) -> list[tuple[Any, Any]]:
    entries = value(fields, key, dict, place)
    if not entries:
        raise UsageError("invalid_value", key=f"{place}: {key}", must="a non-empty mapping", got=entries)
    return list(entries.items())


def _minutes(fields: Mapping[str, Any], place: str) -> float:
    minutes: float = value(fields, "minutes", float, place)
    if minutes <= 0:
        raise UsageError("invalid_value", key=f"{place}: minutes", must="positive", got=minutes)
    return minutes


def _split(fields: Mapping[str, Any], place: str) -> str:
    return choice(fields.get("split", "test"), SPLITS, "split", place)


def _arm(name: str, entry: Any, place: str) -> Arm:
    place = f"{place}: arms.{name}"
    check_keys(entry, ("verb", "recipe", "overrides", "metric"), ("verb", "recipe"), place)
    verb = choice(entry["verb"], catalogue.VERBS, "verb", place)
    overrides = value(entry, "overrides", list, place, [])
    key = f"{place}: overrides"
    if invalid := [override for override in overrides if not isinstance(override, str) or "=" not in override]:
        raise UsageError("invalid_value", key=key, must="of the form KEY=VALUE", got=invalid[0])
    if any(override.lstrip("+").startswith("seed=") for override in overrides):
        raise UsageError("conflict", first="seed", second=key, hint="Seeds belong to the claim: use the key seeds.")
    metric = value(entry, "metric", str, place)
    return Arm(name, verb, value(entry, "recipe", str, place), tuple(overrides), metric)


def _figure(entry: Any, place: str) -> PaperNumber:
    keys = ("of", "value", "provenance")
    check_keys(entry, keys, keys, f"{place}: figures")
    provenance = choice(entry["provenance"], PROVENANCE, "provenance", place)
    for key in ("of", "value"):
        if isinstance(entry[key], list | dict):
            raise UsageError("invalid_value", key=f"{place}: figures: {key}", must="text or a number", got=entry[key])
    return PaperNumber(str(entry["of"]), str(entry["value"]), provenance)


def _definition(fields: Mapping[str, Any]) -> str:
    """Hash of the fields that determine the verdict. The order matters: the first metric is the default of the arms."""
    judged = {key: fields.get(key) for key in _JUDGED}
    return hashlib.sha256(json.dumps(judged, default=str).encode()).hexdigest()[:16]
