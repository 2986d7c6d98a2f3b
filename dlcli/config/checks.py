"""Checks of overrides against a composed configuration: existing keys, and values of the configured types."""

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from dlcli.config import aliases, catalogue, hints, schema
from dlcli.config.overrides import value_of
from dlcli.core.errors import UsageError, nearest, synonym

_NUMBERS = (int, float)
_FREE = ("retrain.until",)


def takes_counters(key: str) -> bool:
    """Return True for a mapping of limits by counter, to which any counter may be added."""
    is_stage_limit = key.startswith("learner.") and key.endswith(".until")
    return is_stage_limit or key in _FREE or key in schema.with_flag("counters")


def check_value(word: str, override: Override, base: DictConfig) -> None:
    """Check an override of a value.

    Args:
        word: the override as written, for messages.
        override: the parsed override.
        base: the configuration that it changes.

    Raises:
        UsageError: the key does not exist, or the value has another type than the configured one.
    """
    key = override.key_or_group
    added = override.is_add() or override.is_force_add() or takes_counters(key.rpartition(".")[0])
    if added and "." in key and parts(key)[0] in base:
        return
    if not has(base, key):
        raise _unknown_key(key, value_of(word), leaves(base))
    if override.is_delete():
        return
    value, old = override.value(), OmegaConf.select(base, key, throw_on_missing=False)
    if (top_level := schema.keys_of().get(key)) is not None and not top_level.use.group:
        top_level.check_type(value, got=value_of(word))
        return
    if value is None and ("." in key or old is None):
        return
    kinds, must = kind(old)
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise UsageError("invalid_value", key=key, must=must, got=value_of(word), hint=_group_hint(key, value))


def _unknown_key(key: str, value: str, known: Sequence[str]) -> UsageError:
    """The error for an unknown key: an equivalent setting, the same name elsewhere, the model's keys, or the nearest.

    Args:
        key: dotted key of the override.
        value: its value, as written.
        known: all keys of the configuration.
    """
    setting = hints.equivalent(key, value)
    if setting:
        return UsageError("unknown_key", key=key, hint=f"Write {setting}")
    last = key.rpartition(".")[2]
    known = [name for name in known if name.rpartition(".")[2] not in schema.METADATA]
    same_name = [name for name in known if name.rpartition(".")[2] == last]
    top_level = [name for name in known if "." not in name]
    candidates = same_name[:1] or (known if "." in key else [*top_level, *hints.SHORT])
    if same_name and not synonym(key, candidates):
        return UsageError("unknown_key", key=key, hint=f'did you mean "{same_name[0]}"?\nAll keys: dlcli config')
    model_keys = [
        name for name in known if name.startswith("model.") and name.count(".") == 1 and name != "model._target_"
    ]
    if "." not in key and model_keys and not nearest(key, candidates).startswith(" (did"):
        hint = f"Keys of this model: {', '.join(model_keys)}\nAll keys: dlcli config"
        return UsageError("unknown_key", key=key, hint=hint)
    return UsageError("unknown_key", key=key, known=candidates, hint="All keys: dlcli config")


def _group_hint(key: str, value: Any) -> str:
    """Hint for `model.body=vgg`, whose value is a member of a group; "" if it is not."""
    groups = (key.partition(".")[0], key.rpartition(".")[2])
    matching = [group for group in groups if isinstance(value, str) and value in catalogue.members(group)]
    return f"Select a member of a group by {matching[0]}@{key}={value}" if matching else ""


def kind(old: Any) -> tuple[tuple[type, ...], str]:
    """Return the types of values that may replace `old`, and their name; no types if any value may."""
    if isinstance(old, bool):
        return (bool,), "true or false"
    if isinstance(old, int):
        return (int,), "an integer"
    if isinstance(old, float):
        return _NUMBERS, "a number"
    if OmegaConf.is_list(old):
        return (list,), "a list such as [1,2]"
    if OmegaConf.is_dict(old):
        return (dict,), "a mapping such as {key: value}"
    return (), ""


def has(config: DictConfig, key: str) -> bool:
    """Return True if a dotted key exists; False for keys inside an interpolation."""
    node: Any = config
    for part in parts(key):
        if OmegaConf.is_dict(node) and part in node:
            node = node._get_node(part)
        elif OmegaConf.is_list(node) and part.isdigit() and int(part) < len(node):
            node = node._get_node(int(part))
        else:
            return False
        if OmegaConf.is_interpolation(node) and part != parts(key)[-1]:
            return False
    return True


def parts(key: str) -> list[str]:
    """Return the segments of a dotted key, list indices included."""
    return [part for part in re.split(r"[.\[\]]+", key) if part]


def leaves(config: Any, prefix: str = "") -> list[str]:
    """Return every dotted key of a configuration, inner nodes included."""
    keys = []
    for name in config:
        keys.append(f"{prefix}{name}")
        node = config._get_node(name)
        if OmegaConf.is_dict(node) and not node._is_none() and not node._is_interpolation():
            keys += leaves(node, f"{prefix}{name}.")
    return keys


def with_present_names(word: str, config: DictConfig) -> str:
    """Replace previous names in the key of an override where the configuration has the new one, with a note."""
    key = word.lstrip("+~").partition("=")[0]
    new = aliases.renamed(key)
    if new == key or "@" in key or has(config, key) or not has(config, new):
        return word
    aliases.note(key, new)
    return word.replace(key, new, 1)


def first_line(error: Exception) -> str:
    """Return the first line of an exception's message."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
