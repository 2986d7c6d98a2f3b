"""CIFAR-100."""

from collections.abc import Sequence

from dlcli.core.option_checks import check_choice
from dlcli.core.task import Fitted
from dlcli.data.cifar import CifarFormat, cifar_splits
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask

_CLASSES = {"coarse": 20, "fine": 100}  # in the order of the label bytes of the binary version


def _forms(labels: str) -> tuple[CifarFormat, CifarFormat]:
    python = CifarFormat(
        paths=("cifar-100-python.tar.gz", "cifar-100-python"),
        train=("train",),
        test="test",
        meta="meta",
        labels=f"{labels}_labels",
        names=f"{labels}_label_names",
    )
    binary = CifarFormat(
        paths=("cifar-100-binary.tar.gz", "cifar-100-binary"),
        train=("train.bin",),
        test="test.bin",
        meta=f"{labels}_label_names.txt",
        labels=list(_CLASSES).index(labels),
        label_bytes=len(_CLASSES),
    )
    return python, binary


class CIFAR100(ImageTask):
    """60,000 color images of 32 x 32 pixels in 100 classes, grouped into 20 superclasses (Krizhevsky 2009).

    Splits and versions as in CIFAR-10: 45,000 training, 5,000 validation, and the official 10,000 test images.

    Args:
        labels: "fine" for the 100 classes, "coarse" for the 20 superclasses.
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
        labels: str,
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        check_choice(tuple(_CLASSES), labels=labels)
        splits, names = cifar_splits("cifar-100", _forms(labels), _CLASSES[labels])
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )
