"""MNIST."""

from collections.abc import Sequence

from dlcli.core.task import Fitted
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.idx_images import idx_splits
from dlcli.tasks.image.images import ImageTask


class MNIST(ImageTask):
    """70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes & Burges 1998).

    The splits are those of the sequential MNIST: 55,000 train, 5,000 valid, and the official 10,000 test.

    Args:
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
