"""CIFAR-100."""

from collections.abc import Sequence

from dlcli.core.option_checks import one_of
from dlcli.core.task import Fitted
from dlcli.data.cifar import Form, cifar_splits
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.images import ImageTask

_CLASSES = {"coarse": 20, "fine": 100}  # in the binary version's order


def _forms(labels: str) -> tuple[Form, Form]:
    python = Form(
        places=("cifar-100-python.tar.gz", "cifar-100-python"),
        train=("train",),
        test="test",
        meta="meta",
        labels=f"{labels}_labels",
        names=f"{labels}_label_names",
    )
    binary = Form(
        places=("cifar-100-binary.tar.gz", "cifar-100-binary"),
        train=("train.bin",),
        test="test.bin",
        meta=f"{labels}_label_names.txt",
        labels=list(_CLASSES).index(labels),
        before=len(_CLASSES),
    )
    return python, binary


class CIFAR100(ImageTask):
    """60,000 colour images of 32 x 32 pixels in 100 classes, which are 20 kinds of five (Krizhevsky 2009).

    Splits and versions as in CIFAR-10: 45,000 train, 5,000 valid, and the official 10,000 test.

    Args:
        labels: "fine" for the 100 classes, "coarse" for the 20 kinds.
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
        labels: str,
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        one_of(tuple(_CLASSES), labels=labels)
        splits, names = cifar_splits("cifar-100", _forms(labels), _CLASSES[labels])
        super().__init__(
            splits, names, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )
