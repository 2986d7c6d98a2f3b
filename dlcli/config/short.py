"""Short keys: `lr`, `clip`, `optimizer`, `schedule` and `objective` refer to keys of the learner.

`short:` in a learner's YAML maps them to full keys, relative to the learner: `short: {lr: players.model.optimizer.lr}`.
Recipes and users write `lr: 0.004` for every learner.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcli.config import catalogue, schema
from dlcli.config.overrides import Folders, format_value, key_of
from dlcli.config.schema import SHORT, SHORT_FIXED, SHORT_GROUPS
from dlcli.core.errors import UsageError

_IN_PLAYER = {"lr": "optimizer.lr", **{name: name for name in SHORT[1:]}}


def head_of(key: str) -> str:
    """Return the first segment of a key after its group: `objective` of `dropout@objective.variant`."""
    return key.rpartition("@")[2].partition(".")[0]


def is_short(key: str) -> bool:
    """Return True for short keys, such as `lr`, `objective`, `objective.alpha` and `dropout@objective.variant`."""
    head, is_nested = head_of(key), "." in key or "@" in key
    return head in SHORT_GROUPS if is_nested else head in (*SHORT, *SHORT_FIXED)


def routes(learner: Any) -> dict[str, str]:
    """Return the full key of each short key.

    For a learner without `short:`, they are keys of its player if it has exactly one.
    """
    if not isinstance(learner, DictConfig):
        return {}
    declared = learner.get("short")
    if declared is not None:
        return {str(name): f"learner.{key}" for name, key in declared.items()}
    players = list(learner.get("players") or {})
    if len(players) != 1:
        return {}
    return {name: f"learner.players.{players[0]}.{inner}" for name, inner in _IN_PLAYER.items()}


def expand(word: str, learner: Any) -> str | None:
    """Return the override at its full key; None if the learner does not support the short key."""
    key, equals, value = word.partition("=")
    if key in SHORT_FIXED:
        return f"{SHORT_FIXED[key]}{equals}{value}"
    sign = key[: len(key) - len(key.lstrip("+~"))]
    group, at, inner = key.lstrip("+~").rpartition("@")
    head, dot, rest = inner.partition(".")
    full_key = routes(learner).get(head)
    if full_key is None:
        return None
    if head in SHORT_GROUPS and not at and not dot:
        return f"{sign}{head}@{full_key}{equals}{value}"
    return f"{sign}{group}{at}{full_key}{dot}{rest}{equals}{value}"


def unsupported_key(word: str, learner: DictConfig) -> UsageError:
    """Return the error for a short key that the learner does not support."""
    key = key_of(word)
    group, at, inner = key.rpartition("@")
    head, _, _ = inner.partition(".")
    players = list(learner.get("players") or {})
    rest = inner.removeprefix(head)
    full_keys = [f"{group}{at}learner.players.{name}.{_IN_PLAYER.get(head, head)}{rest}" for name in players]
    name = str(learner.get("_target_", "this learner")).rpartition(".")[2]
    known = sorted(routes(learner))
    hint = f"Short keys of {name}: {', '.join(known)}" if known else ""
    if full_keys:
        hint = f"Use one of: {', '.join(full_keys)}"
    return UsageError("unsupported", subject=name, feature=f"the short key {key}", hint=hint)


def pop_recipe_keys(config: DictConfig, extra: Folders) -> list[str]:
    """Remove the short keys of a recipe from the configuration, in place, and return them as overrides.

    A member of a group is selected by name (`objective: margin`) or by name with settings
    (`objective: {name: margin, down: 0.25}`); without a name, the settings apply to the learner's own member
    (`optimizer: {weight_decay: 1.0e-4}`).

    Raises:
        UsageError: a group has no such member.
    """
    overrides = []
    for head in [name for name in SHORT if name in config]:
        value = OmegaConf.to_container(config, resolve=False)[head]  # type: ignore[index, call-overload]
        del config[head]
        if head not in SHORT_GROUPS:
            overrides.append(f"{head}={format_value(value)}")
            continue
        settings = dict(value) if isinstance(value, Mapping) else {"name": value}
        name = settings.pop("name", None)
        if name is not None:
            known = catalogue.members(head, extra)
            if name not in known:
                raise UsageError("unknown_name", kind=head, name=str(name), known=known)
            overrides.append(f"{head}={name}")
        overrides += [f"{key}={format_value(part)}" for key, part in _flat(settings, head)]
    return overrides


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Nested settings as (dotted key, value); nodes with a `_target_` are values."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value and "_target_" not in value:
            yield from _flat(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", value


def complete_group_key(word: str, choices: Mapping[str, str], config: DictConfig) -> str:
    """Complete the key of a group that has exactly one member: `augment=shift` to `augment@task.augment=shift`."""
    key, _, value = word.partition("=")
    top_level = schema.keys_of().get(key)
    if top_level is not None and top_level.use.member_of and key in config:
        return word if value.startswith("{") else f"{top_level.use.member_of}@{key}={value}"
    if top_level is not None or "@" in key or "." in key:
        return word
    group_keys = [choice for choice in choices if choice.startswith(f"{key}@")]
    return f"{group_keys[0]}={value}" if len(group_keys) == 1 else word
