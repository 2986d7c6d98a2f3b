"""Short keys: `lr`, `clip`, `devices`, `optimizer`, `schedule` and `objective` refer to keys of the learner.

`short:` in a learner's YAML maps them to full keys, relative to the learner: `short: {lr: players.model.optimizer.lr}`.
A short key sets several keys by a list, or by `*`, which matches every key of a mapping:
`lr: stages.*.learner.optimizer.lr` sets the rate of the stages that have this key.
Recipes and users write `lr: 0.004` for every learner.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlcli.config import catalogue, checks, schema
from dlcli.config.overrides import Folders, format_value, key_of
from dlcli.config.schema import SHORT, SHORT_FIXED, SHORT_GROUPS
from dlcli.core.errors import UsageError

_IN_PLAYER = {"lr": "optimizer.lr", "clip": "clip", **{name: name for name in SHORT_GROUPS}}
_LOG = logging.getLogger("dlcli.short")
_NOTED: set[str] = set()


def head_of(key: str) -> str:
    """Return the first segment of a key after its group: `objective` of `dropout@objective.variant`."""
    return key.rpartition("@")[2].partition(".")[0]


def is_short(key: str) -> bool:
    """Return True for short keys, such as `lr`, `objective`, `objective.alpha` and `dropout@objective.variant`."""
    head, is_nested = head_of(key), "." in key or "@" in key
    return head in SHORT_GROUPS if is_nested else head in (*SHORT, *SHORT_FIXED)


def routes(learner: Any) -> dict[str, list[str]]:
    """Return the full keys of each short key.

    Short keys that `short:` does not map are keys of the learner's player if it has exactly one.
    """
    if not isinstance(learner, DictConfig):
        return {}
    players = list(learner.get("players") or {})
    inner = _IN_PLAYER if len(players) == 1 else {}
    full_keys = {name: [f"learner.players.{players[0]}.{key}"] for name, key in inner.items()}
    for name, declared in (learner.get("short") or {}).items():
        patterns = [declared] if isinstance(declared, str) else list(declared)
        full_keys[str(name)] = [f"learner.{key}" for pattern in patterns for key in _matching(pattern, learner)]
    return {name: keys for name, keys in full_keys.items() if keys}


def _matching(pattern: str, learner: DictConfig) -> list[str]:
    """Return the keys of a learner that match a pattern: the pattern itself, or with `*`, the existing keys."""
    head, star, rest = pattern.partition(".*.")
    if not star:
        return [pattern]
    names = OmegaConf.select(learner, head) or {}
    keys = [key for name in names for key in _matching(f"{head}.{name}.{rest}", learner)]
    return [key for key in keys if checks.has(learner, key)]


def expand(word: str, learner: Any) -> list[str]:
    """Return the override at each of its full keys; empty if the learner does not support the short key."""
    key, equals, value = word.partition("=")
    if key in SHORT_FIXED:
        return [f"{SHORT_FIXED[key]}{equals}{value}"]
    sign = key[: len(key) - len(key.lstrip("+~"))]
    group, at, inner = key.lstrip("+~").rpartition("@")
    head, dot, rest = inner.partition(".")
    full_keys = routes(learner).get(head, [])
    if head in SHORT_GROUPS and not at and not dot:
        return [f"{sign}{head}@{full_key}{equals}{value}" for full_key in full_keys]
    return [f"{sign}{group}{at}{full_key}{dot}{rest}{equals}{value}" for full_key in full_keys]


def unsupported_key(word: str, learner: DictConfig, recipe: str = "") -> UsageError:
    """Return the error for a short key that the learner does not support.

    Args:
        word: the override.
        learner: node of the learner.
        recipe: name of the recipe that sets the key; empty if the user set it.
    """
    key = key_of(word)
    group, at, inner = key.rpartition("@")
    head, _, _ = inner.partition(".")
    players = list(learner.get("players") or {}) if head in _IN_PLAYER else []
    rest = inner.removeprefix(head)
    full_keys = [f"{group}{at}learner.players.{name}.{_IN_PLAYER[head]}{rest}" for name in players]
    feature = f"{word} of the recipe {recipe}" if recipe else f"the short key {key}"
    return UsageError("unsupported", subject=_name(learner), feature=feature, hint=_hint(full_keys, learner))


def _hint(full_keys: Sequence[str], learner: DictConfig) -> str:
    """The full keys of several players, or the short keys of the learner."""
    if full_keys:
        return f"Use one of: {', '.join(full_keys)}"
    known = sorted(routes(learner))
    name = _name(learner)
    return f"Short keys of {name}: {', '.join(known)}" if known else f"{name} has no short keys. All keys: dlcli config"


def _name(learner: DictConfig) -> str:
    return str(learner.get("_target_", "this learner")).rpartition(".")[2]


def report_unused(words: Sequence[str], recipe: str, learner: DictConfig) -> None:
    """Report short keys of a recipe that the learner does not support on standard error, once per process.

    Raises:
        UsageError: the objective is among them, so that the run would optimize another loss than the recipe states.
    """
    for word in words:
        if head_of(key_of(word)) == "objective":
            raise unsupported_key(word, learner, recipe)
    line = f"{_name(learner)} does not support {', '.join(words)} of the recipe {recipe}"
    if words and line not in _NOTED:
        _NOTED.add(line)
        _LOG.warning("note: %s", line)


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
