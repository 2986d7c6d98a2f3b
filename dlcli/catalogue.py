"""What there is to choose from, read from the first lines of the YAML files; imports neither torch nor hydra."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dlcli.core.errors import Missing

VERBS = ("train", "evolve", "search", "sketch")
"""Verbs that have recipes, `conf/experiment/<verb>/`."""
RESERVED = {"sketch": ("query", "stream")}
"""Words behind a verb that are no recipes."""

OF_SKETCH = (
    "scenes", "network", "from", "append", "split", "skip", "most", "kind", "matrix", "scale", "dimension", "density",
    "block", "sketch_seed", "bench",
)  # fmt: skip
"""Keys of a sketch that its network's own training does not have."""


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
    inside = Path(__file__).resolve().parent / "conf"
    return inside if inside.is_dir() else inside.parent.parent / "conf"


def members(group: str, extra: Sequence[Path] = ()) -> dict[str, Path]:
    """The members of a group (`model`, `experiment/train`) by name; earlier folders hide later ones."""
    found: dict[str, Path] = {}
    for folder in folders(extra):
        for path in sorted((folder / group).glob("*.yaml")):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


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
