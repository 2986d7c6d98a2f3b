"""`dlcli sketch query`: what the sketches of a run answer."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.commands.sketch.queries import answers, erasure, network
from dlcli.commands.sketch.queries.erasure import fraction
from dlcli.commands.sketch.store import Answer, open_store
from dlcli.core.errors import UsageError, nearest
from dlcli.engine.device import computing
from dlcli.runs import selectors
from dlcli.sketching import QUESTIONS


@dataclass(frozen=True)
class _Question:
    """How a question is asked.

    Args:
        ask: with its words as plain values.
        keys: that it takes, with what stands where nothing is said.
        first: the key of a word that is no key=value.
        needed: keys without which it is no question.
    """

    ask: Callable[..., Answer]
    keys: Mapping[str, str | None]
    first: str | None = None
    needed: tuple[str, ...] = ()


_WHOLE = "1"
_KEEP = {"keep": _WHOLE}
_ASKED = {
    "count": _Question(
        answers.count, {"module": None, "scenes": None, "decoder": "joint", **_KEEP}, "module", ("module",)
    ),
    "mean": _Question(
        answers.mean, {"module": None, "scenes": None, "decoder": "joint", **_KEEP}, "module", ("module",)
    ),
    "attribute": _Question(
        answers.attribute, {"scene": None, "module": None, "decoder": None, **_KEEP}, "scene", ("scene",)
    ),
    "similar": _Question(answers.similar, {"index": None, "k": "5", **_KEEP}, "index", ("index",)),
    "erase": _Question(erasure.erase, {"keep": "0.75,0.5,0.25,0.1"}, "keep"),
    "recover-network": _Question(
        network.recover_network, {"module": None, "samples": "2000", "columns": "64", "active": "3"}, "module"
    ),
    "bench": _Question(erasure.bench, {"seeds": "3"}),
}
assert tuple(_ASKED) == QUESTIONS


def main(selector: str, question: str, words: Sequence[str], out: Path, quiet: bool, as_json: bool) -> int:
    """Ask, print the answer, and say where its pictures are."""
    answer = ask(selector, question, words, out)
    if as_json:
        print(json.dumps(_strict({**answer.facts, "files": [str(path) for path in answer.files]}), indent=1))  # noqa: T201
        return 0
    for line in answer.lines:
        print(line)  # noqa: T201
    for path in answer.files:
        print(path)  # noqa: T201
    if answer.remark and not quiet:
        print(answer.remark, file=sys.stderr)  # noqa: T201
    return 0


def ask(selector: str, question: str, words: Sequence[str], out: Path) -> Answer:
    """What the sketches of a run answer.

    Raises:
        UsageError: there is no such question, or it is about nothing that is there.
    """
    if question not in _ASKED:
        raise UsageError(f"no question {question!r}{nearest(question, QUESTIONS)}\nThere are: {', '.join(QUESTIONS)}")
    asked = _ASKED[question]
    given = _given(question, asked, words)
    with computing(1):
        cut = fraction(given.pop("keep")) if asked.keys.get("keep") == _WHOLE else 1.0
        return asked.ask(open_store(selectors.one(selector, out)).kept(cut), **given)


def _strict(fact: Any) -> Any:
    """What JSON has words for: null for what is not a number."""
    if isinstance(fact, Mapping):
        return {name: _strict(part) for name, part in fact.items()}
    if isinstance(fact, list | tuple):
        return [_strict(part) for part in fact]
    return None if isinstance(fact, float) and not math.isfinite(fact) else fact


def _given(question: str, asked: _Question, words: Sequence[str]) -> dict[str, Any]:
    """The words by their keys.

    Raises:
        UsageError: a key is unknown, twice there, or missing.
    """
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            if asked.first is None:
                raise UsageError(f"{word!r} is not key=value; {question} takes {_keys(asked)}")
            key, value = asked.first, word
        if key not in asked.keys:
            raise UsageError(f"{question} takes no {key!r}{nearest(key, asked.keys)}")
        if key in found:
            raise UsageError(f"{question}: {key} is given twice")
        found[key] = value
    missing = [key for key in asked.needed if not found.get(key)]
    if missing:
        raise UsageError(f"{question} needs {' and '.join(f'{key}=' for key in missing)}; it takes {_keys(asked)}")
    return dict(asked.keys) | found


def _keys(asked: _Question) -> str:
    return ", ".join(f"{key}={value or '...'}" for key, value in asked.keys.items())
