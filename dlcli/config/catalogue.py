"""Members of the configuration groups, read from their YAML files; imports neither torch nor hydra."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcli.config.schema import COMMANDS as VERBS
from dlcli.core.errors import Missing

_PACKAGE = Path(__file__).resolve().parents[1]
_REGISTRIES = {"claim": "claims/catalogue", "data": "data/sets"}
"""Registries that are not configuration, by the name of their folder below `--config-dir`."""
RESERVED = {"sketch": ("query", "stream")}
"""Words behind a verb that are no recipes."""


def folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Where configuration is looked for: what the user names, `./conf`, and what came with dlcli, in this order.

    Raises:
        Missing: the user names no folder.
    """
    own = packaged()
    here = Path("conf").resolve()
    for folder in extra:
        if not folder.is_dir():
            raise Missing(f"--config-dir: there is no folder {folder}")
    found = [folder.resolve() for folder in extra]
    if here.is_dir() and here != own:
        found.append(here)
    return [*found, own]


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
    *first, _ = folders(extra)
    found: dict[str, Path] = {}
    for folder in (*(folder / kind for folder in first), _PACKAGE / _REGISTRIES[kind]):
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
