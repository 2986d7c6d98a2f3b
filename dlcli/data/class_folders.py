"""Image files of a directory that has one subdirectory per class, optionally below one directory per split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import UsageError
from dlcli.data.npz import SPLITS

_LAYOUT = "expected PATH/CLASS/*.png, or PATH/train/CLASS/*.png and optionally PATH/valid/... and PATH/test/..."


@dataclass(frozen=True)
class SplitFiles:
    """Image files of one split: the path and the class name of each."""

    paths: list[Path]
    classes: list[str]


def find_images(path: str | None, *, labeled: bool = True) -> dict[str, SplitFiles]:
    """List the images of each split, sorted by class and file name.

    Without directories for splits, all images belong to "train". Files whose names start with a dot, and files next to
    the class directories, are ignored.

    Args:
        labeled: if False, `path` may also be one image or a folder of images, which have the class "".

    Raises:
        UsageError: the directory is missing or has another layout.
    """
    if not path:
        raise UsageError("required", key="task.path", reason="a directory of images", hint="task.path=DIRECTORY")
    root = Path(path).expanduser()
    if not labeled and (images := [root] if root.is_file() else _unlabeled(root)):
        return {"all": SplitFiles(images, [""] * len(images))}
    if not root.is_dir():
        raise UsageError("not_found", kind="directory", name=path, hint="set task.path to a directory of images")
    folders = _folders(root)
    if not any(folder.name in SPLITS for folder in folders):
        return {"train": _check_complete(_split_files(root), root)}
    if unknown := [folder.name for folder in folders if folder.name not in SPLITS]:
        raise UsageError("unknown_name", kind=f"split in {root}:", name=unknown[0], known=SPLITS, hint=_LAYOUT)
    splits = {name: _split_files(root / name) for name in SPLITS if (root / name) in folders}
    if "train" in splits:
        _check_complete(splits["train"], root / "train")
    return splits


def _unlabeled(root: Path) -> list[Path]:
    """Images of a directory without subdirectories."""
    return _entries(root, files=True) if root.is_dir() and not _folders(root) else []


def _check_complete(files: SplitFiles, root: Path) -> SplitFiles:
    """Training files, which must cover every class."""
    if empty := [name for name in _names(_folders(root)) if name not in files.classes]:
        hint = "add images to the directory, or remove it"
        raise UsageError("invalid_data", path=root, problem=f"no images of class {', '.join(empty)}", hint=hint)
    return files


def _split_files(root: Path) -> SplitFiles:
    folders = _folders(root)
    if not folders:
        raise UsageError("invalid_data", path=root, problem="no subdirectories (one per class)", hint=_LAYOUT)
    files = SplitFiles([], [])
    for folder in folders:
        paths = _entries(folder, files=True)
        if not paths and (inner := _folders(folder)):
            problem = f"no images, only directories ({', '.join(_names(inner)[:3])} ...)"
            raise UsageError("invalid_data", path=folder, problem=problem, hint=_LAYOUT)
        files.paths.extend(paths)
        files.classes.extend([folder.name] * len(paths))
    if not files.paths:
        problem = f"no images in its {len(folders)} subdirectories"
        raise UsageError("invalid_data", path=root, problem=problem, hint=_LAYOUT)
    return files


def _folders(root: Path) -> list[Path]:
    return _entries(root, files=False)


def _entries(root: Path, *, files: bool) -> list[Path]:
    """Visible files or directories, sorted by name: the order of a file system is arbitrary."""
    try:
        entries = [path for path in root.iterdir() if not path.name.startswith(".") and path.is_file() == files]
    except OSError as error:
        raise UsageError("invalid_data", path=root, problem=f"cannot be read: {error.strerror or error}") from None
    return sorted(entries, key=lambda path: path.name)


def _names(folders: Sequence[Path]) -> list[str]:
    return [folder.name for folder in folders]
