"""CIFAR-10."""

from collections.abc import Sequence

from dlcli.core.task import Fitted
from dlcli.data.cifar import CifarFormat, cifar_splits
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask

_PYTHON = CifarFormat(
    paths=("cifar-10-python.tar.gz", "cifar-10-batches-py"),
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    labels="labels",
    names="label_names",
)
_BINARY = CifarFormat(
    paths=("cifar-10-binary.tar.gz", "cifar-10-batches-bin"),
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    meta="batches.meta.txt",
    labels=0,
    label_bytes=1,
)


class CIFAR10(ImageTask):
    """60,000 color images of 32 x 32 pixels in ten classes (Krizhevsky 2009, Learning Multiple Layers of Features).

    The official 50,000 training images are split, stratified and independently of the seed, into 45,000 for training
    and 5,000 for validation; the official 10,000 test images are the test split. Reads the Python version or the
    binary version, each as an archive or extracted, in this order.

    Args:
        scaling: "standard" or "none", see `ImageTask`.
        augment: random transformation of the training images.
        batch: training batch size.
        order: seed of shuffling and augmentation.
        fitted: mean and standard deviation of a saved run; None computes those of the training split.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        Missing: the data set is missing.
        UsageError: a file is corrupt.
    """

    def __init__(
        self,
        *,
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        splits, names = cifar_splits("cifar-10", (_PYTHON, _BINARY), 10)
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )
