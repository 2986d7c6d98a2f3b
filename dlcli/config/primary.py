"""Primary configurations: the YAML files of a command, a recipe and members of groups, composed by Hydra."""

import copy
import functools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dlcli.config import catalogue, hints, schema
from dlcli.config.file_cache import use_file_cache
from dlcli.config.overrides import Folders, key_of, value_of
from dlcli.core.errors import UsageError

ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError, TypeError, KeyError)
"""Exceptions of Hydra and OmegaConf for an invalid override or a damaged file."""


@contextmanager
def hydra_session(extra: Sequence[Path]) -> Iterator[None]:
    """Initialize Hydra with dlcli's search path; on exit, restore the previous instance (of a notebook)."""
    previous = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    *others, last = catalogue.folders(extra)
    path = create_config_search_path(str(last))
    for folder in reversed(others):
        path.prepend("folder", f"file://{folder}")
    defaults = {command: schema.defaults(command) for command in schema.COMMANDS}
    for command, values in defaults.items():
        ConfigStore.instance().store(f"{command}", values, group="schema", package="_global_")
    _forget_changes([*others, last], defaults)
    try:
        Hydra.create_main_hydra2("dlcli", path)
        use_file_cache(GlobalHydra.instance().config_loader())
        yield
    finally:
        GlobalHydra.instance().clear()
        GlobalHydra.instance().hydra = previous


_state: tuple[Any, Any] = ((), {})
"""What the cache of `base` depends on: path, modification time and size of the YAML files; defaults of the keys."""


def _forget_changes(folders: Sequence[Path], defaults: Any) -> None:
    """Clear the cache of `base` if a file, a folder or a default has changed since the last session."""
    global _state
    current: list[tuple[str, int, int]] = []
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in sorted(names):
                path = os.path.join(parent, name)
                status = os.stat(path)
                current.append((path, status.st_mtime_ns, status.st_size))
    if _state != (current, defaults):
        base.cache_clear()
        _state = (current, copy.deepcopy(defaults))


def group_overrides(overrides: Sequence[str], extra: Folders) -> list[str]:
    """Return the overrides that select members of groups.

    Raises:
        UsageError: a group has no such member.
    """
    selections = []
    for word in overrides:
        key, _, value = word.partition("=")
        group = key.lstrip("+~").partition("@")[0]
        known = catalogue.members(group, extra)
        if known and group != "experiment":
            if not key.startswith("~") and value not in known:
                raise UsageError("unknown_name", kind=group, name=value, known=known)
            selections.append(word)
    return selections


@functools.cache
def base(verb: str, recipe: str | None, groups: tuple[str, ...]) -> tuple[DictConfig, dict[str, str]]:
    """Compose a configuration from its groups, before values are set.

    The result is cached: callers must copy it before they change it.

    Returns:
        the configuration, and the selected member by group.

    Raises:
        UsageError: Hydra rejects a selection, or a YAML file is damaged.
    """
    experiment = [f"+experiment/{verb}={recipe}"] if recipe else []
    try:
        config = hydra_compose(verb, [*experiment, *groups], return_hydra_config=True)
        choices = {str(group): str(name) for group, name in config.hydra.runtime.choices.items()}
    except ERRORS as error:
        _check_package(verb, recipe, groups, error)
        raise config_error(error) from None
    OmegaConf.set_struct(config, False)
    OmegaConf.set_readonly(config, False)
    del config["hydra"]
    if isinstance(config.get("task"), DictConfig):
        config.task.setdefault("metrics", None)  # the engine selects metrics for every task
    return config, {group: name for group, name in choices.items() if not group.startswith("hydra")}


def _check_package(verb: str, recipe: str | None, overrides: Sequence[str], error: Exception) -> None:
    """Explain why Hydra rejects `model@model.bdy=vgg`: list the keys at which the group has members.

    Raises:
        UsageError: the group has no member at this key.
    """
    rejected = re.match(r"Could not override '([^']+)'", str(error))
    matches = [word for word in overrides if rejected and key_of(word) == rejected[1]]
    if not rejected or not matches:
        return
    _, choices = base(verb, recipe, tuple(word for word in overrides if word not in matches))
    key, value = rejected[1], value_of(matches[0])
    group, at, _ = key.partition("@")
    known = [choice for choice in choices if choice.partition("@")[0] == group]
    if not known:
        setting = hints.equivalent(group, value)
        hint = f"Write {setting}" if setting else f"This configuration has no member of the group {group}"
        raise UsageError("unknown_key", key=key, hint=hint)
    if at and len(known) > 1:
        raise UsageError("unknown_key", key=key, known=known)
    raise UsageError("unknown_key", key=key, hint=f"Write {known[0]}={value}")


def config_error(error: Exception) -> UsageError:
    """Return the error for an exception of Hydra or OmegaConf: its first line, and up to two more as the hint."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return UsageError("invalid_configuration", problem=lines[0], hint="\n".join(lines[1:3]))
