"""Names that tell things apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.report.facts import differing


def apart(names: Sequence[str], keys: Sequence[Mapping[str, Any]]) -> list[str]:
    """Equal names followed by the keys that differ among them: `tcn hidden=8`."""
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for name, own in zip(names, keys, strict=True):
        alike.setdefault(name, []).append(own)
    telling = {name: differing(found) for name, found in alike.items()}
    return [
        " ".join([name, *(f"{key}={own[key]}" for key in telling[name] if key in own)])
        for name, own in zip(names, keys, strict=True)
    ]


def unique(names: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Names that are equal still, with the beginning of a mark that is not."""
    repeated = Counter(names)
    return [f"{name} #{mark[:6]}" if repeated[name] > 1 else name for name, mark in zip(names, marks, strict=True)]
