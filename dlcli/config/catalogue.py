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
"""Words behind a verb that are no recipes."""


def folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Folders of configuration in their order: those that the user names, dlcli's own, and `./conf`.

    `./conf` adds names and never replaces one of dlcli's.

    Raises:
        Missing: the user names no folder.
    """
    for folder in extra:
        if not folder.is_dir():
            raise Missing(f"--config-dir: there is no folder {folder}")
    here = working_folder()
    return [*(folder.resolve() for folder in extra), packaged(), *([here] if here else [])]


def working_folder() -> Path | None:
    """Return `./conf` if it exists and is not the one that came with dlcli."""
    here = Path("conf").resolve()
    return here if here.is_dir() and here != packaged() else None


def note_working_folder(command: str, recipe: str | None, choices: Mapping[str, str], extra: Sequence[Path]) -> None:
    """Log once which files of `./conf` a configuration uses, and which have the name of one of dlcli's."""
    here = working_folder()
    if here is None or here in (folder.resolve() for folder in extra):
        return
    named = {**choices, **({f"experiment/{command}": recipe} if recipe else {})}
    taken, hidden = [], []
    for group, name in named.items():
        relative = f"{group.partition('@')[0].lstrip('/')}/{name}.yaml"
        if (here / relative).is_file():
            (hidden if (packaged() / relative).is_file() else taken).append(relative)
    for text in (
        f"note: taken from ./conf: {', '.join(taken)}" if taken else "",
        f"note: ./conf/{hidden[0]} is not used: dlcli has one of this name. Use --config-dir conf" if hidden else "",
    ):
        if text and text not in _NOTED:
            _NOTED.add(text)
            _LOG.warning(text)


def packaged() -> Path:
    """The `conf` that came with dlcli: inside the package when installed, beside it in a checkout."""
    inside = _PACKAGE / "conf"
    return inside if inside.is_dir() else inside.parent.parent / "conf"


def members(group: str, extra: Sequence[Path] = ()) -> dict[str, Path]:
    """The members of a group (`model`, `experiment/train`) by name; earlier folders hide later ones.

    A file whose name begins with an underscore is a base of members, not a member.
    """
    found: dict[str, Path] = {}
    for folder in folders(extra):
        for path in sorted((folder / group).glob("[!_]*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def registry(kind: str, extra: Sequence[Path] = ()) -> dict[str, Path]:
    """The claims ("claim") or data sets ("data") by name: packaged ones, and a user's own below `--config-dir`."""
    found: dict[str, Path] = {}
    own = _PACKAGE / _REGISTRIES[kind]
    for folder in (own if folder == packaged() else folder / kind for folder in folders(extra)):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find(group: str, name: str, extra: Sequence[Path] = ()) -> Path | None:
    """The file of a member or of a base of members; None if there is none."""
    paths = (folder / group / f"{name}.yaml" for folder in folders(extra))
    return next((path for path in paths if path.is_file()), None)


def plain(group: str, name: str, extra: Sequence[Path], depth: int = 0) -> dict[str, Any]:
    """A member with the members of its defaults below it, as Hydra composes them, but without Hydra."""
    import yaml

    path = find(group, name, extra)
    if path is None or depth > 8:
        return {}
    try:
        node = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    found: dict[str, Any] = {}
    for entry in (node or {}).get("defaults") or ():
        if entry == "_self_":
            continue
        if isinstance(entry, str):
            found = _merged(found, plain(group, entry, extra, depth + 1))
            continue
        for key, member in entry.items():
            inner, _, place = key.removeprefix("override ").lstrip("/").partition("@")
            part: Any = plain(inner, str(member), extra, depth + 1)
            for segment in reversed(place.split(".") if place else [inner]):
                part = {segment: part}
            found = _merged(found, part)
    return _merged(found, {key: value for key, value in (node or {}).items() if key != "defaults"})


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(old[key], new[key]) for key in old if isinstance(old[key], dict) and isinstance(new.get(key), dict)
    }
    return {**old, **new, **both}


def recipes(extra: Sequence[Path] = ()) -> Iterator[tuple[str, str, Path]]:
    """Every recipe as (verb, name, path)."""
    for verb in VERBS:
        for name, path in members(f"experiment/{verb}", extra).items():
            yield verb, name, path


def describe(path: Path) -> str:
    """The comment of a file's first line that is not Hydra's own."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            return line.lstrip("# ")
    return ""
