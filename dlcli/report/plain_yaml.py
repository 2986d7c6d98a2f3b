"""config.yaml as flat keys: block mappings of plain scalars line by line, several times as fast as PyYAML, which has
the rest.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

_LINE = re.compile(r"( *)(?:([A-Za-z_]\w*):(?: (.+))?|- (.+))", re.ASCII)
_WORD = re.compile(r"[A-Za-z_/][\w./=\[\],-]*", re.ASCII)
_INT = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_FLOAT = re.compile(r"-?\d+\.\d+(?:e[-+]\d+)?", re.ASCII)
_NAMED = {"true": True, "false": False, "null": None}
_ODD = {"yes", "no", "on", "off", "y", "n", *_NAMED}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Odd(Exception):
    """More than the plain part of YAML."""


def read(text: str, flatten: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """Flat keys of a mapping; nothing where the text is none.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    try:
        return plain(text)
    except Odd:
        found = yaml.load(text, Loader=_Loader)
        return dict(flatten(_held_by_json(found))) if isinstance(found, Mapping) else {}


def _held_by_json(found: Any) -> Any:
    """Dates as text; raises ValueError where a list holds itself."""
    return json.loads(json.dumps(found, default=str, skipkeys=True))


def plain(text: str) -> dict[str, Any]:
    """Flat keys of two-space block mappings whose values are plain scalars, or lists of them at the key's own depth.

    Raises:
        Odd: the text is more than that.
    """
    found: dict[str, Any] = {}
    above: list[str] = []
    opened: set[str] = set()
    empty = False  # the key opened last has nothing yet
    for line in text.split("\n"):
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None or len(match[1]) % 2:
            raise Odd
        depth, key, value = len(match[1]) // 2, match[2], match[3]
        if key is None:
            _append(found, above, depth, match[4], empty)
            empty = False
            continue
        if depth > len(above) or (empty and depth != len(above)) or key.lower() in _ODD:
            raise Odd
        del above[depth:]
        place = ".".join((*above, key))
        if place in found or place in opened or (above and ".".join(above) in found):
            raise Odd
        empty = value is None
        if value is None:
            above.append(key)
            opened.add(place)
        else:
            found[place] = _scalar(value)
    if empty:
        raise Odd
    return found


def _append(found: dict[str, Any], above: list[str], depth: int, item: str, empty: bool) -> None:
    place = ".".join(above)
    if depth != len(above) - 1 or (not empty and place not in found):
        raise Odd
    found.setdefault(place, []).append(_scalar(item))


def _scalar(text: str) -> Any:
    if text in _NAMED:
        return _NAMED[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if text == "[]":
        return []
    if _WORD.fullmatch(text) and text.lower() not in _ODD:
        return text
    raise Odd
