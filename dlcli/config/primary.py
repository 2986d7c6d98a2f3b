"""Primary configurations: what Hydra composes from the YAML files of a command, a recipe and members of groups."""

import functools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
from dlcli.config.file_cache import share_files
from dlcli.config.overrides import Folders, key_of, value_of
from dlcli.core.errors import UsageError

ERRORS = (HydraException, OmegaConfBaseException, YAMLError, ValueError, TypeError, KeyError)
"""What Hydra and OmegaConf raise for a wrong override or a damaged file."""


@contextmanager
def session(extra: Sequence[Path]) -> Iterator[None]:
    """Hydra over dlcli's search path; the Hydra of a notebook is restored at the end."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    *others, last = catalogue.folders(extra)
    path = create_config_search_path(str(last))
    for folder in reversed(others):
        path.prepend("folder", f"file://{folder}")
    for command in schema.COMMANDS:
        ConfigStore.instance().store(f"{command}", schema.defaults(command), group="schema", package="_global_")
    try:
        Hydra.create_main_hydra2("dlcli", path)
        share_files(GlobalHydra.instance().config_loader())
        yield
    finally:
        base.cache_clear()  # the files can differ the next time
        GlobalHydra.instance().clear()
        GlobalHydra.instance().hydra = before


def group_words(words: Sequence[str], extra: Folders) -> list[str]:
    """The words that choose a group's member, each checked.

    Raises:
        UsageError: the group has no such member.
    """
    found = []
    for word in words:
        key, _, value = word.partition("=")
        group = key.lstrip("+~").partition("@")[0]
        known = catalogue.members(group, extra)
        if known and group != "experiment":
            if not key.startswith("~") and value not in known:
                raise UsageError("unknown_name", kind=group, name=value, known=known)
            found.append(word)
    return found


@functools.cache
def base(verb: str, recipe: str | None, groups: tuple[str, ...]) -> tuple[DictConfig, dict[str, str]]:
    """A composed configuration and the chosen member by group, before values are set: not to be changed.

    Raises:
        UsageError: Hydra refuses a choice, or a YAML file is damaged.
    """
    chosen = [f"+experiment/{verb}={recipe}"] if recipe else []
    try:
        config = hydra_compose(verb, [*chosen, *groups], return_hydra_config=True)
        choices = {str(group): str(name) for group, name in config.hydra.runtime.choices.items()}
    except ERRORS as error:
        _check_place(verb, recipe, groups, error)
        raise UsageError(plain_error(error)) from None
    OmegaConf.set_struct(config, False)
    OmegaConf.set_readonly(config, False)
    del config["hydra"]
    return config, {group: name for group, name in choices.items() if not group.startswith("hydra")}


def _check_place(verb: str, recipe: str | None, words: Sequence[str], error: Exception) -> None:
    """Explain Hydra's refusal of `model@model.bdy=vgg`: the places where the group's members stand.

    Raises:
        UsageError: the place does not exist.
    """
    refused = re.match(r"Could not override '([^']+)'", str(error))
    mine = [word for word in words if refused and key_of(word) == refused[1]]
    if not refused or not mine:
        return
    _, choices = base(verb, recipe, tuple(word for word in words if word not in mine))
    group, at, place = refused[1].partition("@")
    known = [key for key in choices if key.partition("@")[0] == group]
    value, written = value_of(mine[0]), f"{group}{at}{place}"
    if not known:
        own = hints.equivalent(group, value)
        hint = f"Write {own}" if own else f"This configuration has no member of the group {group}"
        raise UsageError("unknown_key", key=written, hint=hint)
    if at and len(known) > 1:
        raise UsageError("unknown_key", key=written, known=known)
    raise UsageError("unknown_key", key=written, hint=f"Write {known[0]}={value}")


def plain_error(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:3]) if lines else type(error).__name__
