"""Identity of an experiment: a hash of configuration, data files, source code and class versions."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcli.config import schema
from dlcli.config.source import Source, is_library, sha256, source_of
from dlcli.config.targets import class_nodes, class_of, without_metadata
from dlcli.core.errors import UsageError

_PARALLELISM = ("devices", "chunk")  # learner keys that change no result
_MAX_STORED = 1_000_000  # bytes of source in a run directory


def core(config: Mapping[str, Any]) -> str:
    """Return the hash of an experiment without its limits.

    It covers task, model, learner, precision and the keys of searches and sketches, with data files replaced by their
    content; the source of plug-in classes; and the `version` of classes, if it is not 1.

    Args:
        config: resolved with seed 0, so that runs that differ only in the seed, or in the parallelism of the learner
            (devices, chunk), share the hash.

    Raises:
        UsageError: a class does not exist or its source is not available.
    """
    hashed = {name: _by_content(without_metadata(config[name])) for name in (*_parts(config), "precision")}
    if isinstance(hashed["task"], dict):
        hashed["task"].pop("metrics", None)  # the selection of reported metrics changes no value
    if "learner" in hashed:
        hashed["learner"] = _undivided(hashed["learner"], config["precision"])
    code = {
        "versions": versions(config),
        "sources": {target: source.digest for target, source in sources(config).items()},
    }
    return _hash(hashed | {name: entries for name, entries in code.items() if entries})


def _undivided(node: Any, precision: Any) -> Any:
    """A learner's node without keys of parallelism and without copies of the precision, its stages included."""
    if not isinstance(node, dict):
        return node
    kept = {key: part for key, part in node.items() if key not in _PARALLELISM}
    if kept.get("precision") == precision:
        del kept["precision"]
    return {key: _undivided(part, precision) for key, part in kept.items()}


def signature(core: str, until: Mapping[str, int | float]) -> str:
    """Return the hash of a core and the limits of the run: runs of equal signature differ only in the seed.

    Args:
        core: result of `core`.
        until: limits by counter.
    """
    return _hash({"core": core, "until": dict(until)})


def _parts(config: Mapping[str, Any]) -> list[str]:
    return [name for name in schema.with_flag("signature") if name in config and name != "precision"]


def targets(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the dotted keys of the classes of a configuration, `{"dlcli.models.mlp.MLP": "model"}`, sorted."""
    keys = {
        node["_target_"]: key
        for name in _parts(config)
        for key, node in class_nodes(config[name], name)
        if isinstance(node["_target_"], str)
    }
    return dict(sorted(keys.items()))


def versions(config: Mapping[str, Any]) -> dict[str, int]:
    """Return the versions, by class, that are not 1. The classes are imported.

    A class declares `version = 2` when its numbers change: data, scores, initial weights or updates.

    Raises:
        UsageError: a version is not a positive integer, or a class does not exist.
    """
    versions: dict[str, int] = {}
    for target, key in targets(config).items():
        version = getattr(class_of(target, key, config.get("plugins") or ()), "version", 1)
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise UsageError("invalid_value", key=f"{target}.version", must="an integer of at least 1", got=version)
        if version != 1:
            versions[target] = version
    return versions


def sources(config: Mapping[str, Any]) -> dict[str, Source]:
    """Return the sources of the plug-in classes, by class, without importing them; missing modules are skipped.

    Raises:
        UsageError: the source of a class is not available.
    """
    plugins = config.get("plugins") or ()
    sources = {target: source_of(target, plugins) for target in targets(config) if not is_library(target)}
    return {target: source for target, source in sources.items() if source is not None}


def code_record(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the `code` entry of run.json: by class `sha256`, `files` (SHA-256 by path) and `version` unless it is 1.

    Files of installed packages are not listed: environment.json records the version of the package.
    """
    record: dict[str, dict[str, Any]] = {}
    for target, source in sources(config).items():
        files = {} if source.installed else {path: sha256(content) for path, content in sorted(source.files.items())}
        record[target] = {"sha256": source.digest, "files": files}
    for target, version in versions(config).items():
        record.setdefault(target, {})["version"] = version
    return record


def stored_files(sources: Mapping[str, Source]) -> dict[str, bytes]:
    """Return the Python files of plug-ins to copy into a run directory: at most 1 MB, no installed packages."""
    files: dict[str, bytes] = {}
    free = _MAX_STORED
    for source in sources.values():
        for path, content in sorted(source.files.items()):
            if not source.installed and path.endswith(".py") and path not in files and len(content) <= free:
                files[path] = content
                free -= len(content)
    return files


def check_code(config: Mapping[str, Any], recorded: Any, path: Path) -> None:
    """Check that the source of the plug-ins has not changed since a run was created, before they are imported.

    Args:
        config: configuration of the run, possibly changed.
        recorded: `code` of its run.json; None for runs of older versions.
        path: run directory, for the message.

    Raises:
        UsageError: `code_changed`.
    """
    known = recorded if isinstance(recorded, Mapping) else {}
    present = {target: source for target, source in sources(config).items() if target in known}
    for target in (target for target in targets(config) if isinstance(known.get(target), Mapping)):
        then, now = known[target], present.get(target)
        if "sha256" in then and (now is None or now.digest != then["sha256"]):
            raise UsageError("code_changed", target=target, path=path, hint=_hint(then, now, path))


def _hint(then: Mapping[str, Any], now: Source | None, path: Path) -> str:
    """The changed files, and the commands or files that restore them."""
    files = then.get("files")
    if not isinstance(files, Mapping) or not files:
        return f"Install the package version that {path / 'environment.json'} states, or start a new run"
    present = {name: sha256(content) for name, content in now.files.items()} if now else {}
    names = sorted(name for name in {*files, *present} if files.get(name) != present.get(name))
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"Changed: {shown}\nRestore the files from {path / 'code'}, or start a new run with the changed code"


def check_versions(config: Mapping[str, Any], recorded: Any, path: Path) -> None:
    """Check that the versions of the classes have not changed since a run was created.

    Args:
        config: configuration of the run.
        recorded: `code` of its run.json; None for runs of older versions.
        path: run directory, for the message.

    Raises:
        UsageError: `code_changed`.
    """
    known = recorded if isinstance(recorded, Mapping) else {}
    now = versions(config)
    for target in targets(config):
        then = known[target].get("version", 1) if isinstance(known.get(target), Mapping) else 1
        if then != now.get(target, 1):
            hint = f"Its version was {then}, now it is {now.get(target, 1)}: start a new run"
            raise UsageError("code_changed", target=target, path=path, hint=hint)


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _by_content(value: Any) -> Any:
    """The value with paths of data files replaced by the SHA-256 of their content."""
    if isinstance(value, dict):
        return {key: _path_by_content(part) if key == "path" else _by_content(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_by_content(part) for part in value]
    if isinstance(value, str) and Path(value).is_file():
        with Path(value).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return value


def _path_by_content(value: Any) -> Any:
    """As `_by_content`; a folder is replaced by a hash of the names and contents of its files."""
    if not isinstance(value, str) or not Path(value).expanduser().is_dir():
        return _by_content(value)
    root, digest = Path(value).expanduser(), hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
