"""`dlcli config`: the resolved configuration, with where each value came from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config import catalogue, compose, provenance
from dlcli.core.errors import UsageError, nearest


def main(verb: str, words: Sequence[str], extra: Sequence[Path], as_json: bool) -> int:
    """Print it as YAML with comments, or as JSON."""
    if words and words[0] in catalogue.VERBS:  # `dlcli config evolve ga`
        verb, words = words[0], words[1:]
    if verb not in catalogue.VERBS:
        raise UsageError(f"no configuration of {verb!r}{nearest(verb, catalogue.VERBS)}")
    for point in compose.expand(verb, words, extra=extra):
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
    config: Mapping[str, Any], sources: Mapping[str, str], prefix: str = "", above: str = ""
) -> list[tuple[str, str]]:
    """YAML lines, each with the source of its value, or of the whole that it came with."""
    found = []
    indent = "  " * prefix.count(".")
    for name, value in config.items():
        key = f"{prefix}{name}"
        source = sources.get(key, above)
        if isinstance(value, dict) and value:
            found.append((f"{indent}{name}:", ""))
            found += _lines(value, sources, f"{key}.", source)
        else:
            found.append((f"{indent}{name}: {json.dumps(value)}", _short(source)))
    return found


def _short(source: str) -> str:
    """A path from the current folder or from the folder of dlcli, whichever is shorter."""
    for folder, shown in ((Path.cwd(), ""), (catalogue.packaged().parent, "dlcli: ")):
        if source.startswith(f"{folder}/"):
            return shown + source.removeprefix(f"{folder}/")
    return source
