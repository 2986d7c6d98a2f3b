"""CIFAR-10."""

from collections.abc import Sequence

from dlcli.core.task import Fitted
from dlcli.data.cifar import Form, cifar_splits
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask

_PYTHON = Form(
    places=("cifar-10-python.tar.gz", "cifar-10-batches-py"),
    train=tuple(f"data_batch_{number}" for number in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    labels="labels",
    names="label_names",
)
_BINARY = Form(
    places=("cifar-10-binary.tar.gz", "cifar-10-batches-bin"),
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test="test_batch.bin",
    meta="batches.meta.txt",
    labels=0,
    before=1,
)


class CIFAR10(ImageTask):
    """60,000 colour images of 32 x 32 pixels in ten classes (Krizhevsky 2009, Learning Multiple Layers of Features).

    One stratified split for all: 5,000 of the official 50,000 training images are the validation split, 45,000 are
    left to train on; the official 10,000 test images are the test split. The Python version is read, or the binary
    one, packed or unpacked, whichever is there first.

    Args:
        scaling: "standard" or "none", see `ImageTask`.
        augment: what training makes of the images.
        batch: rows of a training batch.
        order: seed of the shuffling and the augmentation.
        fitted: the mean and standard deviation of a run; None takes those of train.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        Missing: the data are not there.
        UsageError: they are damaged.
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
