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
"""First words after a command that are subcommands, not recipes."""


def folders(extra: Sequence[Path] = ()) -> list[Path]:
    """Return the configuration folders in order of precedence: `extra`, `./conf`, and the packaged one.

    Args:
        extra: folders given by `--config-dir`.

    Raises:
        Missing: a folder of `extra` does not exist.
    """
    for folder in extra:
        if not folder.is_dir():
            raise Missing("missing_file", path=folder, hint="--config-dir requires an existing folder")
    local = Path("conf").resolve()
    own = packaged()
    return [
        *(folder.resolve() for folder in extra),
        *([local] if local.is_dir() and local != own else ()),
        own,
    ]


def packaged() -> Path:
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
    *user_folders, _ = folders(extra)
    return _yaml_files([*(folder / kind for folder in user_folders), _PACKAGE / _REGISTRIES[kind]], "*.yaml")


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


def plain(group: str, name: str, extra: Sequence[Path], depth: int = 0) -> dict[str, Any]:
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
            composed = _merged(composed, plain(group, entry, extra, depth + 1))
            continue
        for key, member in entry.items():
            inner, _, package = key.removeprefix("override ").lstrip("/").partition("@")
            part: Any = plain(inner, str(member), extra, depth + 1)
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
