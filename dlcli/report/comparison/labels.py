"""Distinct names for groups and tasks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.report.comparison.run_table import differing


def with_differing_keys(names: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Append to equal names the keys in which their configurations differ: `tcn hidden=8`."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for name, config in zip(names, configs, strict=True):
        by_name.setdefault(name, []).append(config)
    keys = {name: differing(members, absent=True) for name, members in by_name.items()}
    return [
        " ".join([name, *(f"{key}={_yaml(config[key])}" for key in keys[name] if key in config)])
        for name, config in zip(names, configs, strict=True)
    ]


def _yaml(value: Any) -> Any:
    return "null" if value is None else value


def unique(names: Sequence[str], signatures: Sequence[str]) -> list[str]:
    """Append the first six characters of the signature to names that occur more than once."""
    repeated = Counter(names)
    return [
        f"{name} #{signature[:6]}" if repeated[name] > 1 else name
        for name, signature in zip(names, signatures, strict=True)
    ]


def distinct_names(
    names: Sequence[str], tasks: Sequence[str], configs: Sequence[dict[str, Any]], signatures: Sequence[str]
) -> list[str]:
    """Make names distinct: append keys that differ within a task, then the task, then the start of the signature."""
    joined = with_differing_keys([f"{task}\0{name}" for task, name in zip(tasks, names, strict=True)], configs)
    keyed = [name.partition("\0")[2] for name in joined]
    repeated = Counter(keyed) if len(set(tasks)) > 1 else {}
    with_task = [
        f"{name} on {task}" if repeated.get(name, 0) > 1 else name for name, task in zip(keyed, tasks, strict=True)
    ]
    return unique(with_task, signatures)
