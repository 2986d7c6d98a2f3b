"""`dlcli sketch query`: estimates from the sketches of a run."""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcli.commands.sketch.queries import answers, erasure, network
from dlcli.commands.sketch.queries.erasure import parse_fraction
from dlcli.commands.sketch.store import QueryResult, open_store
from dlcli.core.errors import UsageError
from dlcli.engine.device import numeric_settings
from dlcli.runs import selectors
from dlcli.sketching import QUERIES


@dataclass(frozen=True)
class _Query:
    """A query and its settings.

    Args:
        run: function of the store and the settings as text.
        defaults: setting keys with their defaults.
        positional: key of the first argument if it is not KEY=VALUE.
        required: keys without a default.
    """

    run: Callable[..., QueryResult]
    defaults: Mapping[str, str | None]
    positional: str | None = None
    required: tuple[str, ...] = ()


_COMPLETE = "1"
_KEEP = {"keep": _COMPLETE}
_COUNTING: dict[str, str | None] = {"module": None, "scenes": None, "decoder": "joint", **_KEEP}
_QUERIES = {
    "count": _Query(answers.count, _COUNTING, "module", ("module",)),
    "mean": _Query(answers.mean, _COUNTING, "module", ("module",)),
    "attribute": _Query(
        answers.attribute, {"scene": None, "module": None, "decoder": None, **_KEEP}, "scene", ("scene",)
    ),
    "similar": _Query(answers.similar, {"index": None, "k": "5", **_KEEP}, "index", ("index",)),
    "erase": _Query(erasure.erase, {"keep": "0.75,0.5,0.25,0.1"}, "keep"),
    "recover-network": _Query(
        network.recover_network, {"module": None, "samples": "2000", "columns": "64", "active": "3"}, "module"
    ),
    "bench": _Query(erasure.bench, {"seeds": "3"}),
}
assert tuple(_QUERIES) == QUERIES


def main(selector: str, question: str, words: Sequence[str], out: Path, quiet: bool, as_json: bool) -> int:
    """Run a query and print its result and the paths of its images."""
    answer = ask(selector, question, words, out)
    if as_json:
        print(json.dumps(_finite({**answer.facts, "files": [str(path) for path in answer.files]}), indent=1))  # noqa: T201
        return 0
    for line in answer.lines:
        print(line)  # noqa: T201
    for path in answer.files:
        print(path)  # noqa: T201
    if answer.remark and not quiet:
        print(answer.remark, file=sys.stderr)  # noqa: T201
    return 0


def ask(selector: str, question: str, words: Sequence[str], out: Path) -> QueryResult:
    """Query the sketches of a run.

    Args:
        selector: the run: id, name, tag or directory.
        question: name of the query.
        words: settings KEY=VALUE.
        out: directory of the runs.

    Raises:
        UsageError: the query or a setting is unknown or invalid.
    """
    if question not in _QUERIES:
        hint = f"queries: {', '.join(QUERIES)}"
        raise UsageError("unknown_name", kind="query", name=question, known=QUERIES, hint=hint)
    query = _QUERIES[question]
    settings = _parse_settings(question, query, words)
    with numeric_settings(1):
        keep = parse_fraction(settings.pop("keep")) if query.defaults.get("keep") == _COMPLETE else 1.0
        return query.run(open_store(selectors.one(selector, out)).erased(keep), **settings)


def _finite(fact: Any) -> Any:
    """The fact with NaN and infinity replaced by null, which JSON can represent."""
    if isinstance(fact, Mapping):
        return {name: _finite(part) for name, part in fact.items()}
    if isinstance(fact, list | tuple):
        return [_finite(part) for part in fact]
    return None if isinstance(fact, float) and not math.isfinite(fact) else fact


def _parse_settings(question: str, query: _Query, words: Sequence[str]) -> dict[str, Any]:
    """Settings by key, with defaults.

    Raises:
        UsageError: a key is unknown, repeated or missing.
    """
    settings: dict[str, str] = {}
    usage = "settings: " + ", ".join(f"{key}={value or '...'}" for key, value in query.defaults.items())
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            if query.positional is None:
                raise UsageError("invalid_value", key=question, must="followed by KEY=VALUE", got=word, hint=usage)
            key, value = query.positional, word
        if key not in query.defaults:
            raise UsageError("unknown_name", kind=f"setting of {question}:", name=key, known=query.defaults)
        if key in settings:
            raise UsageError("conflict", first=f"{key}={settings[key]}", second=f"{key}={value}")
        settings[key] = value
    missing = [f"{key}=" for key in query.required if not settings.get(key)]
    if missing:
        raise UsageError("required", key=" and ".join(missing), reason=f"query {question}", hint=usage)
    return dict(query.defaults) | settings
