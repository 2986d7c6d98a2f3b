"""SVHN: street view house numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat

from dlcli.core.errors import UsageError
from dlcli.core.task import Fitted
from dlcli.data.files import data_file
from dlcli.data.labeled import Labelled, labelled, with_valid
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask

_CLASSES = 10
_VALID = 12  # one in twelve of the training images: 6,104 of 73,257


class SVHN(ImageTask):
    """House numbers from street view, cropped to one digit of 32 x 32 coloured pixels.

    Paper: Netzer et al. 2011, Reading Digits in Natural Images with Unsupervised Feature Learning. One stratified
    split for all: one in twelve of the 73,257 training images is the validation split; the official 26,032 test
    images are the test split.

    Args:
        extra: train on the 531,131 simpler images of the extra set besides; validation stays the same.
        scaling: "standard" or "none", see `ImageTask`.
        augment: what training makes of the images.
        batch: rows of a training batch.
        order: seed of the shuffling and the augmentation.
        fitted: the mean and standard deviation of a run; None takes those of train.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        Missing: a file is not there.
        UsageError: a file is damaged.
    """

    def __init__(
        self,
        *,
        extra: bool,
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        more = data_file("svhn-extra", "extra_32x32.mat") if extra else None
        train, test = (data_file("svhn", f"{part}_32x32.mat") for part in ("train", "test"))
        splits = with_valid(_read(train), _read(test), _VALID)
        if more is not None:
            splits["train"] = splits["train"].followed_by(_read(more))
        names = [str(digit) for digit in range(_CLASSES)]
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )


def _read(path: Path) -> Labelled:
    """X is (height, width, channel, sample), y (sample, 1), where 10 stands for the digit 0."""
    try:
        found = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
        raise UsageError(f"{path} cannot be read, it is cut off or no .mat file: {error}") from None
    if absent := [name for name in "Xy" if name not in found]:
        raise UsageError(f"{path} has no {' and no '.join(absent)}")
    x, y = np.asarray(found["X"]), np.asarray(found["y"])
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != (32, 32, 3):
        raise UsageError(f"{path}: X is {x.dtype} {x.shape}, not bytes of (32, 32, 3, sample)")
    if y.dtype.kind not in "iu" or y.ndim != 2 or 1 not in y.shape:
        raise UsageError(f"{path}: y is {y.dtype} {y.shape}, not whole numbers of (sample, 1)")
    labels = y.flatten().astype(np.int64)
    if labels.size and not 1 <= labels.min() <= labels.max() <= _CLASSES:
        raise UsageError(f"{path}: y goes from {labels.min()} to {labels.max()}, not from 1 to {_CLASSES}")
    images = torch.from_numpy(np.ascontiguousarray(x.transpose(3, 2, 0, 1)))
    return labelled(images, torch.from_numpy(labels % _CLASSES), _CLASSES, str(path))
