"""`dlcli config`: the resolved configuration, with the source of each value."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config import catalogue, compose, provenance
from dlcli.core.errors import UsageError


def main(verb: str, overrides: Sequence[str], extra: Sequence[Path], as_json: bool) -> int:
    """Print the resolved configuration of each point as YAML with comments, or as JSON.

    Args:
        verb: train, evolve, search or sketch; the first override may name another.
        overrides: recipe (optional) and KEY=VALUE overrides.
        extra: additional configuration folders.
        as_json: print JSON, without sources.

    Raises:
        UsageError: there is no such verb, or an override is invalid.
    """
    if overrides and overrides[0] in catalogue.VERBS:  # `dlcli config evolve ga`
        verb, overrides = overrides[0], overrides[1:]
    if verb not in catalogue.VERBS:
        raise UsageError("unknown_name", kind="verb", name=verb, known=catalogue.VERBS)
    for point in compose.expand(verb, overrides, extra=extra):
        config = point.resolved()
        if as_json:
            print(json.dumps(config, indent=1))  # noqa: T201
            continue
        lines = list(_lines(config, provenance.sources(point, extra)))
        width = min(60, max(len(line) for line, _ in lines))
        for line, source in lines:
            print(f"{line:{width}}  # {source}" if source else line)  # noqa: T201
    return 0


def _lines(
    config: Mapping[str, Any], sources: Mapping[str, str], prefix: str = "", parent_source: str = ""
) -> list[tuple[str, str]]:
    """YAML lines, each with the source of its value, or of the nearest parent that has one."""
    result = []
    indent = "  " * prefix.count(".")
    for name, value in config.items():
        key = f"{prefix}{name}"
        source = sources.get(key, parent_source)
        if isinstance(value, dict) and value:
            result.append((f"{indent}{name}:", ""))
            result += _lines(value, sources, f"{key}.", source)
        else:
            result.append((f"{indent}{name}: {json.dumps(value)}", _short(source)))
    return result


def _short(source: str) -> str:
    """Shorten a path inside the current folder, or inside the installed package."""
    for folder, label in ((Path.cwd(), ""), (catalogue.packaged_folder().parent, "dlcli: ")):
        if source.startswith(f"{folder}/"):
            return label + source.removeprefix(f"{folder}/")
    return source
