"""Hydra at arm's length: words of the command line in, configurations out, errors in words."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcli import catalogue
from dlcli.core.errors import UsageError, nearest

_SHORT = {"lr": "optimiser.lr", "clip": "clip"}  # of the single player
_SHORT_GROUPS = ("optimiser", "schedule", "objective")
_NUMBERS = (int, float)
_UNTIL = {"epochs": 20}  # where nothing says when to stop
_NULLABLE: dict[str, tuple[tuple[type, ...], str]] = {
    "steps": ((int,), "a whole number"), "epochs": (_NUMBERS, "a number"),
    "eval_every": ((int,), "a whole number"), "checkpoint_every": ((int,), "a whole number"),
    "patience": ((int,), "a whole number"), "wall": (_NUMBERS, "a number of seconds"),
    "budget": ((int,), "a whole number of parameters"), "threads": ((int, str), "a whole number or auto"),
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One run to be: its configuration, not yet resolved, and where it came from.

    Args:
        verb: whose primary configuration it is.
        config: composed and unresolved.
        recipe: the recipe's name, or None.
        choices: the chosen member by group.
        words: the overrides that make it, after the recipe.
    """

    verb: str
    config: DictConfig
    recipe: str | None
    choices: Mapping[str, str]
    words: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name of the folder its runs lie in."""
        return self.recipe or f"{self.choices['task']}_{self.choices['model']}"

    def resolved(self, seed: int | None = None) -> dict[str, Any]:
        """Plain values with every reference resolved, under another seed when one is given."""
        config = self.config.copy()
        if seed is not None:
            config.seed = seed
        try:
            plain = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            raise UsageError(f"a reference cannot be resolved: {_first_line(error)}") from None
        assert isinstance(plain, dict)
        return {str(key): value for key, value in plain.items()}


@dataclass(frozen=True)
class _Request:
    """The words of a command line, sorted."""

    verb: str
    recipe: str | None
    words: tuple[str, ...]
    extra: tuple[Path, ...] = ()
    smoke: tuple[str, ...] = field(default=())


def expand(verb: str, words: Sequence[str], *, extra: Sequence[Path] = (), smoke: bool = False) -> list[Point]:
    """The runs that the words after a verb ask for: one, or several where values hold commas or `range()`.

    Raises:
        UsageError: a word is not an override, or names something that does not exist.
    """
    request = _sort(verb, words, tuple(extra))
    with _hydra(request.extra):
        if smoke:
            request = replace(request, smoke=_smoke(request))
        return [_point(request, point) for point in _product(request.words)]


def _sort(verb: str, words: Sequence[str], extra: tuple[Path, ...]) -> _Request:
    """Tell the recipe from the overrides; a model alone brings its home recipe."""
    recipe, rest = None, list(words)
    if rest and _is_bare(rest[0]):
        recipe = _recipe(verb, rest.pop(0), extra)
    for word in rest:
        _check_word(word)
    keys = {word.lstrip("+~").partition("=")[0]: word.partition("=")[2] for word in rest}
    home = catalogue.members(f"experiment/{verb}", extra)
    if recipe is None and "task" not in keys and keys.get("model", "tcn") in home:
        recipe = keys.get("model", "tcn")
        rest = [word for word in rest if not word.startswith("model=")]
    return _Request(verb, recipe, tuple(rest), extra)


def _is_bare(word: str) -> bool:
    return "=" not in word and not word.startswith(("~", "-", "+"))


def _recipe(verb: str, name: str, extra: tuple[Path, ...]) -> str:
    known = catalogue.members(f"experiment/{verb}", extra)
    if name in known:
        return name
    for other, recipe, _ in catalogue.recipes(extra):
        if recipe == name:
            raise UsageError(f"{name} is a recipe of {other}: dlcli {other} {name}")
    raise UsageError(f"no recipe {name!r} of {verb}{nearest(name, known)}\nAll of them: dlcli list recipes")


def _check_word(word: str) -> None:
    if word.startswith("-"):
        plain = word.lstrip("-")
        shown = plain if "=" in plain else f"{plain}=VALUE"
        raise UsageError(f"{word}: settings are written key=value, without dashes: {shown}")
    if _is_bare(word):
        raise UsageError(f"{word!r} is not key=value; a recipe comes first, and there is only one")


@contextmanager
def _hydra(extra: Sequence[Path]) -> Iterator[None]:
    """Hydra over our search path; whatever Hydra a notebook has is given back."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    *first, own = catalogue.folders(extra)
    path = create_config_search_path(str(own))
    for folder in reversed(first):
        path.prepend("user", f"file://{folder}")
    try:
        Hydra.create_main_hydra2("dlcli", path)
        yield
    finally:
        GlobalHydra.instance().clear()
        GlobalHydra.instance().hydra = before


def _parse(words: Sequence[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides(list(words))
    except HydraException as error:
        raise UsageError(_plain_parse_error(error)) from None


def _plain_parse_error(error: HydraException) -> str:
    lines = str(error).splitlines()
    return f"{lines[0]}\nWrite key=value; quote values with commas, brackets or spaces: 'key=\"a, b\"'"


def _product(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every combination of the swept values, the last one changing fastest."""
    choices = []
    for word, override in zip(words, _parse(words), strict=True):
        if override.is_sweep_override():
            key = word.partition("=")[0]
            try:
                choices.append([f"{key}={value}" for value in override.sweep_string_iterator()])
            except (HydraException, ValueError, TypeError) as error:
                raise UsageError(f"{word}: {_first_line(error)}") from None
        else:
            choices.append([word])
    return itertools.product(*choices)


def _smoke(request: _Request) -> tuple[str, ...]:
    config, _ = _compose(request.verb, request.recipe, _group_words(request.words, request))
    return tuple(OmegaConf.to_object(config).get("smoke", ()))  # type: ignore[union-attr]


def _group_words(words: Sequence[str], request: _Request) -> list[str]:
    """Of the words those that choose a group's member, each checked."""
    found = []
    for word in words:
        key, _, value = word.partition("=")
        group = key.lstrip("+~").partition("@")[0]
        known = catalogue.members(group, request.extra)
        if known and group != "experiment":
            if not key.startswith("~") and value not in known:
                raise UsageError(f"no {group} {value!r}{nearest(value, known)}")
            found.append(word)
    return found


def _point(request: _Request, words: tuple[str, ...]) -> Point:
    words = (*request.smoke, *words)
    plain = [word for word in words if word.partition("=")[0] not in (*_SHORT, *_SHORT_GROUPS, "batch")]
    groups = _group_words(plain, request)
    base, _ = _compose(request.verb, request.recipe, groups)
    written = [_write_out(word, base) for word in words]
    groups = _group_words(written, request)
    base, _ = _compose(request.verb, request.recipe, groups)
    values = [word for word in written if word not in groups]
    for word, override in zip(values, _parse(values), strict=True):
        _check_value(word, override, base)
    ordered = [*groups, *(_open(word) for word in values)]
    config, choices = _compose(request.verb, request.recipe, ordered)
    return Point(request.verb, _fold_until(config), request.recipe, choices, words)


def _write_out(word: str, base: DictConfig) -> str:
    """`lr=1e-3` as the single player's own key."""
    key, _, value = word.partition("=")
    if key == "batch":
        return f"task.batch={value}"
    if key not in _SHORT and key not in _SHORT_GROUPS:
        return word
    players = list(base.learner.get("players", {}))
    if len(players) != 1:
        told = ", ".join(f"learner.players.{name}.{_SHORT.get(key, key)}" for name in players) or "none here"
        raise UsageError(f"{key}= is short for the single player's; write one of: {told}")
    place = f"learner.players.{players[0]}"
    return f"{key}@{place}.{key}={value}" if key in _SHORT_GROUPS else f"{place}.{_SHORT[key]}={value}"


def _open(word: str) -> str:
    """`until` takes any counter, so its keys need no leave to be added."""
    return f"++{word}" if word.startswith("until.") else word


def _compose(verb: str, recipe: str | None, words: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
    chosen = [f"+experiment/{verb}={recipe}"] if recipe else []
    try:
        config = hydra_compose(verb, [*chosen, *words], return_hydra_config=True)
        choices = {str(group): str(name) for group, name in config.hydra.runtime.choices.items()}
    except (HydraException, OmegaConfBaseException) as error:
        raise UsageError(_plain_compose_error(error)) from None
    OmegaConf.set_struct(config, False)
    OmegaConf.set_readonly(config, False)
    del config["hydra"]
    return config, {group: name for group, name in choices.items() if not group.startswith("hydra")}


def _plain_compose_error(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:3]) if lines else type(error).__name__


def _check_value(word: str, override: Override, base: DictConfig) -> None:
    """A changed key must be there, and its new value of the old one's kind."""
    key = override.key_or_group
    if override.is_add() or override.is_force_add() or key.startswith("until."):
        return
    known = _leaves(base)
    if not _has(base, key):
        raise UsageError(f"no key {key!r}{_nearest_key(key, known)}\nAll of them: dlcli config")
    if override.is_delete():
        return
    value = override.value()
    if value is None:
        return
    old = OmegaConf.select(base, key, throw_on_missing=False)
    kinds, wanted = _NULLABLE.get(key) or _kind(old)
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise UsageError(f"{key} is {wanted}, not {_shown(word)}")


def _shown(word: str) -> str:
    return repr(word.partition("=")[2])


def _kind(old: Any) -> tuple[tuple[type, ...], str]:
    """The types that may stand where `old` stood, and their name; none are named where anything may."""
    if isinstance(old, bool):
        return (bool,), "true or false"
    if isinstance(old, int):
        return (int,), "a whole number"
    if isinstance(old, float):
        return _NUMBERS, "a number"
    if OmegaConf.is_list(old):
        return (list,), "a list such as [1,2]"
    if OmegaConf.is_dict(old):
        return (dict,), "a mapping such as {key: value}"
    return (), ""


def _has(config: DictConfig, key: str) -> bool:
    node: Any = config
    for part in _parts(key):
        if OmegaConf.is_dict(node) and part in node:
            node = node._get_node(part)
        elif OmegaConf.is_list(node) and part.isdigit() and int(part) < len(node):
            node = node._get_node(int(part))
        else:
            return False
        if OmegaConf.is_interpolation(node) and part != _parts(key)[-1]:
            return False
    return True


def _parts(key: str) -> list[str]:
    return [part for part in re.split(r"[.\[\]]+", key) if part]


def _leaves(config: Any, prefix: str = "") -> list[str]:
    """Every dotted key of a configuration."""
    keys = []
    for name in config:
        keys.append(f"{prefix}{name}")
        node = config._get_node(name)
        if OmegaConf.is_dict(node) and not node._is_none() and not node._is_interpolation():
            keys += _leaves(node, f"{prefix}{name}.")
    return keys


def _nearest_key(key: str, known: Sequence[str]) -> str:
    """The nearest whole key, or one whose last part is that very word."""
    last = key.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == last]
    if same:
        return f' (did you mean "{same[0]}"?)'
    top = [name for name in known if "." not in name]
    return nearest(key, known if "." in key else [*top, "lr", "batch", "optimiser", "schedule", "clip"])


def _fold_until(config: DictConfig) -> DictConfig:
    """`steps` and `epochs` given short take the place of both in `until`."""
    short = {name: config[name] for name in ("steps", "epochs") if config.get(name) is not None}
    if short:
        kept = {name: limit for name, limit in config.until.items() if name not in ("steps", "epochs")}
        config.until = {**short, **kept}
        config.steps = config.epochs = None
    if not config.until:
        config.until = dict(_UNTIL)
    for name, limit in config.until.items():
        if isinstance(limit, bool) or not isinstance(limit, _NUMBERS) or not limit > 0:
            raise UsageError(f"{name} is a number above 0, not {limit!r}")
    return config


def sources(point: Point, extra: Sequence[Path] = ()) -> dict[str, str]:
    """Where the value of every dotted key came from: a file, or the command line."""
    recipe = [f"+experiment/{point.verb}={point.recipe}"] if point.recipe else []
    request = _Request(point.verb, point.recipe, point.words, tuple(extra))
    found: dict[str, str] = {}
    with _hydra(extra):
        base, _ = _compose(point.verb, point.recipe, [])
        written = [_open(_write_out(word, base)) for word in point.words]
        groups = _group_words(written, request)
        loader = GlobalHydra.instance().config_loader()
        listed = loader.compute_defaults_list(point.verb, [*recipe, *groups], RunMode.RUN)
        repository = ConfigRepository(loader.get_search_path())
        for default in listed.defaults:
            if default.config_path is None or default.config_path.startswith("hydra/"):
                continue
            loaded = repository.load_config(default.config_path)
            if loaded is None or "hydra" in loaded.provider:
                continue
            place = default.package if default.package is not None else ""
            for key in _leaves(loaded.config, f"{place}." if place else ""):
                found[key] = f"{loaded.path.removeprefix('file://')}/{default.config_path}.yaml"
    for word in (word for word in written if word not in groups):
        found[word.lstrip("+~").partition("=")[0]] = "command line"
    return found


def load(text: str) -> dict[str, Any]:
    """A run's config.yaml as plain values.

    Raises:
        UsageError: it is damaged.
    """
    try:
        plain = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except Exception as error:  # noqa: BLE001 - whatever YAML makes of a damaged file
        raise UsageError(f"config.yaml is damaged: {_first_line(error)}") from None
    if not isinstance(plain, dict):
        raise UsageError("config.yaml is damaged: it is not a mapping")
    return {str(key): value for key, value in plain.items()}


def dump(config: Mapping[str, Any]) -> str:
    """Plain values as YAML."""
    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def change(config: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """A resolved configuration with some of its values changed.

    Raises:
        UsageError: a word is no override, or its key is not there.
    """
    for word in words:
        _check_word(word)
    changed = OmegaConf.create(dict(config))
    for word, override in zip(words, _parse(words), strict=True):
        if override.is_sweep_override():
            raise UsageError(f"{word}: one value, not several")
        _check_value(word, override, changed)
        OmegaConf.update(changed, override.key_or_group, override.value(), force_add=True)
    return json.loads(json.dumps(OmegaConf.to_container(changed, resolve=True)))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
