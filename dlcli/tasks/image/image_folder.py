"""A user's own pictures, one folder a class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.spec import IGNORED
from dlcli.core.task import Batch, Carry, Fitted
from dlcli.data.class_folders import Found, find_pictures
from dlcli.data.image_files import Pictures, Size
from dlcli.data.labeled import Labelled
from dlcli.data.splits import split_rows
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask, normalisation

_FEWEST = 2  # classes


class ImageFolder(ImageTask):
    """Pictures in PATH/CLASS/*, or PATH/train/CLASS/* with valid and test beside train where there are.

    The names of the folders, sorted, are the classes. A missing valid or test split is 15 % of train each, stratified
    by class. Split "all" is every picture, sorted by split, class and name. All pictures have one size and one mode,
    or `size` and `mode` make them so. With `fitted`, classes, size, mode and normalisation are the run's.

    Args:
        path: the folder.
        size: [height, width], or the side of a square, that pictures are resized to; null resizes none.
        mode: L (grey), RGB or RGBA, which pictures are converted to; null converts none.
        skip_bad: leave out files that cannot be read, and say so, instead of refusing the whole.
        scaling: "standard" or "none", see `ImageTask`.
        augment: what training makes of the images.
        batch: rows of a training batch.
        order: seed of the shuffling and the augmentation.
        data_seed: seed of splits that the folder lacks.
        fitted: what a run learned from its training data; None learns it here.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: the folder is laid out otherwise, files cannot be read, sizes or modes differ, there is one class
            only, or a class that the run does not know.
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
        found = find_pictures(path, labeled=fitted is None)
        known: Fitted = fitted or {}
        names = known.get("classes") or _classes(found)
        pictures = Pictures([path for part in found.values() for path in part.paths], skip_bad=skip_bad)
        side = pictures.size(_size(size), tuple(known["size"]) if known else None)
        colours = pictures.mode(mode, known.get("mode"))
        pixels = torch.from_numpy(pictures.read(side, colours))
        labels, parts = _labels(found, names, pictures)
        everything = Labelled(pixels, torch.from_numpy(labels))
        rows = split_rows(parts, data_seed, new=fitted is None)
        splits = {name: everything.pick(torch.arange(len(labels))[index]) for name, index in rows.items()}
        if fitted is None:
            _check_classes(splits["train"], names)
            fitted = {"classes": names, "size": list(side), "mode": colours} | normalisation(splits["train"], scaling)
        splits["all"] = everything
        root = Path(str(path)).expanduser()
        self._files = np.array([str(file.relative_to(root)) if file != root else file.name for file in pictures.paths])
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )

    def predicted(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, np.ndarray], Carry]:
        """Columns `file` (relative to the folder) and the predictions."""
        columns, carry = super().predicted(model, batch, carry)
        files = self._files[columns.pop("row")].astype(object)
        return {"file": files} | columns, carry


def _classes(found: Mapping[str, Found]) -> list[str]:
    """Those of train.

    Raises:
        UsageError: there is no train, or one class only.
    """
    if "train" not in found:
        raise UsageError(f"the folder has no train to learn from, only {', '.join(found)}")
    names = sorted(set(found["train"].classes))
    if len(names) < _FEWEST:
        raise UsageError(f"there is only one class ({names[0]}): there is nothing to learn")
    return names


def _check_classes(train: Labelled, names: Sequence[str]) -> None:
    """After bad files were left out, and others put into valid and test."""
    counts = torch.bincount(train.labels, minlength=len(names)).tolist()
    if empty := [name for name, count in zip(names, counts, strict=True) if not count]:
        raise UsageError(f"no picture of class {', '.join(empty)} is left to learn from")


def _labels(
    found: Mapping[str, Found], names: Sequence[str], pictures: Pictures
) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """The class of every picture that was read, and the same by split.

    Raises:
        UsageError: a class is not among the names.
    """
    numbers, read = {"": IGNORED} | {name: number for number, name in enumerate(names)}, set(pictures.paths)
    parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for split, part in found.items():
        if unknown := sorted(set(part.classes) - {*names, ""}):
            raise UsageError(f"{split} has the class {unknown[0]!r}; classes to learn are: {', '.join(names)}")
        kept = [numbers[name] for path, name in zip(part.paths, part.classes, strict=True) if path in read]
        if kept:
            parts[split] = (np.empty((len(kept), 0)), np.array(kept, np.int64))
    return np.concatenate([y for _, y in parts.values()]), parts


def _size(size: int | Sequence[int] | None) -> Size | None:
    """(height, width).

    Raises:
        UsageError: it is none.
    """
    if size is None:
        return None
    height, *width = (size, size) if isinstance(size, int) else size
    if len(width) != 1 or height < 1 or width[0] < 1:
        raise UsageError(f"task.size is a number of pixels or [height,width], not {size}")
    return height, width[0]
