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
    """70,000 articles of clothing in ten classes, 28 x 28 pixels, in MNIST's format.

    Paper: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747. 55,000 train, 5,000 valid, and the official 10,000 test.

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
        splits = idx_splits("fashion-mnist")
        super().__init__(
            splits, _NAMES, scaling=scaling, augment=augment, batch=batch, order=order, fitted=fitted, metrics=metrics
        )
