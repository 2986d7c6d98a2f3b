"""Provenance of configuration values: a YAML file, the key schema, or the command line."""

from collections.abc import Collection, Sequence
from pathlib import Path

from hydra._internal.config_repository import ConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from dlcli.config import checks, schema, short
from dlcli.config.compose import Point
from dlcli.config.overrides import key_of, saved_config_path
from dlcli.config.primary import base, hydra_session
from dlcli.config.routing import Request, route


def sources(point: Point, extra: Sequence[Path] = ()) -> dict[str, str]:
    """Return the source of every dotted key: the path of a file, or "command line"."""
    recipe = [f"+experiment/{point.verb}={point.recipe}"] if point.recipe else []
    (first, *rest) = point.words or ("",)
    if (path := saved_config_path(first)) is not None:
        return dict.fromkeys(checks.leaves(point.config), str(path)) | _overridden(point, rest)
    request = Request(point.verb, point.recipe, point.words, tuple(extra))
    sources: dict[str, str] = {}
    with hydra_session(extra):
        routed = route(request)
        config, _ = base(request.verb, request.recipe, routed.groups)
        short_keys = short.pop_recipe_keys(config.copy(), request.extra)
        loader = GlobalHydra.instance().config_loader()
        defaults_list = loader.compute_defaults_list(point.verb, [*recipe, *routed.groups], RunMode.RUN)
        repository = ConfigRepository(loader.get_search_path())
        for default in defaults_list.defaults:
            if default.config_path is None or default.config_path.startswith("hydra/"):
                continue
            loaded = repository.load_config(default.config_path)
            if loaded is None or "hydra" in loaded.provider:
                continue
            is_schema = default.config_path.startswith("schema/")
            file = f"{loaded.path.removeprefix('file://')}/{default.config_path}.yaml"
            package = f"{default.package}." if default.package else ""
            sources |= dict.fromkeys(checks.leaves(loaded.config, package), schema.__file__ if is_schema else file)
        for word in short_keys:
            for expanded in short.expand(word, config.learner):
                if "@" not in key_of(expanded):
                    sources[key_of(expanded)] = sources.get(short.head_of(key_of(word)), "")
    return sources | _overridden(point, routed.typed)


def _overridden(point: Point, overrides: Sequence[str]) -> dict[str, str]:
    """The keys that overrides of the command line set."""
    known = {*checks.leaves(point.config)}
    return {_configuration_key(key_of(word), known): "command line" for word in overrides}


def _configuration_key(key: str, known: Collection[str]) -> str:
    """The key that contains the value of an override: `until.steps` of `steps`, the list of a list element."""
    key = f"until.{key}" if key in ("steps", "epochs") else ".".join(checks.parts(key))
    while key not in known and "." in key:
        key = key.rpartition(".")[0]
    return key
