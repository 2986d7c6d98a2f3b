"""Handwritten digits of scikit-learn as images; requires no download."""

from collections.abc import Sequence

import torch.nn.functional as F

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.image.augment import Augment, Unchanged
from dlcli.tasks.image.embedded_digits import NAMES, digit_splits
from dlcli.tasks.image.images import Images
from dlcli.tasks.image.linearity import LINEARITY_GAP
from dlcli.tasks.targets.adapter import OutputTargets
from dlcli.tasks.targets.classification import Classification


class Digits(InMemoryTask):
    """1,797 digits (Alpaydin & Kaynak 1998, UCI, in scikit-learn) as images (1, 8, 8) in [0, 1].

    The splits are those of `SequentialDigits`: 1,197 training, 300 validation, 300 test images.

    Args:
        batch: training batch size.
        labels: number of training images, taken class by class in turn; None uses all.
        augment: random transformation of the training images; None: no augmentation.
        gap: also compute the metric `linearity_gap`, which requires one more forward pass.
        order: seed of shuffling and augmentation.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: `labels` is below 1 or above the number of training images.
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
        arrays = digit_splits(1, 8, 8)
        if labels is not None:
            arrays["train"] = _balanced_subset(arrays["train"], labels)
        images = {
            name: Images(split.inputs[0], split.target, white=1.0, augment=(name == "train" and augment) or Unchanged())
            for name, split in arrays.items()
        }
        targets = OutputTargets(Classification(NAMES), extra=(LINEARITY_GAP,) if gap else ())
        super().__init__(images, spec, targets, batch=batch, order=order, metrics=metrics)


def _balanced_subset(train: TensorSamples, labels: int) -> TensorSamples:
    if not 1 <= labels <= len(train):
        raise UsageError("invalid_value", key="task.labels", must=f"from 1 to {len(train)}", got=labels)
    count = F.one_hot(train.target).cumsum(0).gather(1, train.target[:, None])[:, 0]  # occurrences of the class so far
    return TensorSamples(*train.take(count.argsort(stable=True)[:labels]))
