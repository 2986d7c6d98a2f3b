"""Short keys: `lr`, `clip`, `optimizer`, `schedule` and `objective` stand for places that the learner's YAML names.

A learner's YAML says in `short:` where they go, relative to the learner: `short: {lr: players.model.optimizer.lr}`.
Recipes and users write `lr: 0.004`, whatever the learner is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcli.config import catalogue, schema
from dlcli.config.overrides import Folders, key_of, written
from dlcli.config.schema import SHORT, SHORT_FIXED, SHORT_GROUPS
from dlcli.core.errors import UsageError

_IN_PLAYER = {"lr": "optimizer.lr", **{name: name for name in SHORT[1:]}}


def head_of(key: str) -> str:
    """The first segment of a key, behind its group: `objective` of `dropout@objective.variant`."""
    return key.rpartition("@")[2].partition(".")[0]


def is_short(key: str) -> bool:
    """True for `lr`, `objective`, `objective.alpha`, `dropout@objective.variant` and the like."""
    head, dotted = head_of(key), "." in key or "@" in key
    return head in SHORT_GROUPS if dotted else head in (*SHORT, *SHORT_FIXED)


def routes(learner: Any) -> dict[str, str]:
    """The place of each short key.

    The keys of a learner without `short:` go to its player if it has exactly one.
    """
    if not isinstance(learner, DictConfig):
        return {}
    stated = learner.get("short")
    if stated is not None:
        return {str(name): f"learner.{place}" for name, place in stated.items()}
    players = list(learner.get("players") or {})
    if len(players) != 1:
        return {}
    return {name: f"learner.players.{players[0]}.{inner}" for name, inner in _IN_PLAYER.items()}


def expand(word: str, learner: Any) -> str | None:
    """The word at its full key; None if the learner has no place for the short key."""
    key, equals, value = word.partition("=")
    if key in SHORT_FIXED:
        return f"{SHORT_FIXED[key]}{equals}{value}"
    sign = key[: len(key) - len(key.lstrip("+~"))]
    group, at, inner = key.lstrip("+~").rpartition("@")
    head, dot, rest = inner.partition(".")
    place = routes(learner).get(head)
    if place is None:
        return None
    if head in SHORT_GROUPS and not at and not dot:
        return f"{sign}{head}@{place}{equals}{value}"
    return f"{sign}{group}{at}{place}{dot}{rest}{equals}{value}"


def no_place(word: str, learner: DictConfig) -> UsageError:
    """The error for a short key that the user typed and the learner has no place for."""
    key = key_of(word)
    group, at, inner = key.rpartition("@")
    head, _, _ = inner.partition(".")
    players = list(learner.get("players") or {})
    rest = inner.removeprefix(head)
    long = [f"{group}{at}learner.players.{name}.{_IN_PLAYER.get(head, head)}{rest}" for name in players]
    name = str(learner.get("_target_", "this learner")).rpartition(".")[2]
    known = sorted(routes(learner))
    hint = f"Write one of: {', '.join(long)}" if long else f"It has: {', '.join(known)}" if known else ""
    return UsageError("unsupported", subject=name, feature=f"the short key {key}", hint=hint)


def of_recipe(config: DictConfig, extra: Folders) -> list[str]:
    """The short keys that a recipe sets, as words; they are taken out of the configuration.

    A group is chosen by name (`objective: margin`), by name with settings (`objective: {name: margin, down: 0.25}`),
    or keeps the learner's member (`optimizer: {weight_decay: 1.0e-4}`).

    Raises:
        UsageError: a group has no such member.
    """
    words = []
    for head in [name for name in SHORT if name in config]:
        value = OmegaConf.to_container(config, resolve=False)[head]  # type: ignore[index, call-overload]
        del config[head]
        if head not in SHORT_GROUPS:
            words.append(f"{head}={written(value)}")
            continue
        settings = dict(value) if isinstance(value, Mapping) else {"name": value}
        name = settings.pop("name", None)
        if name is not None:
            known = catalogue.members(head, extra)
            if name not in known:
                raise UsageError("unknown_name", kind=head, name=str(name), known=known)
            words.append(f"{head}={name}")
        words += [f"{key}={written(part)}" for key, part in _flat(settings, head)]
    return words


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value and "_target_" not in value:
            yield from _flat(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value


def part_of(word: str, choices: Mapping[str, str], config: DictConfig) -> str:
    """`augment=shift` as `augment@task.augment=shift`: a group with exactly one place needs no place."""
    key, _, value = word.partition("=")
    known = schema.keys_of().get(key)
    if known is not None and known.use.member_of and key in config:
        return word if value.startswith("{") else f"{known.use.member_of}@{key}={value}"
    if known is not None or "@" in key or "." in key:
        return word
    places = [place for place in choices if place.startswith(f"{key}@")]
    return f"{places[0]}={value}" if len(places) == 1 else word
