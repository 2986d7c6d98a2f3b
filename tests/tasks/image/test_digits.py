"""The digits as images are the sequential digits, row by row."""

import pytest
import torch
from helpers.errors import usage_error

from dlcli.core.spec import Classes, Real
from dlcli.tasks.image.digits import Digits
from dlcli.tasks.sequence.sequential_digits import SequentialDigits


def test_they_are_the_sequential_digits_as_images():
    images, steps = Digits(batch=32, order=3), SequentialDigits(batch=32, order=3)
    assert images.spec.inputs == (Real((1, 8, 8)),)
    assert images.spec.target == Classes(10)
    for split in ("train", "valid", "test"):
        assert images.size(split) == steps.size(split)
        for index in range(images.size(split)):
            one, other = images.batch(split, index), steps.batch(split, index)
            assert one.inputs[0].shape == (len(one), 1, 8, 8)
            assert torch.equal(one.inputs[0].flatten(2), other.inputs[0])
            assert torch.equal(one.target, other.target)
            assert 0 <= float(one.inputs[0].min()) <= float(one.inputs[0].max()) <= 1


def test_few_labels_are_of_every_class_alike_and_the_other_splits_stay_whole():
    few, many = Digits(batch=32, order=3, labels=104), Digits(batch=32, order=3)
    targets = torch.cat([few.batch("train", index).target for index in range(few.size("train"))])
    counts = targets.bincount(minlength=10)
    assert len(targets) == 104
    assert sorted(counts.tolist()) == [10] * 6 + [11] * 4
    assert few.size("valid") == many.size("valid")
    assert torch.equal(few.batch("test", 1).inputs[0], many.batch("test", 1).inputs[0])


def test_fewer_labels_are_among_more_labels():
    one, other = (Digits(batch=1197, order=0, labels=labels).batch("train", 0).inputs[0] for labels in (20, 50))
    rows = {tuple(image.flatten().tolist()) for image in other}
    assert all(tuple(image.flatten().tolist()) in rows for image in one)


@pytest.mark.parametrize("labels", [0, 1198])
def test_labels_that_there_are_not(labels):
    with usage_error("invalid_value", key="task.labels"):
        Digits(batch=32, order=0, labels=labels)
