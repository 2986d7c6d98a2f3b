"""Image classification on the user's own images, one directory per class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.spec import IGNORED
from dlcli.core.task import Batch, Carry, Fitted
from dlcli.data.class_folders import SplitFiles, find_images
from dlcli.data.image_files import ImageFiles, Size
from dlcli.data.labeled import Labeled
from dlcli.data.splits import split_rows
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask, normalization

_MIN_CLASSES = 2


class ImageFolder(ImageTask):
    """Images in PATH/CLASS/*, or in PATH/train/CLASS/* and optionally PATH/valid and PATH/test.

    The sorted names of the directories are the classes. A missing validation or test split is 15 % of the training
    images, stratified by class. Split "all" contains every image, sorted by split, class and name. All images must have
    one size and one mode unless `size` and `mode` are given. With `fitted`, the classes, size, mode and normalization
    are those of the run.

    Args:
        path: the directory.
        size: [height, width], or the side of a square, to which images are resized; None: no resizing.
        mode: L (grayscale), RGB or RGBA, to which images are converted; None: no conversion.
        skip_bad: skip unreadable files with a warning instead of raising.
        scaling: "standard" or "none", see `ImageTask`.
        augment: random transformation of the training images.
        batch: training batch size.
        order: seed of shuffling and augmentation.
        data_seed: seed of the splits that are missing in the directory.
        fitted: quantities fitted by a saved run; None fits them to the training split.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: the layout of the directory is invalid, files are unreadable, sizes or modes differ, or there is
            only one class or a class unknown to the run.
    """

    def __init__(
        self,
        *,
        path: str | None,
        size: int | Sequence[int] | None,
        mode: str | None,
        skip_bad: bool,
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        data_seed: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        files = find_images(path, labeled=fitted is None)
        saved: Fitted = fitted or {}
        names = saved.get("classes") or _classes(files)
        images = ImageFiles([path for part in files.values() for path in part.paths], skip_bad=skip_bad)
        image_size = images.size(_size(size), tuple(saved["size"]) if saved else None)
        color_mode = images.mode(mode, saved.get("mode"))
        pixels = torch.from_numpy(images.read(image_size, color_mode))
        labels, parts = _labels(files, names, images.paths)
        everything = Labeled(pixels, torch.from_numpy(labels))
        rows = split_rows(parts, data_seed, new=fitted is None)
        splits = {name: everything.pick(torch.arange(len(labels))[index]) for name, index in rows.items()}
        if fitted is None:
            _check_classes(splits["train"], names)
            fitted = {"classes": names, "size": list(image_size), "mode": color_mode} | normalization(
                splits["train"], scaling
            )
        splits["all"] = everything
        root = Path(str(path)).expanduser()
        self._files = np.array([str(file.relative_to(root)) if file != root else file.name for file in images.paths])
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )

    def predicted(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, np.ndarray], Carry]:
        """Columns `file` (relative to the folder) and the predictions."""
        columns, carry = super().predicted(model, batch, carry)
        files = self._files[columns.pop("row")].astype(object)
        return {"file": files} | columns, carry


def _classes(files: Mapping[str, SplitFiles]) -> list[str]:
    """Class names of the training split.

    Raises:
        UsageError: there is no training split, or only one class.
    """
    if "train" not in files:
        problem = f"no training split, only {', '.join(files)}"
        raise UsageError("invalid_data", path="task.path", problem=problem, hint="add a directory train/CLASS/*")
    names = sorted(set(files["train"].classes))
    if len(names) < _MIN_CLASSES:
        requirement = f"at least {_MIN_CLASSES} classes"
        raise UsageError("mismatch", subject="task=image_folder", requirement=requirement, got=", ".join(names))
    return names


def _check_classes(train: Labeled, names: Sequence[str]) -> None:
    """Require an image of every class after unreadable files were skipped and other splits held out."""
    counts = torch.bincount(train.labels, minlength=len(names)).tolist()
    if empty := [name for name, count in zip(names, counts, strict=True) if not count]:
        problem = f"no training image of class {', '.join(empty)} remains"
        raise UsageError(
            "invalid_data", path="task.path", problem=problem, hint="add images of the class, or remove it"
        )


def _labels(
    files: Mapping[str, SplitFiles], names: Sequence[str], readable: Sequence[Path]
) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Class of every readable image, over all splits and by split.

    Raises:
        UsageError: a class is not among the names.
    """
    numbers = {"": IGNORED} | {name: number for number, name in enumerate(names)}
    readable_paths = set(readable)
    parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for split, part in files.items():
        if unknown := sorted(set(part.classes) - {*names, ""}):
            raise UsageError("unknown_name", kind=f"class in split {split}:", name=unknown[0], known=names)
        labels = [numbers[name] for path, name in zip(part.paths, part.classes, strict=True) if path in readable_paths]
        if labels:
            parts[split] = (np.empty((len(labels), 0)), np.array(labels, np.int64))
    return np.concatenate([y for _, y in parts.values()]), parts


def _size(size: int | Sequence[int] | None) -> Size | None:
    """(height, width).

    Raises:
        UsageError: a side is below 1, or there are not two of them.
    """
    if size is None:
        return None
    height, *width = (size, size) if isinstance(size, int) else size
    if len(width) != 1 or height < 1 or width[0] < 1:
        must = "a positive number of pixels or [height,width]"
        raise UsageError("invalid_value", key="task.size", must=must, got=size)
    return height, width[0]
