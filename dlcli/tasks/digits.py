"""Handwritten digits as images: the embedded task, there as soon as dlcli is installed."""

from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.embedded_digits import NAMES, splits
from dlcli.tasks.yardstick import Classification


class Digits(ArrayTask):
    """1,797 digits (Alpaydin & Kaynak 1998, UCI, in scikit-learn) as images (1, 8, 8) in [0, 1].

    The split is that of the sequential digits: 1,197 train, 300 valid, 300 test.

    Args:
        batch: rows of a training batch.
        order: seed of the shuffling.
    """

    def __init__(self, *, batch: int, order: int) -> None:
        spec = Spec((Real((1, 8, 8)),), Classes(10))
        super().__init__(splits(1, 8, 8), spec, Classification(NAMES), batch=batch, order=order)
