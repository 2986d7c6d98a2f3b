"""The digits as images are the sequential digits, row by row."""

import torch

from dlcli.core.spec import Classes, Real
from dlcli.tasks.digits import Digits
from dlcli.tasks.sequential_digits import SequentialDigits


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
