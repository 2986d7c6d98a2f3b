"""Handwritten digits of scikit-learn as pixel sequences; requires no download."""

from collections.abc import Sequence

from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import InMemoryTask
from dlcli.tasks.image.embedded_digits import NAMES, digit_splits
from dlcli.tasks.targets.classification import Classification


class SequentialDigits(InMemoryTask):
    """1,797 digits of 8x8 pixels (Alpaydin & Kaynak 1998, UCI, in scikit-learn) as 64 steps of one channel in [0, 1].

    The splits are stratified and do not depend on the seed: 1,197 training, 300 validation, 300 test images.

    Args:
        batch: training batch size.
        order: seed of shuffling.
        metrics: names of the reported metrics; None: the defaults of the target type.
    """

    def __init__(self, *, batch: int, order: int, metrics: Sequence[str] | None = None) -> None:
        spec = Spec((Real((1, 64)),), Classes(10))
        super().__init__(digit_splits(1, 64), spec, Classification(NAMES), batch=batch, order=order, metrics=metrics)
