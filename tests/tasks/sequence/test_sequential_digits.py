"""The embedded digits: the split that everybody has."""

from collections import Counter

import torch
from sklearn.datasets import load_digits

from dlcli.core.spec import Classes, Real
from dlcli.tasks.sequence.sequential_digits import SequentialDigits


def whole(task, split):
    batches = [task.batch(split, i) for i in range(task.size(split))]
    return torch.cat([batch.inputs[0] for batch in batches]), torch.cat([batch.target for batch in batches])


def test_the_splits_are_the_data_set_cut_in_three():
    task = SequentialDigits(batch=32, order=0)
    parts = {split: whole(task, split) for split in ("train", "valid", "test")}
    assert {split: len(y) for split, (_, y) in parts.items()} == {"train": 1197, "valid": 300, "test": 300}
    digits = load_digits()
    official = Counter(
        (row.tobytes(), int(label)) for row, label in zip(digits.data.astype("uint8"), digits.target, strict=True)
    )
    ours = Counter()
    for x, y in parts.values():
        rows = (x[:, 0] * 16).to(torch.uint8).numpy()
        ours.update((row.tobytes(), int(label)) for row, label in zip(rows, y, strict=True))
    assert ours == official


def test_every_class_has_its_share():
    task = SequentialDigits(batch=32, order=0)
    shares = {split: torch.bincount(whole(task, split)[1]) / len(whole(task, split)[1]) for split in ("train", "test")}
    assert (shares["train"] - shares["test"]).abs().max() < 0.005


def test_the_split_does_not_depend_on_the_order_of_training():
    one, other = SequentialDigits(batch=32, order=0), SequentialDigits(batch=32, order=1)
    assert torch.equal(one.batch("test", 0).inputs[0], other.batch("test", 0).inputs[0])
    assert not torch.equal(one.batch("train", 0).inputs[0], other.batch("train", 0).inputs[0])
    assert one.spec.inputs == (Real((1, 64)),)
    assert one.spec.target == Classes(10)
