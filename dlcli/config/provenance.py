"""The source of every value of a configuration: a YAML file, the key schema, or the command line."""

from collections.abc import Collection, Sequence
from pathlib import Path

from hydra._internal.config_repository import ConfigRepository
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from dlcli.config import checks, schema, short
from dlcli.config.compose import Point
from dlcli.config.overrides import key_of, saved_path
from dlcli.config.primary import base, session
from dlcli.config.routing import Request, route


def sources(point: Point, extra: Sequence[Path] = ()) -> dict[str, str]:
    """The source of every dotted key."""
    recipe = [f"+experiment/{point.verb}={point.recipe}"] if point.recipe else []
    (first, *rest) = point.words or ("",)
    if (path := saved_path(first)) is not None:
        return dict.fromkeys(checks.leaves(point.config), str(path)) | _typed(point, rest)
    request = Request(point.verb, point.recipe, point.words, tuple(extra))
    found: dict[str, str] = {}
    with session(extra):
        routed = route(request)
        config, _ = base(request.verb, request.recipe, routed.groups)
        of_recipe = short.of_recipe(config.copy(), request.extra)
        loader = GlobalHydra.instance().config_loader()
        listed = loader.compute_defaults_list(point.verb, [*recipe, *routed.groups], RunMode.RUN)
        repository = ConfigRepository(loader.get_search_path())
        for default in listed.defaults:
            if default.config_path is None or default.config_path.startswith("hydra/"):
                continue
            loaded = repository.load_config(default.config_path)
            if loaded is None or "hydra" in loaded.provider:
                continue
            of_schema = default.config_path.startswith("schema/")
            file = f"{loaded.path.removeprefix('file://')}/{default.config_path}.yaml"
            source = schema.__file__ if of_schema else file
            place = default.package if default.package is not None else ""
            for key in checks.leaves(loaded.config, f"{place}." if place else ""):
                found[key] = source
        for word in of_recipe:
            expanded = short.expand(word, config.learner)
            if expanded is not None and "@" not in key_of(expanded):
                found[key_of(expanded)] = found.get(short.head_of(key_of(word)), "")
    return found | _typed(point, routed.typed)


def _typed(point: Point, words: Sequence[str]) -> dict[str, str]:
    """The keys that words of the command line set."""
    known = {*checks.leaves(point.config)}
    return {_place(key_of(word), known): "command line" for word in words}


def _place(key: str, known: Collection[str]) -> str:
    """The key that holds a word's value: `steps` is in `until`, an element of a list in the list."""
    key = f"until.{key}" if key in ("steps", "epochs") else ".".join(checks.parts(key))
    while key not in known and "." in key:
        key = key.rpartition(".")[0]
    return key
