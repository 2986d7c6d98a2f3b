"""Hydra at arm's length: words of the command line in, configurations out, errors in words."""

import functools
import itertools
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dlcli import catalogue
from dlcli.config.file_cache import share_files
from dlcli.core.errors import Missing, UsageError, nearest

_SHORT = {"lr": "optimiser.lr", "clip": "clip"}  # of the single player
_SHORT_GROUPS = ("optimiser", "schedule", "objective")
_PARTS = {"augment": "task"}  # groups whose one place is a part of another
_PLACES = {"scenes": "task"}  # places of a second member of a group
_NUMBERS = (int, float)
_UNTIL = {"epochs": 20}  # where nothing says when to stop
_NEEDED = ("task", "model", "learner", "seed", "until", "device", "threads")
_MOST = 10_000  # runs of one command
_OF_SEARCH = ("strategy", "candidates", "metric", "over", "limit", "retrain")  # what a trial's configuration leaves out
_OF_ANY = ("device", "threads", "logger", "plugins", "batch")
"""What may be said of a sketch beside that, when its network is trained."""
_FREE = ("until", "limit", "retrain.until")  # limits by counter
_LOG_FROM = 10  # times from one end of an interval to the other
_FROM_ONE = ("eval_every", "log_every", "checkpoint_every", "patience", "budget")
_NULLABLE: dict[str, tuple[tuple[type, ...], str]] = {
    "steps": ((int,), "a whole number"), "epochs": (_NUMBERS, "a number"),
    "eval_every": ((int,), "a whole number"), "checkpoint_every": ((int,), "a whole number"),
    "patience": ((int,), "a whole number"), "wall": (_NUMBERS, "a number of seconds"),
    "budget": ((int,), "a whole number of parameters"),
}  # fmt: skip
_NEEDED_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "seed": ((int,), "a whole number"), "log_every": ((int,), "a whole number"), "device": ((str,), "a word"),
    "threads": ((int, str), "a whole number or auto"), "precision": ((str,), "a word"),
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
        _check_numbers(plain)
        return {str(key): value for key, value in plain.items()}


@dataclass(frozen=True)
class _Request:
    """The words of one run, its recipe set apart."""

    verb: str
    recipe: str | None
    words: tuple[str, ...]
    extra: tuple[Path, ...] = ()


def expand(
    verb: str, words: Sequence[str], *, extra: Sequence[Path] = (), smoke: bool = False, zips: Sequence[str] = ()
) -> list[Point]:
    """The runs that the words after a verb ask for: one, or several where recipes or values hold commas, where values
    hold `range()`, `choice()` or, for a group, `glob()`.

    Args:
        zips: texts such as "a=1,2 b=3,4", whose values go in pairs.

    Raises:
        UsageError: a word is not an override, or names something that does not exist.
    """
    recipes, rest = _sort(verb, words, tuple(extra))
    pairs = [_zipped(text) for text in zips]
    _check_once([rest, *pairs])
    _check_end([*rest, *(word for pair in pairs for word in pair)])
    with _hydra(extra):
        choices: list[list[tuple[str, ...]]] = [[(value,) for value in _values(word, tuple(extra))] for word in rest]
        choices += [_in_pairs(pair, tuple(extra)) for pair in pairs]
        points = list(_product(choices))
        _check_count(len(recipes) * len(points))
        requests = [_request(verb, recipe, point, tuple(extra)) for recipe in recipes for point in points]
        return [_point(request, _smoke(request) if smoke else ()) for request in requests]


def _sort(verb: str, words: Sequence[str], extra: tuple[Path, ...]) -> tuple[list[str | None], list[str]]:
    """Tell the recipes, [None] where there is none, from the overrides."""
    recipes: list[str | None] = [None]
    rest = list(words)
    if rest and _is_bare(rest[0]):
        recipes = [_recipe(verb, name, extra) for name in rest.pop(0).split(",")]
    for word in rest:
        _check_word(word)
    return recipes, [_quoted(word) for word in rest]


def _request(verb: str, recipe: str | None, words: tuple[str, ...], extra: tuple[Path, ...]) -> _Request:
    """One run; a model alone brings its home recipe."""
    keys = {_key(word): word.partition("=")[2] for word in words}
    model = keys.get("model", "tcn")
    if recipe is None and "task" not in keys and model in catalogue.members(f"experiment/{verb}", extra):
        return _Request(verb, model, tuple(word for word in words if not word.startswith("model=")), extra)
    return _Request(verb, recipe, words, extra)


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _is_bare(word: str) -> bool:
    return "=" not in word and not word.startswith(("~", "-", "+"))


def _recipe(verb: str, name: str, extra: tuple[Path, ...]) -> str:
    known = catalogue.members(f"experiment/{verb}", extra)
    if name in known:
        return name
    for other, recipe, _ in catalogue.recipes(extra):
        if recipe == name:
            raise UsageError(f"{name} is a recipe of {other}: dlcli {other} {name}")
    words = [*known, *catalogue.RESERVED.get(verb, ())]
    raise UsageError(f"no recipe {name!r} of {verb}{nearest(name, words)}\nAll of them: dlcli list recipes")


def _check_word(word: str) -> None:
    if word.startswith("-"):
        key, _, value = word.lstrip("-").partition("=")
        last = key.rpartition(".")[2]
        shown = f"{last if last in (*_SHORT, *_SHORT_GROUPS) else key}={value or 'VALUE'}"
        raise UsageError(f"{word}: settings are written key=value, without dashes: {shown}")
    if _is_bare(word):
        raise UsageError(f"{word!r} is not key=value; a recipe comes first, and there is only one")
    key = _key(word)
    if not key:
        raise UsageError(f"{word!r} is not key=value: nothing stands before the =")
    if key.partition("/")[0] == "experiment":
        raise UsageError(f"{word}: a recipe is the first word, by its name alone: {word.partition('=')[2]}")
    if word.startswith("~") and "." not in key:
        raise UsageError(f"{word}: every run needs {key}, it cannot be taken away")


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
        share_files(GlobalHydra.instance().config_loader())
        yield
    finally:
        _base.cache_clear()  # files may be others the next time
        GlobalHydra.instance().clear()
        GlobalHydra.instance().hydra = before


def _parse(words: Sequence[str]) -> list[Override]:
    return [_parse_one(word) for word in words]


def _parse_one(word: str) -> Override:
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        raise UsageError(
            f"{word[:100]!r} cannot be read\nValues with commas, brackets or quotes are quoted: 'key=\"a, b\"'"
        ) from None


def _quoted(word: str) -> str:
    """The word; its value in quotes when Hydra's grammar cannot read it and it can only be one plain text."""
    key, equals, value = word.partition("=")
    if not equals or not value or any(sign in value for sign in ",'\"\\$"):
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return f"{key}='{value}'"
    return word


def _values(word: str, extra: tuple[Path, ...]) -> list[str]:
    """The word once for every value that it holds."""
    override = _parse_one(word)
    if not override.is_sweep_override():
        return [word]
    key = word.partition("=")[0]
    if override.is_interval_sweep():
        raise UsageError(f"{word}: interval() names no values; write commas, range() or choice()")
    try:
        found = _globbed(override, extra) if isinstance(override.value(), Glob) else override.sweep_string_iterator()
        values = list(itertools.islice(found, _MOST + 1))
    except UsageError:
        raise
    except (HydraException, ValueError, TypeError) as error:
        raise UsageError(f"{word}: {_first_line(error)}") from None
    return [f"{key}={value}" for value in values]


def _globbed(override: Override, extra: tuple[Path, ...]) -> Iterator[str]:
    """The members of a group that a `glob()` names."""
    key, value = override.key_or_group, override.value()
    known = list(catalogue.members(key, extra))
    if not known:
        raise UsageError(f"{override.input_line}: glob() chooses members of a group, and {key} is none")
    assert isinstance(value, Glob)
    if not (found := value.filter(known)):
        raise UsageError(f"{override.input_line}: no {key} matches (available: {', '.join(known[:12])})")
    return iter(found)


def _product(choices: Sequence[Sequence[tuple[str, ...]]]) -> Iterator[tuple[str, ...]]:
    """Every combination of the choices, the last one changing fastest."""
    _check_count(math.prod(map(len, choices)))
    return (tuple(itertools.chain.from_iterable(point)) for point in itertools.product(*choices))


_NEXT_WORD = re.compile(r"\s+(?=[+~]*[A-Za-z_][\w.@/\[\]-]*=)")


def _zipped(text: str) -> list[str]:
    """The words of `--zip`.

    Raises:
        UsageError: they are not `a=1,2 b=3,4`.
    """
    words = _NEXT_WORD.split(text.strip())
    if len(words) < 2 or any("=" not in word for word in words):
        raise UsageError(f"--zip {text!r}: it takes two settings or more in one pair of quotes: --zip 'a=1,2 b=3,4'")
    for word in words:
        _check_word(word)
    return [_quoted(word) for word in words]


def _check_once(places: Sequence[Sequence[str]]) -> None:
    """What `--zip` pairs is said nowhere else."""
    seen: set[str] = set()
    for number, words in enumerate(places):
        for key in map(_key, words):
            if number and key in seen:
                raise UsageError(f"--zip: {key} is given twice")
            seen.add(key)


def _check_end(words: Sequence[str]) -> None:
    """`steps` and `epochs` take the place of both in `until`, so one command gives one of the two."""
    given = {_key(word): word for word in words if word.partition("=")[2] != "null"}
    short = [name for name in ("steps", "epochs") if name in given]
    long: list[str] = [name for name in ("until.steps", "until.epochs") if name in given]
    if not long and re.search(r"[{,]\s*(steps|epochs)\s*:", given.get("until", "")):
        long = ["until"]
    if short and long:
        raise UsageError(f"{short[0]}= and {long[0]}= both say when to stop: give one of them")


def _in_pairs(words: Sequence[str], extra: tuple[Path, ...]) -> list[tuple[str, ...]]:
    """First values together, second values together, and so on."""
    columns = [_values(word, extra) for word in words]
    for word, column in zip(words, columns, strict=True):
        if len(column) != len(columns[0]):
            first = f"{_key(words[0])} has {len(columns[0])}"
            raise UsageError(f"--zip pairs values, and {first} of them, {_key(word)} has {len(column)}")
    return list(zip(*columns, strict=True))


def over(texts: Sequence[str], extra: Sequence[Path] = ()) -> str:
    """The word `over=[...]` of `--over` texts: `lr=interval(1e-4,1e-2)`, `model.hidden=range(16,129,16)`,
    `optimiser=choice(adam,sgd)`, `sgd,adam` or, for a group, `glob(*)`.

    An interval whose ends are ten times apart or more is searched on a logarithmic scale: `tag(log,interval(...))` and
    `tag(linear,interval(...))` say so themselves, and `int(interval(1,9))` takes whole numbers.

    Raises:
        UsageError: a text names no values to choose from, or a key twice.
    """
    entries = [_over(text, tuple(extra)) for text in texts]
    keys = [text.partition("=")[0] for text in texts]
    if repeated := next((key for key in keys if keys.count(key) > 1), None):
        raise UsageError(f"--over names {repeated} twice")
    return f"over=[{','.join(entries)}]"


def _over(text: str, extra: tuple[Path, ...]) -> str:
    _check_word(text)
    override = _parse_one(text)
    key, value = text.partition("=")[0], override.value()
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        low, high = sorted((value.start, value.end))
        log = "log" in value.tags or (low > 0 and high / low >= _LOG_FROM and "linear" not in value.tags)
        whole = isinstance(low, int)
        return f"{{key:{key},low:{low!r},high:{high!r},log:{str(log).lower()},whole:{str(whole).lower()}}}"
    if not override.is_sweep_override():
        raise UsageError(f"--over {text}: one value; write {key}=interval(LOW,HIGH), range(A,B,STEP) or choice(A,B)")
    written = [word.partition("=")[2] for word in _values(text, extra)]
    if isinstance(value, RangeSweep) and len(written) > 1:
        whole = isinstance(value.start, int) and isinstance(value.step, int)
        low, high = sorted((float(written[0]), float(written[-1])))
        ends = f"low:{low!r},high:{high!r},step:{float(abs(value.step))!r}"
        return f"{{key:{key},{ends},whole:{str(whole).lower()}}}"
    return f"{{key:{key},choices:[{','.join(map(_in_quotes, written))}]}}"


def _in_quotes(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


def latest(words: Sequence[str]) -> list[str]:
    """Of words for the same key the last one; `until` and its short words are one key."""
    found: dict[str, str] = {}
    for word in words:
        key = _key(word)
        if key == "until":
            for other in [one for one in found if one in ("steps", "epochs") or one.startswith("until.")]:
                del found[other]
        if key in ("steps", "epochs"):
            for other in ("until", "until.steps", "until.epochs"):
                found.pop(other, None)
        found.pop(key, None)
        found[key] = word
    return list(found.values())


def trials(verb: str, words: Sequence[str], label: str | None, extra: Sequence[Path] = ()) -> list[Point]:
    """What the words of a search, with more behind them, are for `train`: runs of one trial each.

    Args:
        verb: whose words they are.
        words: the recipe first, where there is one; of words for the same key the last one counts.
        label: the folder that the runs lie in; None is `<task>_<model>`.

    Raises:
        UsageError: as in `expand`.
    """
    kept = latest(words)
    keys = [_key(word) for word in kept]
    short = [f"{name}=null" for name in ("steps", "epochs") if "until" in keys and name not in keys]
    return [_of_train(point, label) for point in expand(verb, [*kept, *short], extra=extra)]


def found_words(path: Path) -> list[str]:
    """The overrides that a search's best.yaml lists.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        words = OmegaConf.to_container(OmegaConf.load(path))["words"]  # type: ignore[index, call-overload]
    except FileNotFoundError:
        raise Missing(f"{path} is missing: the search has found nothing yet") from None
    except Exception as error:  # noqa: BLE001 - whatever YAML makes of a damaged file
        raise UsageError(f"{path} is damaged: {_first_line(error)}") from None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{path} is damaged: words is a list of key=value")
    return [str(word) for word in words]


def _of_train(point: Point, label: str | None) -> Point:
    config = point.config.copy()
    for name in _OF_SEARCH:
        config.pop(name, None)
    choices = {group: name for group, name in point.choices.items() if group != "strategy"}
    return Point("train", config, label, choices, point.words)


def training(point: Point) -> Point:
    """The run of `train` that makes the network of a sketch."""
    config = point.config.copy()
    for name in catalogue.OF_SKETCH:
        config.pop(name, None)
    kept = [word for word in point.words if _key(word).partition("@")[0].partition(".")[0] not in catalogue.OF_SKETCH]
    kept = [word for word in kept if "@scenes" not in word]
    choices = {group: name for group, name in point.choices.items() if not group.startswith(("network", "task@"))}
    return Point("train", config, None, choices, tuple(kept))


def of_run(point: Point, source: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> Point:
    """The point with task, model and learner of a run, whose network is sketched.

    Args:
        source: the run's run.json.
        config: the run's configuration.
        path: where the run lies.

    Raises:
        UsageError: a word changes what the run has settled.
    """
    for word in point.words:
        key = re.split(r"[.@]", _key(word))[0]
        if key not in (*catalogue.OF_SKETCH, *_OF_ANY) and "@scenes" not in word:
            known = (*catalogue.OF_SKETCH, *_OF_ANY)
            raise UsageError(f"{word}: from= brings its own network, trained already{nearest(key, known)}")
    changed = point.config.copy()
    changed["from"] = str(path.absolute())
    for name in ("task", "model", "learner", "until", "seed", "precision"):
        changed[name] = config[name]
    plugins = [*config.get("plugins", []), *changed.plugins]
    changed.plugins = list(dict.fromkeys(plugins))
    choices = {**point.choices, "task": str(source.get("task")), "model": str(source.get("model"))}
    words = tuple(f"from='{path.absolute()}'" if _key(word) == "from" else word for word in point.words)
    return Point(point.verb, changed, point.recipe, choices, words)


def settled(point: Point, before: Mapping[str, Any]) -> Point:
    """The point with what sketches that it is added to have settled, where no word says otherwise."""
    changed, said = point.config.copy(), {re.split(r"[.@]", _key(word))[0] for word in point.words}
    said |= {"scenes"} if any("@scenes" in word for word in point.words) else set()
    for name in (
        "network",
        "scenes",
        "split",
        "kind",
        "matrix",
        "scale",
        "dimension",
        "density",
        "block",
        "sketch_seed",
    ):
        if name not in said:
            changed[name] = before[name]
    return Point(point.verb, changed, point.recipe, point.choices, point.words)


def seeds(text: str) -> str:
    """`6` and `0:6` as the word `seed=0,1,2,3,4,5`, `3,5` as `seed=3,5`.

    Raises:
        UsageError: it is none of these.
    """
    found = re.fullmatch(r"(\d{1,18})(?::(\d{1,18}))?|(\d{1,18}(?:,\d{1,18})+)", text.strip(), re.ASCII)
    if found is None:
        raise UsageError(f"--seeds {text!r}: it is a number of seeds (6), a range (0:6) or a list (3,5)")
    if found[3]:
        listed = [int(seed) for seed in found[3].split(",")]
    else:
        listed = list(range(*map(int, (found[1], found[2]) if found[2] else ("0", found[1])))[: _MOST + 1])
    if not listed or len(set(listed)) < len(listed):
        raise UsageError(f"--seeds {text!r} " + ("names a seed twice" if listed else "holds no seed"))
    return f"seed={','.join(map(str, listed))}"


def _check_count(count: int) -> None:
    if count > _MOST:
        raise UsageError(f"these values make more than {_MOST:,} runs")
    if count == 0:
        raise UsageError("these values make no run: a range is empty")


def _smoke(request: _Request) -> tuple[str, ...]:
    """The overrides of the recipe's own one-second version."""
    config = _base(request.verb, request.recipe, tuple(_group_words(request.words, request)))
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


def _point(request: _Request, smoke: tuple[str, ...]) -> Point:
    words = (*smoke, *request.words)
    plain = [word for word in words if (key := _key(word)) not in (*_PARTS, *_PLACES) and not _is_short(key)]
    first = _group_words(plain, request)
    base = _base(request.verb, request.recipe, tuple(first))
    written = [_write_out(_whole(word), base) for word in words]
    groups = _group_words(written, request)
    if groups != first:
        base = _base(request.verb, request.recipe, tuple(groups))
    values = [word for word in written if word not in groups]
    for word, override in zip(values, _parse(values), strict=True):
        _check_value(word, override, base)
    ordered = [*groups, *(opened for word in values for opened in _open(word))]
    config, choices = _compose(request.verb, request.recipe, ordered)
    if request.recipe:
        _drop_foreign(config, request.verb, groups, values)
    return Point(request.verb, _fold_until(config), request.recipe, choices, words)


def _drop_foreign(config: DictConfig, verb: str, groups: Sequence[str], values: Sequence[str]) -> None:
    """Take out what a recipe sets of its own objective, optimiser or schedule where a word put another in its place."""
    given = [_key(word) for word in values]
    for word in groups:
        group, at, place = word.partition("=")[0].lstrip("+").partition("@")
        if group not in _SHORT_GROUPS or not at or not _has(config, place):
            continue
        try:
            known = OmegaConf.select(_compose(verb, None, [word])[0], place)
        except UsageError:  # the recipe's learner has other players
            continue
        node = OmegaConf.select(config, place)
        for name in [name for name in node if name not in known]:
            if not any(key == f"{place}.{name}" or key.startswith(f"{place}.{name}.") for key in given):
                del node[name]


def _whole(word: str) -> str:
    """`budget=1e4` as 10000, where a whole number is wanted."""
    key, _, value = word.partition("=")
    power = re.fullmatch(r"\d{1,3}(\.\d{1,9})?[eE]\+?\d", value, re.ASCII)
    if key not in (*_FROM_ONE, "steps") or power is None or not float(value).is_integer():
        return word
    return f"{key}={float(value):.0f}"


def _is_short(key: str) -> bool:
    """Whether it is `lr`, `objective`, `objective.alpha` or `dropout@objective.form`, of the single player."""
    head, dot, _ = key.rpartition("@")[2].partition(".")
    return key in (*_SHORT, *_SHORT_GROUPS, "batch") or (bool(dot) and head in _SHORT_GROUPS)


def _write_out(word: str, base: DictConfig) -> str:
    """`lr=1e-3` as the single player's own key."""
    key, _, value = word.partition("=")
    if key == "batch":
        return f"task.batch={value}"
    if key in _PLACES and _has(base, key):
        return word if value.startswith("{") else f"{_PLACES[key]}@{key}={value}"
    if key in _PARTS:
        whole = _PARTS[key]
        if not _has(base, f"{whole}.{key}"):
            raise UsageError(f"{key}= is a part of the {whole}, and this one has none")
        return f"{key}@{whole}.{key}={value}"
    if not _is_short(key):
        return word
    group, at, inner = key.rpartition("@")
    players = list(base.learner.get("players", {}))
    if len(players) != 1:
        told = ", ".join(f"{group}{at}learner.players.{name}.{_SHORT.get(inner, inner)}" for name in players)
        raise UsageError(f"{key}= is short for the single player's; write one of: {told or 'none here'}")
    place = f"learner.players.{players[0]}"
    if key in _SHORT_GROUPS:
        return f"{key}@{place}.{key}={value}"
    return f"{group}{at}{place}.{_SHORT.get(inner, inner)}={value}"


def _open(word: str) -> list[str]:
    """Limits take any counter, so their keys need no leave to be added; a whole mapping takes the place of the old."""
    key = _key(word)
    if _is_free(key) and "={" in word:
        return [f"{key}=null", f"++{word}"]
    return [f"++{word}"] if _is_free(key.rpartition(".")[0]) and word.startswith(key) else [word]


def _is_free(key: str) -> bool:
    """Whether the mapping of a key takes any counter: limits of a run, of a search, of a stage of a learner."""
    return key in _FREE or (key.startswith("learner.") and key.endswith(".until"))


@functools.cache
def _base(verb: str, recipe: str | None, words: tuple[str, ...]) -> DictConfig:
    """What values are checked against, read and never changed: the runs of one command share it."""
    return _compose(verb, recipe, words)[0]


def _compose(verb: str, recipe: str | None, words: Sequence[str]) -> tuple[DictConfig, dict[str, str]]:
    chosen = [f"+experiment/{verb}={recipe}"] if recipe else []
    try:
        config = hydra_compose(verb, [*chosen, *words], return_hydra_config=True)
        choices = {str(group): str(name) for group, name in config.hydra.runtime.choices.items()}
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError, TypeError, KeyError) as error:
        _check_place(verb, recipe, words, error)
        raise UsageError(_plain_compose_error(error)) from None
    OmegaConf.set_struct(config, False)
    OmegaConf.set_readonly(config, False)
    del config["hydra"]
    return config, {group: name for group, name in choices.items() if not group.startswith("hydra")}


def _check_place(verb: str, recipe: str | None, words: Sequence[str], error: Exception) -> None:
    """`model@model.bdy=vgg`: where the group's members do stand, when Hydra says that none stands there."""
    refused = re.match(r"Could not override '([^']+)'", str(error))
    mine = [word for word in words if refused and _key(word) == refused[1]]
    if not refused or not mine:
        return
    _, choices = _compose(verb, recipe, [word for word in words if word not in mine])
    group, at, place = refused[1].partition("@")
    known = [key for key in choices if key.partition("@")[0] == group]
    if not known:
        raise UsageError(f"{mine[0]}: nothing here has a {group}")
    near = nearest(refused[1], known) if at and len(known) > 1 else f" (write {known[0]}=)"
    raise UsageError(f"{mine[0]}: no {group} stands at {place or group}{near}")


def _plain_compose_error(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:3]) if lines else type(error).__name__


def _check_value(word: str, override: Override, base: DictConfig) -> None:
    """A changed key must be there, and its new value of the old one's kind."""
    key = override.key_or_group
    known = _leaves(base)
    added = override.is_add() or override.is_force_add() or _is_free(key.rpartition(".")[0])
    if added and _parts(key)[:1] and _parts(key)[0] in base:
        return
    if not _has(base, key):
        raise UsageError(f"no key {key!r}{_nearest_key(key, known)}\nAll of them: dlcli config")
    if override.is_delete():
        return
    value, old = override.value(), OmegaConf.select(base, key, throw_on_missing=False)
    if value is None and ("." in key or key in _NULLABLE or old is None):
        return
    kinds, wanted = _NULLABLE.get(key) or _NEEDED_KINDS.get(key) or _kind(old)
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise UsageError(f"{key} is {wanted}, not {_shown(word)}{_as_part(key, value)}")


def _as_part(key: str, value: Any) -> str:
    """How `model.body=vgg` is written, where a member of a group seems to be meant."""
    groups = (key.partition(".")[0], key.rpartition(".")[2])
    fitting = [group for group in groups if isinstance(value, str) and value in catalogue.members(group)]
    return f"\nOne of ours is chosen by {fitting[0]}@{key}={value}" if fitting else ""


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
    return nearest(key, known if "." in key else [*top, *_SHORT, *_SHORT_GROUPS, "batch"])


def _fold_until(config: DictConfig) -> DictConfig:
    """`steps` and `epochs` given short take the place of both in `until`."""
    until: Any = config.get("until") or {}
    short = {name: config[name] for name in ("steps", "epochs") if config.get(name) is not None}
    if short:
        until = short | {name: until._get_node(name) for name in until if name not in ("steps", "epochs")}
        config.steps = config.epochs = None
    ends = OmegaConf.select(config, "learner.finishes", default=False)  # the learner's YAML says that it has an end
    config.until = until or ({} if ends else dict(_UNTIL))
    return config


def _check_numbers(config: Mapping[Any, Any]) -> None:
    """Numbers that could not be right in any run."""
    for name, limit in config["until"].items():
        if isinstance(limit, bool) or not isinstance(limit, _NUMBERS) or not 0 < limit < math.inf:
            raise UsageError(f"{name} is a number above 0, not {limit!r}")
    for name, (kinds, wanted) in (_NULLABLE | _NEEDED_KINDS).items():
        if not isinstance(config[name], kinds) and (config[name] is not None or name in _NEEDED_KINDS):
            raise UsageError(f"{name} is {wanted}, not {config[name]!r}")
    for name in _FROM_ONE:
        if config[name] is not None and config[name] < 1:
            raise UsageError(f"{name} is at least 1, not {config[name]}")
    if config["wall"] is not None and not config["wall"] > 0:
        raise UsageError(f"wall is a number of seconds above 0, not {config['wall']}")


def sources(point: Point, extra: Sequence[Path] = ()) -> dict[str, str]:
    """Where the value of every dotted key came from: a file, or the command line."""
    recipe = [f"+experiment/{point.verb}={point.recipe}"] if point.recipe else []
    request = _Request(point.verb, point.recipe, point.words, tuple(extra))
    found: dict[str, str] = {}
    with _hydra(extra):
        base, _ = _compose(point.verb, point.recipe, [])
        written = [_write_out(word, base) for word in point.words]
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
    known = {*_leaves(point.config)}
    for word in (word for word in written if word not in groups):
        found[_place(_key(word), known)] = "command line"
    return found


def _place(key: str, known: Collection[str]) -> str:
    """Where a word's value ended up: `steps` in `until`, an element of a list in the list."""
    key = f"until.{key}" if key in ("steps", "epochs") else ".".join(_parts(key))
    while key not in known and "." in key:
        key = key.rpartition(".")[0]
    return key


def read(path: Path) -> dict[str, Any]:
    """A run's config.yaml as plain values.

    Raises:
        UsageError: it is missing or damaged.
    """
    try:
        return load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(f"{path} is missing: the run cannot be rebuilt") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is damaged: it is not text") from None


def load(text: str) -> dict[str, Any]:
    """The text of a run's config.yaml as plain values.

    Raises:
        UsageError: it is damaged.
    """
    try:
        plain = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    except Exception as error:  # noqa: BLE001 - whatever YAML makes of a damaged file
        raise UsageError(f"config.yaml is damaged: {_first_line(error)}") from None
    if not isinstance(plain, dict) or not {*_NEEDED} <= {*plain}:
        raise UsageError(f"config.yaml is damaged: it does not hold {', '.join(_NEEDED)}")
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
    words = [_quoted(word) for word in words]
    for word, override in zip(words, _parse(words), strict=True):
        if override.is_sweep_override():
            raise UsageError(f"{word}: one value, not several")
        _check_value(word, override, changed)
        OmegaConf.update(changed, override.key_or_group, override.value(), force_add=True)
    return json.loads(json.dumps(OmegaConf.to_container(changed, resolve=True)))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
