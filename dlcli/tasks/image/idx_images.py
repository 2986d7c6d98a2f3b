"""Data sets in the format of MNIST: four IDX files."""

from collections.abc import Sequence
from pathlib import Path

from dlcli.core.errors import Missing
from dlcli.core.task import Fitted
from dlcli.data.files import data_file, data_folder
from dlcli.data.idx import read_idx
from dlcli.data.labeled import Labeled, labeled, with_valid
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask

_CLASSES = 10
_VALID_FRACTION = 12  # 1 of 12 training images: 5,000 of 60,000


class IdxImages(ImageTask):
    """Grayscale images of ten classes in four IDX files: MNIST, Fashion-MNIST and data sets in their format.

    The splits are those of `idx_splits`: 55,000 training, 5,000 validation, and the official 10,000 test images.

    Args:
        dataset: folder of the files, below the data folder.
        names: class names in the order of the labels.
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
        dataset: str,
        names: Sequence[str],
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        splits = idx_splits(dataset)
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )


def idx_splits(dataset: str) -> dict[str, Labeled]:
    """Load the splits train, valid and test of a data set of ten classes.

    The official 60,000 training images are split, stratified and independently of the seed, into 55,000 for training
    and 5,000 for validation; the official test images are the test split.

    Args:
        dataset: folder of `train-images-idx3-ubyte.gz`, ..., or of the same files uncompressed, below the data folder.

    Raises:
        Missing: a file is missing.
        UsageError: a file is corrupt, or the numbers of images and labels differ.
    """
    return with_valid(_read(dataset, "train"), _read(dataset, "t10k"), _VALID_FRACTION)


def _read(dataset: str, part: str) -> Labeled:
    images = read_idx(_file(dataset, f"{part}-images-idx3-ubyte"), 3)
    source = _file(dataset, f"{part}-labels-idx1-ubyte")
    return labeled(images[:, None], read_idx(source, 1), _CLASSES, f"{dataset}: {source.name}")


def _file(dataset: str, name: str) -> Path:
    """Path of the published file, or of the uncompressed one."""
    try:
        return data_file(dataset, f"{name}.gz")
    except Missing:
        uncompressed = data_folder() / dataset / name
        if uncompressed.is_file():
            return uncompressed
        raise
