"""`dlcli compare configs A B`: differences between two runs in configuration, environment, code, data and scores."""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.report import terminal_tables
from dlcli.report.comparison.identity import experiment, origin
from dlcli.report.comparison.run_table import compared, read_config
from dlcli.report.configuration import flatten
from dlcli.runs import selectors
from dlcli.runs.run import Run

_ABSENT = "-"
_MOST_PATCH_LINES = 12  # printed of the diff of two git.patch files
_MOST_SOURCE_LINES = 40  # printed of the diff of plug-in sources
_DIFFS = ("between", "sources")  # keys of the section "code" that are printed below the table


def main(a: str, b: str, out: Path, as_json: bool) -> int:
    """Print the differences between two runs as a table, or as JSON.

    Args:
        a: selects the first run.
        b: selects the second run.
        out: folder of the runs.
        as_json: print JSON.

    Raises:
        UsageError: a selector matches no run or several.
    """
    pair = selectors.one(a, out), selectors.one(b, out)
    sections = differences(*pair)
    if as_json:
        print(json.dumps({"a": pair[0].id, "b": pair[1].id, **sections}, indent=1))  # noqa: T201
        return 0
    _print(pair, sections)
    return 0


def differences(a: Run, b: Run) -> dict[str, Any]:
    """Return {section: {key: [value of a, value of b]}} for the values that differ."""
    environments = [_json(run, "environment.json") for run in (a, b)]
    code = ("commit", "dirty")
    return {
        "same_experiment": bool(a.info.get("signature")) and experiment(a) == experiment(b),
        "configuration": _diff(*map(_configuration, (a, b))),
        "environment": _diff(
            *({k: v for k, v in environment.items() if k not in code} for environment in environments)
        ),
        "code": _diff(*({k: v for k, v in environment.items() if k in code} for environment in environments))
        | _classes(a, b)
        | _patches(a, b),
        "data": _data(a, b),
        "scores": _diff(*(dict(flatten(run.info["metrics"])) for run in (a, b))),
    }


def _configuration(run: Run) -> dict[str, Any]:
    """Flattened config.yaml, and the run whose weights initialized it."""
    return {key: value for key, value in read_config(run).items() if key != "smoke"} | {"init_from": origin(run)}


def _json(run: Run, name: str) -> dict[str, Any]:
    try:
        plain = json.loads((run.path / name).read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return dict(flatten(plain)) if isinstance(plain, Mapping) else {}


def _diff(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    keys = dict.fromkeys([*a, *b])
    return {
        key: [a.get(key, _ABSENT), b.get(key, _ABSENT)]
        for key in keys
        if (key in a) != (key in b) or repr(a.get(key)) != repr(b.get(key))
    }


def _classes(a: Run, b: Run) -> dict[str, list[Any]]:
    """Classes whose source or version differs, and the unified diff of the stored plug-in files."""
    hashes, versions = zip(*map(_class_records, (a, b)), strict=True)
    defaults = dict.fromkeys([*versions[0], *versions[1]], 1)
    differences = _diff(*hashes) | _diff(defaults | versions[0], defaults | versions[1])
    lines = _source_difference(a, b) if _diff(*hashes) else []
    return differences | ({"sources": lines} if lines else {})


def _class_records(run: Run) -> tuple[dict[str, str], dict[str, int]]:
    """Abbreviated source hash by plug-in class, and version by `CLASS version`, from run.json."""
    classes = run.record.code
    hashes = {name: f"sha256 {str(record['sha256'])[:12]}" for name, record in classes.items() if "sha256" in record}
    return hashes, {f"{name} version": record.get("version", 1) for name, record in classes.items()}


def _source_difference(a: Run, b: Run) -> list[str]:
    files = [
        {path.relative_to(run.path / "code").as_posix(): path for path in (run.path / "code").rglob("*.py")}
        for run in (a, b)
    ]
    lines: list[str] = []
    for name in sorted({*files[0], *files[1]}):
        old, new = (_text(run, f"code/{name}").splitlines() for run in (a, b))
        lines += difflib.unified_diff(old, new, f"{a.id}/{name}", f"{b.id}/{name}", lineterm="")
    return lines


def _patches(a: Run, b: Run) -> dict[str, list[Any]]:
    """Line counts and diff of the uncommitted changes."""
    old, new = (_text(run, "git.patch") for run in (a, b))
    if old == new:
        return {}
    lines = [
        line for line in difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and not line.startswith(("+++", "---"))
    ]  # fmt: skip
    return {"git.patch": [f"{len(old.splitlines())} lines", f"{len(new.splitlines())} lines"], "between": [*lines]}


def _text(run: Run, name: str) -> str:
    try:
        return (run.path / name).read_text(errors="replace")
    except OSError:
        return ""


def _data(a: Run, b: Run) -> dict[str, list[Any]]:
    """Differences of the data files as they are now, and whether their content differed when the runs were made."""
    configs = [read_config(run) for run in (a, b)]
    files = [{key: _digest(value) for key, value in config.items() if _is_file(key, value)} for config in configs]
    differences = _diff(*files)
    cores = [run.info.get("core") for run in (a, b)]
    if all(cores) and cores[0] != cores[1] and not _differing_keys(configs) and not _classes(a, b):
        differences["contents then"] = ["different data under the same configuration", ""]
    return differences


def _differing_keys(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    parts = [{k: v for k, v in compared(config).items() if not k.startswith("until")} for config in configs]
    targets = [{k: v for k, v in config.items() if k in ("task._target_", "model._target_")} for config in configs]
    return _diff(*parts) | _diff(*targets)


def _is_file(key: str, value: Any) -> bool:
    try:
        return key.startswith("task.") and isinstance(value, str) and Path(value).is_file()
    except (OSError, ValueError):
        return False


def _digest(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return f"{path} sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:12]} now"
    except OSError as error:
        return f"{path} {error.strerror}"


def _print(pair: Sequence[Run], sections: Mapping[str, Any]) -> None:
    names = [f"{run.id} {run.info.get('name') or run.info['label']}" for run in pair]
    rows = []
    for section in ("configuration", "environment", "code", "data", "scores"):
        entries = {key: values for key, values in sections[section].items() if key not in _DIFFS}
        rows += [
            [section if not index else "", key, *map(_shorten, values)]
            for index, (key, values) in enumerate(entries.items())
        ]
        rows += [[section, "equal", "", ""]] if not entries else []
    terminal_tables.print_table(["", "key", *names], rows)
    _print_lines(sections["code"].get("between", []), _MOST_PATCH_LINES, "of the git.patch diff")
    _print_lines(sections["code"].get("sources", []), _MOST_SOURCE_LINES, "of the source diff: see --json")
    same = "same experiment: compare runs averages both" if sections["same_experiment"] else "different experiments"
    print(same)  # noqa: T201


def _print_lines(lines: Sequence[str], most: int, source: str) -> None:
    for line in lines[:most]:
        print(f"  {line}")  # noqa: T201
    if len(lines) > most:
        print(f"  ... {len(lines) - most} more lines {source}")  # noqa: T201


def _shorten(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
