"""What is known of a run without its curves: run.json, and the configuration as flat keys, read when asked for."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from dlcli.core.errors import UsageError, nearest
from dlcli.report.comparison.filter import Condition
from dlcli.report.comparison.filter_values import ABSENT, Incomparable
from dlcli.report.configuration import flatten, read_settings
from dlcli.runs.run import Run

_OWN = (
    "id", "verb", "label", "name", "recipe", "task", "model", "seed", "tags", "host", "parent", "parameters", "steps",
    "seconds", "started", "signature", "receptive_field", "length",
)  # fmt: skip
_COMPARED = ("task", "model", "learner", "strategy", "until", "precision")
"""What a signature is made of: no other key sets two groups apart."""
_SEEDED = ("seed", "order")
"""Last words of keys that follow the run's seed."""
_CLASS = "._target_"
_HIDDEN = ("_partial_", "scales", "eval_keys")


def read_config(run: Run) -> dict[str, Any]:
    """Resolved configuration as flat keys; empty if it is missing or damaged."""
    return dict(flatten(read_settings(run.path)))


class Facts:
    """One run, asked by key: `model.hidden`, or a short form such as `hidden`, `lr`, `optimizer`."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def config(self) -> dict[str, Any]:
        return read_config(self.run)

    def __call__(self, key: str) -> Any:
        """The value of a key, or ABSENT.

        Raises:
            UsageError: the short form stands for several keys.
        """
        if key == "status":
            return self.run.status
        own = "tags" if key == "tag" else key
        if own in _OWN and own in self.run.info:
            return self.run.info[own]
        for name in (key, key + _CLASS):
            if name in self.config:
                return _value(name, self.config)
        return self._short(key)

    def _short(self, key: str) -> Any:
        ends = (f".{key}", f".{key}{_CLASS}")
        found = [name for name in self.config if name.endswith(ends)]
        if len(found) > 1:
            raise UsageError(f"{key} may be any of {', '.join(found[:6])}: give the whole key")
        return _value(found[0], self.config) if found else ABSENT

    def keys(self) -> Iterable[str]:
        return ("status", "tag", *_OWN, *(name.removesuffix(_CLASS) for name in self.config))


def _value(name: str, config: Mapping[str, Any]) -> Any:
    value = config[name]
    return str(value).rpartition(".")[2] if name.endswith(_CLASS) else value


def having(found: Sequence[Run], condition: Condition) -> list[Run]:
    """The runs that a condition holds of.

    Raises:
        UsageError: it asks for a key that no run has, or for an order where there is none.
    """
    known = [Facts(run) for run in found]
    kept, trouble = [], None
    for facts in known:
        try:
            if condition.holds(facts):
                kept.append(facts.run)
        except Incomparable as error:
            trouble = error
    _check_keys(condition, known)
    if trouble and not kept:
        raise UsageError(f"--where {condition.text!r}: {trouble}")
    return kept


def _check_keys(condition: Condition, known: Sequence[Facts]) -> None:
    for key in condition.keys:
        if known and all(facts(key) is ABSENT for facts in known):
            names = {name for facts in known for name in facts.keys()}  # noqa: SIM118 - no mapping
            short = {name.rpartition(".")[2] for name in names}
            raise UsageError(f"--where {condition.text!r}: no run has {key!r}{nearest(key, names | short)}")


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that can set two groups apart, classes by their short names."""
    return {
        name.removesuffix(_CLASS): _value(name, config)
        for name in config
        if name.partition(".")[0] in _COMPARED
        and name.rpartition(".")[2] not in (*_SEEDED, *_HIDDEN)
        and name not in ("task._target_", "model._target_")
    }


def differing(configs: Sequence[Mapping[str, Any]], *, absent: bool = False) -> list[str]:
    """Keys that have several values, in the order they come up.

    Parts of different classes have different keys: those are compared where the class is the same, and the class itself
    tells the others apart.

    Args:
        configs: flat.
        absent: a key that only some of them have differs too.
    """
    names = dict.fromkeys(name for config in configs for name in config)
    return [name for name in names if _several(name, configs, absent)]


def _several(name: str, configs: Sequence[Mapping[str, Any]], absent: bool) -> bool:
    """Whether a key has several values among configurations that agree in the classes of the parts it belongs to."""
    present = [repr(config[name]) for config in configs if name in config]
    if len(set(present)) < 2 and not (absent and len(present) < len(configs)):
        return False
    parts = name.split(".")
    above = [".".join(parts[:count]) for count in range(1, len(parts))]
    values: dict[tuple[str, ...], set[str]] = {}
    for config in configs:
        if absent or name in config:
            classes = tuple(repr(config.get(part)) for part in above)
            values.setdefault(classes, set()).add(repr(config[name]) if name in config else "")
    return any(len(found) > 1 for found in values.values())


def setting_apart(configs: Sequence[Mapping[str, Any]], kinds: Sequence[Hashable]) -> list[str]:
    """Keys with several values; among configurations of one kind, also those that only some of them have."""
    alike: dict[Hashable, list[Mapping[str, Any]]] = {}
    for kind, config in zip(kinds, configs, strict=True):
        alike.setdefault(kind, []).append(config)
    within = [name for some in alike.values() for name in differing(some, absent=True)]
    return list(dict.fromkeys([*differing(configs), *within]))


def short_names(names: Sequence[str], taken: Sequence[str] = ()) -> dict[str, str]:
    """Each key by its last words, as few as tell it from the others and from words that are taken."""
    found = {}
    for name in names:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            short = ".".join(parts[-count:])
            alike = sum(other == short or other.endswith(f".{short}") for other in names)
            if alike == 1 and short not in taken:
                break
        found[name] = short
    return found
