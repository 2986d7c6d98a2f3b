"""SVHN: Street View House Numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat

from dlcli.core.errors import UsageError
from dlcli.core.task import Fitted
from dlcli.data.files import data_file
from dlcli.data.labeled import Labeled, labeled, with_valid
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask

_CLASSES = 10
_VALID_FRACTION = 12  # 1 of 12 training images: 6,104 of 73,257


class SVHN(ImageTask):
    """Street View House Numbers, cropped to one digit of 32 x 32 RGB pixels.

    Paper: Netzer et al. 2011, Reading Digits in Natural Images with Unsupervised Feature Learning. 6,104 of the 73,257
    training images are the validation split, stratified and independently of the seed; the official 26,032 test images
    are the test split.

    Args:
        extra: also train on the 531,131 easier images of the extra set; the validation split does not change.
        scaling: "standard" or "none", see `ImageTask`.
        augment: random transformation of the training images.
        batch: training batch size.
        order: seed of shuffling and augmentation.
        fitted: mean and standard deviation of a saved run; None computes those of the training split.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        Missing: a file is missing.
        UsageError: a file is corrupt.
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
        extra_file = data_file("svhn-extra", "extra_32x32.mat") if extra else None
        train, test = (data_file("svhn", f"{part}_32x32.mat") for part in ("train", "test"))
        splits = with_valid(_read(train), _read(test), _VALID_FRACTION)
        if extra_file is not None:
            splits["train"] = splits["train"].followed_by(_read(extra_file))
        names = [str(digit) for digit in range(_CLASSES)]
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )


def _read(path: Path) -> Labeled:
    """Read X (height, width, channel, sample) and y (sample, 1), where the label 10 is the digit 0."""
    try:
        arrays = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
        raise UsageError("damaged", path=path, problem=f"truncated, or not a .mat file: {error}") from None
    if absent := [name for name in "Xy" if name not in arrays]:
        raise UsageError("invalid_data", path=path, problem=f"array {' and '.join(absent)} missing")
    x, y = np.asarray(arrays["X"]), np.asarray(arrays["y"])
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != (32, 32, 3):
        raise UsageError(
            "invalid_data", path=path, problem=f"X must be uint8 of shape (32, 32, 3, sample), got {x.dtype} {x.shape}"
        )
    if y.dtype.kind not in "iu" or y.ndim != 2 or 1 not in y.shape:
        raise UsageError(
            "invalid_data", path=path, problem=f"y must be integers of shape (sample, 1), got {y.dtype} {y.shape}"
        )
    labels = y.flatten().astype(np.int64)
    if labels.size and not 1 <= labels.min() <= labels.max() <= _CLASSES:
        problem = f"y must be in 1 to {_CLASSES}, got {labels.min()} to {labels.max()}"
        raise UsageError("invalid_data", path=path, problem=problem)
    images = torch.from_numpy(np.ascontiguousarray(x.transpose(3, 2, 0, 1)))
    return labeled(images, torch.from_numpy(labels % _CLASSES), _CLASSES, str(path))
