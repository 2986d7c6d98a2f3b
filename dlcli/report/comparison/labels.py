"""Names that tell things apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.report.comparison.run_table import differing


def apart(names: Sequence[str], keys: Sequence[Mapping[str, Any]]) -> list[str]:
    """Equal names followed by the keys that differ among them: `tcn hidden=8`."""
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for name, own in zip(names, keys, strict=True):
        alike.setdefault(name, []).append(own)
    telling = {name: differing(found, absent=True) for name, found in alike.items()}
    return [
        " ".join([name, *(f"{key}={'null' if own[key] is None else own[key]}" for key in telling[name] if key in own)])
        for name, own in zip(names, keys, strict=True)
    ]


def unique(names: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Names that are equal still, with the beginning of a mark that is not."""
    repeated = Counter(names)
    return [f"{name} #{mark[:6]}" if repeated[name] > 1 else name for name, mark in zip(names, marks, strict=True)]


def told_apart(
    names: Sequence[str], yards: Sequence[str], keys: Sequence[dict[str, Any]], signatures: Sequence[str]
) -> list[str]:
    """No two alike: the keys that differ on one task follow, then the task, then the signature's beginning."""
    joined = apart([f"{yard}\0{name}" for yard, name in zip(yards, names, strict=True)], keys)
    told = [name.partition("\0")[2] for name in joined]
    repeated = Counter(told) if len(set(yards)) > 1 else {}
    with_task = [
        f"{name} on {yard}" if repeated.get(name, 0) > 1 else name for name, yard in zip(told, yards, strict=True)
    ]
    return unique(with_task, signatures)
