"""Fashion-MNIST."""

from collections.abc import Sequence

from dlcli.core.task import Fitted
from dlcli.tasks.image.augment import Augment
from dlcli.tasks.image.idx_images import idx_splits
from dlcli.tasks.image.images import ImageTask

_NAMES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


class FashionMNIST(ImageTask):
    """70,000 articles of clothing of 28 x 28 pixels in ten classes, in the format of MNIST.

    Paper: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747. 55,000 training, 5,000 validation, and the official 10,000
    test images.

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
        splits = idx_splits("fashion-mnist")
        super().__init__(
            splits, _NAMES, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )
