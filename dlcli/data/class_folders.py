"""A folder of pictures, one folder a class: which files belong to which class of which split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.core.errors import UsageError, nearest
from dlcli.data.npz import SPLITS

_WANTED = "PATH/CLASS/*.png, or PATH/train/CLASS/*.png with valid and test beside train where there are"


@dataclass(frozen=True)
class Found:
    """The pictures of a split: a path and the name of the class for each."""

    paths: list[Path]
    classes: list[str]


def find_pictures(path: str | None, *, labeled: bool = True) -> dict[str, Found]:
    """Pictures by split, sorted by class and name; without folders for splits all of them are "train".

    Files whose names begin with a dot are left out, and so are files beside the class folders.

    Args:
        labeled: if False, `path` may also be one image or a folder of images, which have the class "".

    Raises:
        UsageError: there is no such folder, or it is laid out otherwise.
    """
    if not path:
        raise UsageError("task=image_folder reads a folder of yours: task.path=FOLDER")
    root = Path(path).expanduser()
    if not labeled and (images := [root] if root.is_file() else _unlabeled(root)):
        return {"all": Found(images, [""] * len(images))}
    if not root.is_dir():
        raise UsageError(f"task.path: there is no folder {path}")
    folders = _folders(root)
    if not any(folder.name in SPLITS for folder in folders):
        return {"train": _complete(_split(root), root)}
    if strange := [folder.name for folder in folders if folder.name not in SPLITS]:
        raise UsageError(
            f"{root} has {' and '.join(_named(folders))}; "
            f"splits are train, valid and test, not {strange[0]!r}{nearest(strange[0], SPLITS)}"
        )
    found = {name: _split(root / name) for name in SPLITS if (root / name) in folders}
    if "train" in found:
        _complete(found["train"], root / "train")
    return found


def _unlabeled(root: Path) -> list[Path]:
    """Images of a folder without subfolders."""
    return _visible(root, files=True) if root.is_dir() and not _folders(root) else []


def _complete(found: Found, root: Path) -> Found:
    """What is to be learned from, which has a picture of every class."""
    if empty := [name for name in _named(_folders(root)) if name not in found.classes]:
        raise UsageError(f"{root} has no pictures of {', '.join(empty)}: put some there, or take the folder away")
    return found


def _split(root: Path) -> Found:
    folders = _folders(root)
    if not folders:
        raise UsageError(f"{root} has no folders, one for each class.\nWanted: {_WANTED}")
    found = Found([], [])
    for folder in folders:
        paths = _visible(folder, files=True)
        if not paths and (inner := _folders(folder)):
            raise UsageError(
                f"{folder} has no pictures, only folders ({', '.join(_named(inner)[:3])} ...).\nWanted: {_WANTED}"
            )
        found.paths.extend(paths)
        found.classes.extend([folder.name] * len(paths))
    if not found.paths:
        raise UsageError(f"{root} has {len(folders)} folders, but no pictures in them.\nWanted: {_WANTED}")
    return found


def _folders(root: Path) -> list[Path]:
    return _visible(root, files=False)


def _visible(root: Path, *, files: bool) -> list[Path]:
    """Sorted by name, as names do not depend on the machine."""
    try:
        found = [one for one in root.iterdir() if not one.name.startswith(".") and one.is_file() == files]
    except OSError as error:
        raise UsageError(f"{root} cannot be read: {error.strerror or error}") from None
    return sorted(found, key=lambda one: one.name)


def _named(folders: Sequence[Path]) -> list[str]:
    return [folder.name for folder in folders]
