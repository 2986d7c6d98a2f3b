# ruff: noqa: RUF009 - `key` makes dataclass fields
"""Top-level configuration keys: type, range, default and use of each.

The fields of `Keys` are the single definition from which the YAML of every command, the checks of values, the keys of
`--resume` and of signatures, completion, and the reference page (docs/keys.md) are derived.
"""

import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from dlcli.core.errors import UsageError

COMMANDS = ("train", "evolve", "search", "sketch")
"""Commands that compose a configuration and have recipes in `conf/experiment/<command>/`."""

SHORT_GROUPS = ("optimizer", "schedule", "objective")
"""Groups whose full keys the learner's YAML defines (`short:`)."""
SHORT = ("lr", "clip", "devices", *SHORT_GROUPS)
"""Short keys whose full keys the learner's YAML defines."""
SHORT_FIXED = {"batch": "task.batch"}
"""Full key of each short key that does not depend on the learner."""

METADATA = ("scales", "eval_keys", "finishes", "short")
"""Keys of a YAML that describe its class and are not keywords of the constructor: `scales` names the keywords that
`budget=` scales, `eval_keys` those that `dlcli eval` may change (number of samples, beam width, temperature),
`finishes` states that a learner ends by itself, `short` maps its short keys to full keys."""

_NAMES = {int: "an integer", float: "a number", str: "text", bool: "true or false", list: "a list", dict: "a mapping"}
_Kinds = tuple[type, ...]


@dataclass(frozen=True)
class Use:
    """Metadata of a key.

    Args:
        help: meaning, unit and special values, for the reference page.
        minimum: smallest value, inclusive.
        above: lower bound, exclusive.
        choices: allowed values.
        commands: commands that have the key.
        defaults: default by command, where it differs from the field's own.
        resumable: commands whose `--resume` may change the key; "supernet" is a search that trains shared weights.
        signature: True if the value is part of a run's signature; `until` is hashed separately.
        trial: value in every trial of a search.
        retrain: True if a search passes the key on to runs of another recipe.
        with_run: True if a sketch of a finished run may set the key.
        inherited: True if a sketch that extends another one uses its value.
        counters: True if the value is a mapping of limits by counter; counters need no `+`.
        group: True if the key is a configuration group (task, model ...), selected by name.
        member_of: group whose members the key also accepts by name.
        recipe: True if only recipes set the key.
    """

    help: str
    minimum: int | float | None = None
    above: int | float | None = None
    choices: tuple[str, ...] = ()
    commands: tuple[str, ...] = COMMANDS
    defaults: Mapping[str, Any] = field(default_factory=dict)
    resumable: tuple[str, ...] = ()
    signature: bool = False
    trial: str | None = None
    retrain: bool = False
    with_run: bool = False
    inherited: bool = False
    counters: bool = False
    group: bool = False
    member_of: str = ""
    recipe: bool = False


def key(default: Any, help: str, **use: Any) -> Any:
    """Return a field of `Keys` with its default and metadata."""
    return field(default_factory=lambda: default, metadata={"use": Use(help, **use), "default": default})


_RUNS = ("train", "evolve", "supernet")
_ALL = (*_RUNS, "search")
_SEARCH: dict[str, Any] = {"commands": ("search",)}
_SKETCH: dict[str, Any] = {"commands": ("sketch",), "signature": True, "with_run": True}
_STORE: dict[str, Any] = {**_SKETCH, "inherited": True}


@dataclass(frozen=True)
class Keys:
    """The top-level keys in the order of output; a trailing underscore is not part of the name."""

    task: dict = key({}, "data, loss and metrics", group=True, signature=True, retrain=True)
    model: dict = key({}, "network", group=True, signature=True)
    learner: dict = key({}, "update rule", group=True, signature=True)
    strategy: dict = key({}, "search strategy: selects the candidates", group=True, signature=True, **_SEARCH)
    network: dict = key({}, "decomposition of a network into modules", group=True, **_STORE)
    scenes: dict | None = key(
        None, "task whose inputs are sketched; null: the network's training task", member_of="task", **_STORE
    )

    candidates: int = key(
        10, "different trials of the search; with shared weights: architectures drawn from the controller", minimum=1,
        signature=True, resumable=("search", "supernet"), **_SEARCH,
    )  # fmt: skip
    metric: str | None = key(None, "validation metric to optimize; null: the task's main metric", **_SEARCH)
    over: list = key([], "keys to search over, written by --over 'lr=interval(1e-4,1e-2)'", **_SEARCH)
    limit: dict = key(
        {}, "further limits of the complete search by counter: trial_steps, seconds", counters=True,
        resumable=("search", "supernet"), **_SEARCH,
    )  # fmt: skip
    retrain: dict = key(
        {"seeds": 3, "random": None, "finalists": 0, "trainings": 1, "ranked": 0, "until": {}, "recipe": None},
        "training of the result from scratch. seeds: number of runs (0: none); random: trials of the random-search "
        "baseline (null: the number of steps of the search, 0: none); finalists: best candidates of a supernet that "
        "are trained from scratch before one is selected (0: the first); trainings: runs of each finalist; ranked: "
        "further candidates trained from scratch for the rank correlation; until: limits of these runs (empty: those "
        "of a trial); recipe: recipe of train, for networks that the recipe of the supernet does not train",
        resumable=("search", "supernet"), **_SEARCH,
    )  # fmt: skip

    from_: Any = key(None, "trained run whose network is sketched; null: train one first", **_SKETCH)
    append: Any = key(None, "sketch run, or list of them, that the new sketches extend", **_SKETCH)
    split: str = key("test", "split of the scenes", **_STORE)
    skip: int = key(0, "number of scenes of the split to skip", minimum=0, **_SKETCH)
    most: int | None = key(None, "maximum number of scenes; null: all", minimum=1, **_SKETCH)
    kind: str = key("recursive", "recursive, or flat (attributes without structure)", **_STORE)
    matrix: str = key("hadamard", "hadamard, dense, or block (needed for recover-network)", **_STORE)
    scale: str = key("paper", "paper, or isometric (norms do not shrink with depth)", **_STORE)
    dimension: int = key(1024, "dimension of a sketch; matrix=hadamard rounds up to a power of two", **_STORE)
    density: float = key(0.25, "fraction of nonzero blocks of matrix=block", **_STORE)
    block: int = key(16, "entries per block of matrix=block", **_STORE)
    sketch_seed: int = key(0, "seed of the random matrices", **_STORE)
    bench: dict | None = key(None, "error of the decoders on random trees, without a network; null: off", **_SKETCH)

    seed: int = key(
        0, "seed of initial weights, data order, dropout, genomes and trials; test data never depend on it",
        retrain=True,
    )  # fmt: skip
    steps: int | None = key(None, "short for until.steps", resumable=_RUNS)
    epochs: float | None = key(None, "short for until.epochs", resumable=_RUNS)
    until: dict = key(
        {}, "limits by counter (steps, epochs, seconds, samples, updates, evaluations, env_steps ...): the run, or "
        "each trial of a search, ends at the first one reached", counters=True, resumable=_RUNS,
    )  # fmt: skip
    eval_every: int | None = key(
        None, "steps between evaluations on the validation split; null: one epoch", minimum=1, defaults={"evolve": 1},
        resumable=_RUNS,
    )  # fmt: skip
    log_every: int = key(50, "steps averaged in one training row of metrics.csv", minimum=1, defaults={"evolve": 1})
    checkpoint_every: int | None = key(
        1000, "steps between checkpoints in addition to one at each evaluation; null: none", minimum=1,
        defaults={"evolve": None, "search": None}, resumable=_RUNS,
    )  # fmt: skip
    patience: int | None = key(
        None,
        "evaluations without improvement of the main metric before early stopping; null: off",
        minimum=1,
        resumable=_RUNS,
    )
    wall_time_limit: float | None = key(
        None, "wall-clock seconds of this process, after which it saves a checkpoint and exits with code 75",
        above=0, resumable=_ALL, trial="null",
    )  # fmt: skip
    device: str = key(
        "auto", "auto, cpu, cuda, cuda:1", defaults={"evolve": "cpu"}, resumable=_ALL, retrain=True, with_run=True
    )
    threads: int | str = key(
        "auto", "threads per process; auto: measured once for this machine and configuration",
        defaults={"evolve": 1, "search": 1}, retrain=True, with_run=True,
    )  # fmt: skip
    precision: str = key(
        "float32", "float32, float64, or mixed precision: bfloat16, float16", signature=True, retrain=True
    )
    budget: int | None = key(
        None, "number of parameters that the model's width is solved for; null: the configured width", minimum=1
    )
    logger: Any = key(
        None, "tensorboard, mlflow, wandb, or a list of them: copies of the metrics", resumable=_ALL, trial="null",
        with_run=True,
    )  # fmt: skip
    plugins: list = key([], "packages other than dlcli and torch that a _target_ may name", retrain=True, with_run=True)
    smoke: list = key([], "overrides of --smoke, the one-second version", recipe=True)
    remark: str | None = key(None, "printed at the end of a run", recipe=True)


@dataclass(frozen=True)
class Key:
    """Top-level key: name, accepted types, default and metadata."""

    name: str
    kinds: _Kinds
    nullable: bool
    default: Any
    use: Use

    def default_of(self, command: str) -> Any:
        """Return the default of a command."""
        return self.use.defaults.get(command, self.default)

    @property
    def must(self) -> str:
        """Description of the accepted values, as in "an integer of at least 1"."""
        if self.use.choices:
            return f"one of {', '.join(self.use.choices)}"
        text = "a number" if float in self.kinds else " or ".join(_NAMES[kind] for kind in self.kinds) or "any value"
        if self.use.minimum is not None:
            return f"{text} of at least {self.use.minimum:g}"
        return f"{text} above {self.use.above:g}" if self.use.above is not None else text

    def check_type(self, value: Any, got: Any = None) -> None:
        """Check the type of a value.

        Args:
            value: parsed value.
            got: the value as written, for the message; None uses `value`.

        Raises:
            UsageError: it has another type.
        """
        if value is None and self.nullable:
            return
        if self.kinds and (not isinstance(value, self.kinds) or (isinstance(value, bool) and bool not in self.kinds)):
            raise UsageError("invalid_value", key=self.name, must=self.must, got=value if got is None else got)

    def check(self, value: Any) -> None:
        """Check type and range of a value.

        Raises:
            UsageError: the type is wrong or the value is out of range.
        """
        self.check_type(value)
        if value is None:
            return
        use = self.use
        out_of_range = use.minimum is not None and value < use.minimum
        out_of_range |= use.above is not None and not use.above < value < math.inf
        if out_of_range or (use.choices and value not in use.choices):
            raise UsageError("invalid_value", key=self.name, must=self.must, got=value)


@lru_cache(maxsize=8)
def _read(cls: type) -> dict[str, Key]:
    """The fields of a dataclass of keys."""
    hints = get_type_hints(cls)
    keys = {}
    for item in fields(cls):
        hint = hints[item.name]
        parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        kinds = tuple(part for part in parts if part not in (types.NoneType, Any))
        kinds = (int, float) if kinds == (float,) else kinds
        name = item.name.rstrip("_")
        nullable = types.NoneType in parts or Any in parts
        keys[name] = Key(name, kinds, nullable, item.metadata["default"], item.metadata["use"])
    return keys


def keys_of(command: str | None = None) -> dict[str, Key]:
    """Return the keys of a command, or of all commands, by name."""
    return {name: item for name, item in _read(Keys).items() if command is None or command in item.use.commands}


def groups(command: str | None = None) -> list[str]:
    """Return the keys that are configuration groups."""
    return with_flag("group", command)


def defaults(command: str) -> dict[str, Any]:
    """Return the defaults of the keys of a command that are not groups: the first part of its defaults list."""
    return {name: item.default_of(command) for name, item in keys_of(command).items() if not item.use.group}


def required() -> list[str]:
    """Return the keys that every valid configuration of a run has."""
    return [*groups("train"), "seed", "until", "device", "threads"]


def only_of(command: str) -> list[str]:
    """Return the keys of a command that `train` does not have."""
    return [name for name, item in keys_of(command).items() if "train" not in item.use.commands]


def resumable(*commands: str) -> list[str]:
    """Return the keys that `--resume` of any of the commands may change."""
    return [name for name, item in keys_of().items() if set(commands) & set(item.use.resumable)]


def with_flag(use: str, command: str | None = None) -> list[str]:
    """Return the keys with a flag of `Use`: "signature", "retrain", "with_run", "inherited", "counters" ..."""
    return [name for name, item in keys_of(command).items() if getattr(item.use, use)]


def trial_overrides() -> tuple[str, ...]:
    """Return the overrides of every trial of a search."""
    return tuple(f"{name}={item.use.trial}" for name, item in keys_of().items() if item.use.trial is not None)


def settable(command: str) -> list[str]:
    """Return the keys that a user may set: all except those that only recipes set."""
    return [name for name, item in keys_of(command).items() if not item.use.recipe]


def check(config: Mapping[str, Any], names: Iterable[str] | None = None) -> None:
    """Check types and ranges of a resolved configuration.

    Args:
        config: plain values by key.
        names: keys to check; None for all.

    Raises:
        UsageError: a value is invalid.
    """
    for name, item in keys_of().items():
        if name in config and not item.use.group and (names is None or name in names):
            item.check(config[name])
    for name, limit in config["until"].items():
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < math.inf:
            raise UsageError("invalid_value", key=f"until.{name}", must="a number above 0", got=limit)


def reference() -> str:
    """Return the page docs/keys.md: every key with its commands, values, default and meaning."""
    lines = [
        "# Configuration keys", "",
        "Top-level keys of `dlcli train`, `evolve`, `search` and `sketch`. Generated from `dlcli/config/schema.py` by "
        "`dlcli config --reference`.", "",
        "| key | commands | value | default | `--resume` | meaning |", "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name, item in keys_of().items():
        use = item.use
        commands = "all" if use.commands == COMMANDS else ", ".join(use.commands)
        null = " or null" if item.nullable and item.kinds else ""
        value = f"a member of `{name}`" if use.group else f"{item.must}{null}"
        default = "" if use.group else f"`{_plain(item.default)}`"
        default += "".join(f"; {command}: `{_plain(value)}`" for command, value in use.defaults.items())
        lines.append(
            f"| `{name}` | {commands} | {value} | {default} | {', '.join(use.resumable)} | "
            f"{use.help}{' (set by recipes)' if use.recipe else ''} |"
        )
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_plain(part)}" for name, part in value.items()) + "}"
    return "null" if value is None else str(value)
