"""`dlcli compare configs A B`: where two runs differ, on one screen."""

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
_MOST_LINES = 12  # of a difference between two patches
_MOST_SOURCE_LINES = 40  # of a difference between two plug-ins
_LISTS = ("between", "sources")  # lines of the section "code" that are printed below the table


def main(a: str, b: str, out: Path, as_json: bool) -> int:
    """Print what differs, or all of it as JSON."""
    pair = selectors.one(a, out), selectors.one(b, out)
    found = differences(*pair)
    if as_json:
        print(json.dumps({"a": pair[0].id, "b": pair[1].id, **found}, indent=1))  # noqa: T201
        return 0
    _print(pair, found)
    return 0


def differences(a: Run, b: Run) -> dict[str, Any]:
    """By section, {key: [value of a, value of b]}, of what is not equal."""
    environments = [_json(run, "environment.json") for run in (a, b)]
    code = ("commit", "dirty")
    return {
        "same_experiment": bool(a.info.get("signature")) and experiment(a) == experiment(b),
        "configuration": _unequal(*map(_configuration, (a, b))),
        "environment": _unequal(*({k: v for k, v in one.items() if k not in code} for one in environments)),
        "code": _unequal(*({k: v for k, v in one.items() if k in code} for one in environments))
        | _classes(a, b)
        | _patches(a, b),
        "data": _data(a, b),
        "scores": _unequal(*(dict(flatten(run.info["metrics"])) for run in (a, b))),
    }


def _configuration(run: Run) -> dict[str, Any]:
    """config.yaml, and whose weights it began with."""
    return {key: value for key, value in read_config(run).items() if key != "smoke"} | {"init_from": origin(run)}


def _json(run: Run, name: str) -> dict[str, Any]:
    try:
        plain = json.loads((run.path / name).read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return dict(flatten(plain)) if isinstance(plain, Mapping) else {}


def _unequal(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    keys = dict.fromkeys([*a, *b])
    return {key: [a.get(key, _ABSENT), b.get(key, _ABSENT)] for key in keys if not _equal(a, b, key)}


def _equal(a: Mapping[str, Any], b: Mapping[str, Any], key: str) -> bool:
    return (key in a) == (key in b) and repr(a.get(key)) == repr(b.get(key))


def _classes(a: Run, b: Run) -> dict[str, list[Any]]:
    """Classes whose source or version differs, and the unified diff of the plug-in files that the runs keep."""
    hashes, versions = zip(*map(_recorded, (a, b)), strict=True)
    named = dict.fromkeys([*versions[0], *versions[1]], 1)
    found = _unequal(*hashes) | _unequal(named | versions[0], named | versions[1])
    lines = _source_difference(a, b) if _unequal(*hashes) else []
    return found | ({"sources": lines} if lines else {})


def _recorded(run: Run) -> tuple[dict[str, str], dict[str, int]]:
    """Beginning of the source hash by plug-in class, and version by `CLASS version`, from run.json."""
    code = run.info.get("code")
    classes = {
        str(target): facts
        for target, facts in (code if isinstance(code, Mapping) else {}).items()
        if isinstance(facts, Mapping)
    }
    hashes = {name: f"sha256 {str(facts['sha256'])[:12]}" for name, facts in classes.items() if "sha256" in facts}
    return hashes, {f"{name} version": facts.get("version", 1) for name, facts in classes.items()}


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
    """What was changed and not committed, compared line by line."""
    one, other = (_text(run, "git.patch") for run in (a, b))
    if one == other:
        return {}
    lines = [
        line for line in difflib.unified_diff(one.splitlines(), other.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and not line.startswith(("+++", "---"))
    ]  # fmt: skip
    return {"git.patch": [f"{len(one.splitlines())} lines", f"{len(other.splitlines())} lines"], "between": [*lines]}


def _text(run: Run, name: str) -> str:
    try:
        return (run.path / name).read_text(errors="replace")
    except OSError:
        return ""


def _data(a: Run, b: Run) -> dict[str, list[Any]]:
    """Data files that the configurations name, as they are now, and whether the contents were the same then."""
    configs = [read_config(run) for run in (a, b)]
    files = [{key: _digest(value) for key, value in one.items() if _is_file(key, value)} for one in configs]
    found = _unequal(*files)
    cores = [run.info.get("core") for run in (a, b)]
    if all(cores) and cores[0] != cores[1] and not _compared(configs) and not _classes(a, b):
        found["contents then"] = ["other data files under the same configuration", ""]
    return found


def _compared(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    parts = [{k: v for k, v in compared(one).items() if not k.startswith("until")} for one in configs]
    targets = [{k: v for k, v in one.items() if k in ("task._target_", "model._target_")} for one in configs]
    return _unequal(*parts) | _unequal(*targets)


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


def _print(pair: Sequence[Run], found: Mapping[str, Any]) -> None:
    names = [f"{run.id} {run.info.get('name') or run.info['label']}" for run in pair]
    rows = []
    for section in ("configuration", "environment", "code", "data", "scores"):
        entries = {key: values for key, values in found[section].items() if key not in _LISTS}
        rows += [
            [section if not at else "", key, *map(_shown, values)] for at, (key, values) in enumerate(entries.items())
        ]
        rows += [[section, "equal", "", ""]] if not entries else []
    terminal_tables.print_table(["", "key", *names], rows)
    _print_lines(found["code"].get("between", []), _MOST_LINES, "between the two git.patch")
    _print_lines(found["code"].get("sources", []), _MOST_SOURCE_LINES, "of the code difference: see --json")
    same = "the same experiment: compare runs averages them" if found["same_experiment"] else "different experiments"
    print(same)  # noqa: T201


def _print_lines(lines: Sequence[str], most: int, what: str) -> None:
    for line in lines[:most]:
        print(f"  {line}")  # noqa: T201
    if len(lines) > most:
        print(f"  ... {len(lines) - most} more lines {what}")  # noqa: T201


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
