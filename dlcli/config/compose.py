"""Compose configurations with Hydra from the arguments of a command; errors are raised as `UsageError`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlcli.config import catalogue, checks, schema, short, source, sweeps, trust
from dlcli.config.overrides import Folders, check_limits, key_of, parse, split, value_of
from dlcli.config.primary import ERRORS, base, config_error, group_overrides, hydra_session
from dlcli.config.routing import Request, Routed, has_package, route
from dlcli.core.errors import UsageError

_DEFAULT_LIMIT = {"epochs": 20}


@dataclass(frozen=True)
class Point:
    """Composed configuration of one run, and its origin.

    Args:
        verb: command whose primary configuration it is.
        config: composed and unresolved.
        recipe: name of the recipe, or None.
        choices: name of the selected member by group.
        words: overrides after the recipe.
    """

    verb: str
    config: DictConfig
    recipe: str | None
    choices: Mapping[str, str]
    words: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name of the folder of its runs: the recipe, or `<task>_<model>`."""
        return self.recipe or f"{self.choices['task']}_{self.choices['model']}"

    def resolved(self, seed: int | None = None) -> dict[str, Any]:
        """Return plain values with all interpolations resolved.

        Args:
            seed: replaces the configured seed; None keeps it.

        Raises:
            UsageError: an interpolation cannot be resolved, or a top-level value is out of range.
        """
        config = self.config.copy()
        if seed is not None:
            config.seed = seed
        try:
            plain = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            raise config_error(error) from None
        assert isinstance(plain, dict)
        values = {str(key): value for key, value in plain.items()}
        schema.check(values)
        return values


def expand(
    verb: str, overrides: Sequence[str], *, extra: Sequence[Path] = (), smoke: bool = False, zips: Sequence[str] = ()
) -> list[Point]:
    """Compose the runs that the arguments of a command specify.

    Recipes and values with commas, and values with `range()`, `choice()` or, for a group, `glob()`, give several runs.

    Args:
        verb: "train", "evolve", "search" or "sketch".
        overrides: arguments of the command: a recipe, then overrides; both are optional.
        extra: folders given by `--config-dir`.
        smoke: apply the recipe's overrides of `--smoke`.
        zips: texts such as "a=1,2 b=3,4", whose values are paired.

    Raises:
        UsageError: a word is not an override, or names something that does not exist.
    """
    folders = tuple(extra)
    _trust_for_command(folders, overrides)
    recipes, rest = split(verb, overrides, folders)
    pairs = [sweeps.zipped(text) for text in zips]
    sweeps.check_unique_keys([rest, *pairs])
    check_limits([*rest, *(word for pair in pairs for word in pair)])
    with hydra_session(folders):
        choices: list[list[tuple[str, ...]]] = [[(value,) for value in sweeps.values(word, folders)] for word in rest]
        choices += [sweeps.paired(pair, folders) for pair in pairs]
        points = list(sweeps.product(choices))
        sweeps.check_count(len(recipes) * len(points))
        requests = [_request(verb, recipe, point, folders, smoke) for recipe in recipes for point in points]
        return [_point(request) for request in requests]


def _trust_for_command(folders: Folders, overrides: Sequence[str]) -> None:
    """Trust the folders of `--config-dir`, a project that contains such a `conf`, and typed plug-ins."""
    named = [folder.resolve() for folder in folders]
    trust.allow([*named, *(folder.parent for folder in named if folder.name == "conf")])
    for override in overrides:
        if key_of(override) == "plugins" and "=" in override:
            names = re.findall(r"\w+", value_of(override))
            trust.allow(folder for name in names if (folder := source.folder_of(name)) is not None)


def _request(verb: str, recipe: str | None, overrides: tuple[str, ...], extra: Folders, smoke: bool) -> Request:
    """The request of one run; a model without recipe and task uses the model's home recipe."""
    keys = {key_of(word): value_of(word) for word in overrides}
    model = keys.get("model", "tcn")
    if recipe is None and "task" not in keys and model in catalogue.members(f"experiment/{verb}", extra):
        recipe, overrides = model, tuple(word for word in overrides if not word.startswith("model="))
    if not smoke:
        return Request(verb, recipe, overrides, extra)
    plain = [word for word in overrides if not short.is_short(key_of(word))]
    placed = [word for word in group_overrides(plain, extra) if has_package(word)]
    config, _ = Request(verb, recipe, overrides, extra).composed(placed)
    return Request(verb, recipe, overrides, extra, tuple(map(str, config.get("smoke") or ())))


def _point(request: Request) -> Point:
    routed = route(request)
    _check_places(routed.groups, request)
    config, choices = request.composed(routed.groups)
    if not request.saved:
        catalogue.note_working_folder(request.verb, request.recipe, choices, request.extra)
    config = config.copy()
    if request.recipe and not request.saved:
        short.pop_recipe_keys(config, request.extra)
        if routed.lenient:
            _drop_foreign(config, choices, request, routed)
    if not request.saved or "learner" in map(key_of, routed.groups):
        _drop_limits(config)
    strict, chosen = not routed.lenient, {*group_overrides([word for _, word in routed.smoke], request.extra)}
    smoke = [(raw, word) for raw, word in routed.smoke if word in chosen or _fits(word, config, strict)]
    values = [word for word in routed.own if _fits(word, config, strict)]
    values += [word for _, word in smoke if word not in chosen]
    typed = [checks.with_present_names(word, config) for word in routed.typed]
    values += [word for word in typed if _fits(word, config, True)]
    _apply(config, [opened for word in values for opened in _open(word)])
    if isinstance(config.get("learner"), DictConfig):
        _remove_metadata(config.learner)
    recipe = None if request.saved else request.recipe
    first = (str(request.recipe),) if request.saved else ()
    return Point(
        request.verb,
        _fold_until(config),
        recipe,
        choices,
        (*first, *dict.fromkeys(raw for raw, _ in smoke), *request.words),
    )


def _fits(word: str, config: DictConfig, strict: bool) -> bool:
    """True if the configuration has the key and its value has the type of the override.

    Raises:
        UsageError: it does not, and `strict` is True.
    """
    try:
        checks.check_value(word, parse(word), config)
    except UsageError:
        if strict:
            raise
        return False
    return True


def _check_places(groups: Sequence[str], request: Request) -> None:
    """Check that an added member (`+task@KEY=NAME`) is at a top-level key of the command."""
    for word in groups:
        key = key_of(word)
        package = key.partition("@")[2] or key
        head = package.partition(".")[0]
        if word.startswith("+") and head not in schema.keys_of(request.verb):
            raise UsageError("unknown_key", key=head, known=schema.settable(request.verb))


def _drop_foreign(config: DictConfig, choices: Mapping[str, str], request: Request, routed: Routed) -> None:
    """Remove settings of the recipe for a task, model, learner ... that the user has replaced."""
    own = {name: choices[name] for name in schema.groups(request.verb) if choices.get(name)}
    nested = [
        word for word in routed.groups if "@" in key_of(word) and checks.has(config, key_of(word).partition("@")[2])
    ]
    plain, _ = base(request.verb, None, (*(f"{name}={member}" for name, member in own.items()), *nested))
    for word in group_overrides([*request.words], request.extra):
        key = key_of(word)
        package = key.partition("@")[2] or key
        node, known = OmegaConf.select(config, package), OmegaConf.select(plain, package)
        if isinstance(node, DictConfig) and isinstance(known, DictConfig):
            _reconcile(node, known)


def _reconcile(node: DictConfig, known: DictConfig) -> None:
    """Remove keys that the known node does not have, and reset values of another type."""
    for name in list(node):
        if name not in known:
            del node[name]
            continue
        value, default = node._get_node(name), known._get_node(name)
        if OmegaConf.is_interpolation(value) or OmegaConf.is_interpolation(default):
            continue
        if _is_mapping(value) and _is_mapping(default):
            if value.get("_target_") == default.get("_target_"):
                _reconcile(value, default)
            continue
        kinds, _ = checks.kind(known[name])
        if kinds and not isinstance(node[name], kinds) and not (list in kinds and OmegaConf.is_list(node[name])):
            node[name] = default


def _is_mapping(node: Any) -> TypeGuard[DictConfig]:
    return isinstance(node, DictConfig) and not node._is_none()


def _open(word: str) -> list[str]:
    """Allow new counters in limits: their keys are added, and a complete mapping replaces the old one."""
    key = key_of(word)
    if checks.takes_counters(key) and "={" in word:
        return [f"{key}=null", f"++{word}"]
    return [f"++{word}"] if checks.takes_counters(key.rpartition(".")[0]) and word.startswith(key) else [word]


def _apply(config: DictConfig, overrides: Sequence[str]) -> None:
    """Apply overrides of values in place, as Hydra does."""
    OmegaConf.set_struct(config, True)
    try:
        ConfigLoaderImpl._apply_overrides_to_config([parse(word) for word in overrides], config)
    except ERRORS as error:
        raise config_error(error) from None
    finally:
        OmegaConf.set_struct(config, False)


def _fold_until(config: DictConfig) -> DictConfig:
    """Move `steps` and `epochs` into `until`, in place; without any limit, set the default one."""
    until: Any = config.get("until") or {}
    short = {name: config[name] for name in ("steps", "epochs") if config.get(name) is not None}
    if short:
        until = short | {name: until._get_node(name) for name in until if name not in ("steps", "epochs")}
        config.steps = config.epochs = None
    config.until = until or ({} if _finishes(config) else dict(_DEFAULT_LIMIT))
    return config


def _finishes(config: DictConfig) -> bool:
    """Return True if the learner's YAML states that it ends by itself."""
    return bool(OmegaConf.select(config, "learner.finishes", default=False))


def _drop_limits(config: DictConfig) -> None:
    """Remove a recipe's limits, set for another learner, from a learner that ends by itself."""
    if _finishes(config):
        config.until = {}
        for name in ("steps", "epochs"):
            config[name] = None


def _remove_metadata(node: DictConfig) -> None:
    """Remove `short` from a learner and from its nested learners, in place."""
    node.pop("short", None)
    for name in list(node):
        if _is_mapping(part := node._get_node(name)):
            _remove_metadata(part)
