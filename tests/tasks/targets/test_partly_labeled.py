"""A batch without labels costs 0 with a gradient of 0, and missing labels change no loss."""

import math

import pytest
import torch

from dlcli.core.spec import IGNORED
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.multi_label import MultiLabel
from dlcli.tasks.targets.piano_roll import PianoRoll
from dlcli.tasks.targets.regression import Regression

NAMES = ["a", "b", "c"]
CASES = {
    "classification": (Classification(NAMES), (3,), torch.tensor([0, 1, 2, 1]), IGNORED),
    "steps": (Classification(NAMES), (3, 2), torch.tensor([[0, 1], [1, 2], [2, 0], [1, 1]]), IGNORED),
    "regression": (Regression(), (2,), torch.tensor([[0.1, 2.0], [1.0, -1.0], [0.5, 0.0], [3.0, 1.0]]), math.nan),
    "multi-label": (MultiLabel(NAMES), (3,), torch.tensor([[0.0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]]), math.nan),
    "piano roll": (PianoRoll(), (3, 2), torch.ones(4, 3, 2), math.nan),
}


def outputs(shape):
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.mark.parametrize("name", CASES)
def test_loss_of_unlabeled_batch_is_zero_with_zero_gradient(name):
    targets, shape, target, missing = CASES[name]
    output = outputs(shape)
    value, weight = targets.loss(output, torch.full_like(target, missing))
    value.backward()
    assert (value.item(), float(weight)) == (0.0, 0.0)
    assert torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize("name", CASES)
def test_loss_is_the_mean_over_labeled_rows(name):
    targets, shape, target, missing = CASES[name]
    output, partly = outputs(shape), target.clone()
    partly[2:] = missing
    value, weight = targets.loss(output, partly)
    wanted, units = targets.loss(output[:2], target[:2])
    assert value.item() == pytest.approx(wanted.item(), rel=1e-6)
    assert float(weight) == float(units)
    value.backward()
    assert bool(output.grad[:2].abs().sum() > 0)
    assert not output.grad[2:].any()
