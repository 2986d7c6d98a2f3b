"""MNIST."""

from collections.abc import Sequence

from dlcli.core.task import Fitted
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.idx_images import idx_splits
from dlcli.tasks.image.images import ImageTask


class MNIST(ImageTask):
    """70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes & Burges 1998).

    The splits are those of `SequentialMNIST`: 55,000 training, 5,000 validation, and the official 10,000 test images.

    Args:
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
        scaling: str,
        augment: Augment,
        batch: int,
        order: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        super().__init__(
            idx_splits("mnist"),
            [str(digit) for digit in range(10)],
            scaling=scaling,
            augment=augment,
            batch=batch,
            order=order,
            fitted=fitted,
            metrics=metrics,
        )
