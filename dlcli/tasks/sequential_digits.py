"""Handwritten digits read pixel by pixel: the embedded task, there as soon as dlcli is installed."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import Arrays, ArrayTask
from dlcli.tasks.yardstick import Classification

_SPLIT_SEED = 20180303  # one split for everybody, whatever the run's seed


class SequentialDigits(ArrayTask):
    """1,797 digits of 8x8 pixels (Alpaydin & Kaynak 1998, UCI, in scikit-learn) as 64 steps of one channel in [0, 1].

    One stratified split for all: 1,197 train, 300 valid, 300 test.

    Args:
        batch: rows of a training batch.
        order: seed of the shuffling.
    """

    def __init__(self, *, batch: int, order: int) -> None:
        digits = load_digits()
        images = torch.from_numpy(digits.data).float().div(16).view(-1, 1, 64)
        labels = torch.from_numpy(digits.target).long()
        rows = range(len(labels))
        rest, test = train_test_split(rows, test_size=300, stratify=digits.target, random_state=_SPLIT_SEED)
        train, valid = train_test_split(rest, test_size=300, stratify=digits.target[rest], random_state=_SPLIT_SEED)
        splits = {
            name: Arrays((images[index],), labels[index])
            for name, index in (("train", train), ("valid", valid), ("test", test))
        }
        names = [str(digit) for digit in range(10)]
        super().__init__(splits, Spec((Real((1, 64)),), Classes(10)), Classification(names), batch=batch, order=order)
