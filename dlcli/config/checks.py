"""Checks of overrides against a composed configuration: the key exists, the value has the old one's type."""

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
    """True for a mapping of limits by counter, to which any counter may be added."""
    of_stage = key.startswith("learner.") and key.endswith(".until")
    return of_stage or key in _FREE or key in schema.having("counters")


def check_value(word: str, override: Override, base: DictConfig) -> None:
    """Check an override of a value.

    Raises:
        UsageError: there is no such key, or the value has another type than the present one.
    """
    key = override.key_or_group
    added = override.is_add() or override.is_force_add() or takes_counters(key.rpartition(".")[0])
    if added and "." in key and parts(key)[0] in base:
        return
    if not has(base, key):
        raise _unknown(key, value_of(word), leaves(base))
    if override.is_delete():
        return
    value, old = override.value(), OmegaConf.select(base, key, throw_on_missing=False)
    if (known := schema.keys_of().get(key)) is not None and not known.use.group:
        known.check_type(value, got=value_of(word))
        return
    if value is None and ("." in key or old is None):
        return
    kinds, must = kind(old)
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise UsageError("invalid_value", key=key, must=must, got=value_of(word), hint=_as_part(key, value))


def _unknown(key: str, value: str, known: Sequence[str]) -> UsageError:
    own = hints.equivalent(key, value)
    if own:
        return UsageError("unknown_key", key=key, hint=f"Write {own}")
    last = key.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == last]
    top = [name for name in known if "." not in name]
    names = same[:1] or (known if "." in key else [*top, *hints.SHORT])
    if same and not synonym(key, names):
        return UsageError("unknown_key", key=key, hint=f'did you mean "{same[0]}"?\nAll keys: dlcli config')
    of_model = [
        name
        for name in known
        if name.startswith("model.") and name.count(".") == 1 and name not in ("model._target_", "model.scales")
    ]
    if "." not in key and of_model and not nearest(key, names).startswith(" (did"):
        hint = f"Keys of this model: {', '.join(of_model)}\nAll keys: dlcli config"
        return UsageError("unknown_key", key=key, hint=hint)
    return UsageError("unknown_key", key=key, known=names, hint="All keys: dlcli config")


def _as_part(key: str, value: Any) -> str:
    """How `model.body=vgg` is written, if a member of a group seems to be meant."""
    groups = (key.partition(".")[0], key.rpartition(".")[2])
    fitting = [group for group in groups if isinstance(value, str) and value in catalogue.members(group)]
    return f"Members of a group are chosen by {fitting[0]}@{key}={value}" if fitting else ""


def kind(old: Any) -> tuple[tuple[type, ...], str]:
    """The types of values that may replace `old`, and their name; no types if any value may."""
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
    """True if a dotted key exists; nothing is looked for inside an interpolation."""
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
    """The segments of a dotted key, list positions included."""
    return [part for part in re.split(r"[.\[\]]+", key) if part]


def leaves(config: Any, prefix: str = "") -> list[str]:
    """Every dotted key of a configuration."""
    found = []
    for name in config:
        found.append(f"{prefix}{name}")
        node = config._get_node(name)
        if OmegaConf.is_dict(node) and not node._is_none() and not node._is_interpolation():
            found += leaves(node, f"{prefix}{name}.")
    return found


def with_new_names(word: str, config: DictConfig) -> str:
    """The word with old names of keys replaced where the configuration has the new one, with a note."""
    key = word.lstrip("+~").partition("=")[0]
    new = aliases.renamed(key)
    if new == key or "@" in key or has(config, key) or not has(config, new):
        return word
    aliases.note(key, new)
    return word.replace(key, new, 1)


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
