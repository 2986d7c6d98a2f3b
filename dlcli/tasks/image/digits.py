"""Handwritten digits as images: the embedded task, there as soon as dlcli is installed."""

from collections.abc import Sequence

import torch.nn.functional as F

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import Arrays, ArrayTask
from dlcli.tasks.image.augment import Augment, Unchanged
from dlcli.tasks.image.embedded_digits import NAMES, splits
from dlcli.tasks.image.images import Images
from dlcli.tasks.image.linearity import LINEARITY_GAP
from dlcli.tasks.targets.adapter import OutputTargets
from dlcli.tasks.targets.classification import Classification


class Digits(ArrayTask):
    """1,797 digits (Alpaydin & Kaynak 1998, UCI, in scikit-learn) as images (1, 8, 8) in [0, 1].

    The split is that of the sequential digits: 1,197 train, 300 valid, 300 test.

    Args:
        batch: rows of a training batch.
        labels: training images that are used, the first of every class in turn; None uses all.
        augment: what training makes of the images.
        gap: whether `linearity_gap` is scored too, which takes one more pass.
        order: seed of the shuffling and the augmentation.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: there are not so many training images, or `labels` is below 1.
    """

    def __init__(
        self,
        *,
        batch: int,
        order: int,
        labels: int | None = None,
        augment: Augment | None = None,
        gap: bool = False,
        metrics: Sequence[str] | None = None,
    ) -> None:
        spec = Spec((Real((1, 8, 8)),), Classes(10))
        arrays = splits(1, 8, 8)
        if labels is not None:
            arrays["train"] = _few(arrays["train"], labels)
        found = {
            name: Images(split.inputs[0], split.target, white=1.0, augment=(name == "train" and augment) or Unchanged())
            for name, split in arrays.items()
        }
        targets = OutputTargets(Classification(NAMES), extra=(LINEARITY_GAP,) if gap else ())
        super().__init__(found, spec, targets, batch=batch, order=order, metrics=metrics)


def _few(train: Arrays, labels: int) -> Arrays:
    if not 1 <= labels <= len(train):
        raise UsageError(f"task.labels is 1 to {len(train)}, not {labels}")
    seen = F.one_hot(train.target).cumsum(0).gather(1, train.target[:, None])[:, 0]  # how often the class came so far
    return Arrays(*train.take(seen.argsort(stable=True)[:labels]))
