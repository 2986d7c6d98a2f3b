"""Keys of a run for conditions and comparisons: fields of run.json and the flat configuration, loaded on demand."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.report.comparison.filter import Condition
from dlcli.report.comparison.filter_values import ABSENT, Incomparable
from dlcli.report.configuration import flatten, read_settings
from dlcli.runs.run import Run

_OWN = (
    "id", "verb", "label", "name", "recipe", "task", "model", "seed", "tags", "host", "parent", "parameters", "steps",
    "seconds", "started", "signature", "receptive_field", "length",
)  # fmt: skip
_COMPARED = ("task", "model", "learner", "strategy", "until", "precision")
"""Sections of the configuration that the signature covers. No other key can distinguish two groups."""
_SEEDED = ("seed", "order")
"""Last parts of keys whose values follow the seed of the run."""
_CLASS = "._target_"
_HIDDEN = ("_partial_", "scales", "eval_keys", "finishes")
_UNSIGNED = re.compile(r"task\.metrics|learner\.(.+\.)?(devices|chunk|precision)")
"""Keys that are not in the signature: reported metrics, division of work, and copies of the top-level precision."""


def read_config(run: Run) -> dict[str, Any]:
    """Resolved configuration as flat keys; empty if it is missing or damaged."""
    return dict(flatten(read_settings(run.path)))


class RunKeys:
    """Lookup of the values of one run by key: `model.hidden`, or a short form such as `hidden`, `lr`, `optimizer`."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def config(self) -> dict[str, Any]:
        return read_config(self.run)

    def __call__(self, key: str) -> Any:
        """The value of a key, or ABSENT.

        Raises:
            UsageError: the short form matches several keys.
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
        matches = [name for name in self.config if name.endswith(ends)]
        if len(matches) > 1:
            names, hint = ", ".join(matches[:6]), "Give the complete key."
            raise UsageError("ambiguous", name=key, count=len(matches), kind="keys", matches=names, hint=hint)
        return _value(matches[0], self.config) if matches else ABSENT

    def keys(self) -> Iterable[str]:
        return ("status", "tag", *_OWN, *(name.removesuffix(_CLASS) for name in self.config))


def _value(name: str, config: Mapping[str, Any]) -> Any:
    value = config[name]
    return str(value).rpartition(".")[2] if name.endswith(_CLASS) else value


def filter_runs(runs: Sequence[Run], condition: Condition) -> list[Run]:
    """Select the runs for which a condition is true.

    Raises:
        UsageError: no run has a key of the condition, or no value can be ordered with its operand.
    """
    lookups = [RunKeys(run) for run in runs]
    selected, incomparable = [], None
    for lookup in lookups:
        try:
            if condition.holds(lookup):
                selected.append(lookup.run)
        except Incomparable as error:
            incomparable = error
    _check_keys(condition, lookups)
    if incomparable and not selected:
        raise incomparable
    return selected


def _check_keys(condition: Condition, lookups: Sequence[RunKeys]) -> None:
    for key in condition.keys:
        if lookups and all(lookup(key) is ABSENT for lookup in lookups):
            names = {name for lookup in lookups for name in lookup.keys()}  # noqa: SIM118 - no mapping
            short = {name.rpartition(".")[2] for name in names}
            raise UsageError("unknown_name", kind="--where key", name=key, known=names | short)


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that can distinguish two groups, with classes by their short names."""
    return {
        name.removesuffix(_CLASS): _value(name, config)
        for name in config
        if name.partition(".")[0] in _COMPARED
        and name.rpartition(".")[2] not in (*_SEEDED, *_HIDDEN)
        and name not in ("task._target_", "model._target_")
        and not _UNSIGNED.fullmatch(name)
    }


def differing(configs: Sequence[Mapping[str, Any]], *, absent: bool = False) -> list[str]:
    """Keys with more than one value, in order of appearance.

    Components of different classes have different keys. Keys are compared among configurations with the same class;
    the class itself distinguishes the others.

    Args:
        configs: flat configurations.
        absent: treat a missing key as a value of its own.
    """
    names = dict.fromkeys(name for config in configs for name in config)
    return [name for name in names if _differs(name, configs, absent)]


def _differs(name: str, configs: Sequence[Mapping[str, Any]], absent: bool) -> bool:
    """True if a key has several values among configurations whose enclosing components have the same classes."""
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
    return any(len(same_class) > 1 for same_class in values.values())


def distinguishing_keys(configs: Sequence[Mapping[str, Any]], kinds: Sequence[Hashable]) -> list[str]:
    """Keys with several values; among configurations of one kind, also keys that only some of them have."""
    by_kind: dict[Hashable, list[Mapping[str, Any]]] = {}
    for kind, config in zip(kinds, configs, strict=True):
        by_kind.setdefault(kind, []).append(config)
    within = [name for members in by_kind.values() for name in differing(members, absent=True)]
    return list(dict.fromkeys([*differing(configs), *within]))


def short_names(names: Sequence[str], taken: Sequence[str] = ()) -> dict[str, str]:
    """Short form of each key: the fewest last parts that are unique and not among the taken names."""
    result = {}
    for name in names:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            short = ".".join(parts[-count:])
            matches = sum(other == short or other.endswith(f".{short}") for other in names)
            if matches == 1 and short not in taken:
                break
        result[name] = short
    return result
