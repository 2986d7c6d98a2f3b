"""Members of the configuration groups, read from their YAML files; imports neither torch nor hydra."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config.schema import COMMANDS as VERBS
from dlcli.core.errors import Missing

_LOG = logging.getLogger("dlcli.catalogue")
_NOTED: set[str] = set()
_PACKAGE = Path(__file__).resolve().parents[1]
_REGISTRIES = {"claim": "claims/catalogue", "data": "data/sets"}
"""Registries that are not configuration, by the name of their folder below `--config-dir`."""
RESERVED = {"sketch": ("query", "stream")}
"""First words after a command that are subcommands, not recipes."""


def folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Return the configuration folders in order of precedence: `extra`, the packaged one, and `./conf`.

    `./conf` adds names and never replaces one of the packaged folder.

    Args:
        extra: folders given by `--config-dir`.

    Raises:
        Missing: a folder of `extra` does not exist.
    """
    for folder in extra:
        if not folder.is_dir():
            raise Missing("missing_file", path=folder, hint="--config-dir requires an existing folder")
    local = working_folder()
    return [*(folder.resolve() for folder in extra), packaged_folder(), *([local] if local else [])]


def working_folder() -> Path | None:
    """Return `./conf` if it exists and is not the packaged folder."""
    local = Path("conf").resolve()
    return local if local.is_dir() and local != packaged_folder() else None


def note_working_folder(command: str, recipe: str | None, choices: Mapping[str, str], extra: Sequence[Path]) -> None:
    """Log once which files of `./conf` a configuration uses, and which ones a packaged file of the same name hides."""
    local = working_folder()
    if local is None or local in (folder.resolve() for folder in extra):
        return
    named = {**choices, **({f"experiment/{command}": recipe} if recipe else {})}
    used: list[str] = []
    hidden: list[str] = []
    for group, name in named.items():
        relative = f"{group.partition('@')[0].lstrip('/')}/{name}.yaml"
        if (local / relative).is_file():
            (hidden if (packaged_folder() / relative).is_file() else used).append(relative)
    for text in (
        f"note: taken from ./conf: {', '.join(used)}" if used else "",
        f"note: ./conf/{hidden[0]} is not used: dlcli has one of this name. Use --config-dir conf" if hidden else "",
    ):
        if text and text not in _NOTED:
            _NOTED.add(text)
            _LOG.warning(text)


def packaged_folder() -> Path:
    """Return dlcli's `conf` folder: inside the package when installed, beside the package in a checkout."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else inside.parent.parent / "conf"


def members(group: str, extra: Sequence[Path] = ()) -> dict[str, Path]:
    """Return the members of a group (`model`, `experiment/train`) by name; earlier folders hide later ones.

    A file whose name starts with an underscore is a base of members, not a member.
    """
    return _yaml_files([folder / group for folder in folders(extra)], "[!_]*.yaml")


def registry(kind: str, extra: Sequence[Path] = ()) -> dict[str, Path]:
    """Return the claims ("claim") or data sets ("data") by name: packaged ones, and the user's below `--config-dir`."""
    own = _PACKAGE / _REGISTRIES[kind]
    return _yaml_files([own if folder == packaged_folder() else folder / kind for folder in folders(extra)], "*.yaml")


def _yaml_files(sources: Sequence[Path], pattern: str) -> dict[str, Path]:
    """Files that match a pattern by stem, sorted; earlier folders hide later ones."""
    files: dict[str, Path] = {}
    for folder in sources:
        for path in folder.glob(pattern):
            files.setdefault(path.stem, path)
    return dict(sorted(files.items()))


def find(group: str, name: str, extra: Sequence[Path] = ()) -> Path | None:
    """Return the file of a member or of a base of members; None if it does not exist."""
    paths = (folder / group / f"{name}.yaml" for folder in folders(extra))
    return next((path for path in paths if path.is_file()), None)


def compose_plain(group: str, name: str, extra: Sequence[Path], depth: int = 0) -> dict[str, Any]:
    """Compose a member with the members of its defaults list, as Hydra does but without importing Hydra."""
    import yaml

    path = find(group, name, extra)
    if path is None or depth > 8:
        return {}
    try:
        node = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    composed: dict[str, Any] = {}
    for entry in (node or {}).get("defaults") or ():
        if entry == "_self_":
            continue
        if isinstance(entry, str):
            composed = _merged(composed, compose_plain(group, entry, extra, depth + 1))
            continue
        for key, member in entry.items():
            inner, _, package = key.removeprefix("override ").lstrip("/").partition("@")
            part: Any = compose_plain(inner, str(member), extra, depth + 1)
            for segment in reversed(package.split(".") if package else [inner]):
                part = {segment: part}
            composed = _merged(composed, part)
    return _merged(composed, {key: value for key, value in (node or {}).items() if key != "defaults"})


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    nested = {
        key: _merged(old[key], new[key]) for key in old if isinstance(old[key], dict) and isinstance(new.get(key), dict)
    }
    return {**old, **new, **nested}


def recipes(extra: Sequence[Path] = ()) -> Iterator[tuple[str, str, Path]]:
    """Iterate over every recipe as (verb, name, path)."""
    for verb in VERBS:
        for name, path in members(f"experiment/{verb}", extra).items():
            yield verb, name, path


def describe(path: Path) -> str:
    """Return the first comment line of a YAML file, without Hydra's `# @package`; "" if there is none."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            return line.lstrip("# ")
    return ""
