"""Copy memory: the layout of a sequence, and the price of having no memory."""

import math

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import predict, score
from dlcli.core.spec import Classes, Real
from dlcli.tasks.sequence.copy_memory import CopyMemory

T = 15
SIZES = {"length": T, "train": 64, "valid": 30, "test": 2000, "batch": 32, "data_seed": 0, "order": 0}


class Scripted(nn.Module):
    """Sure of 0 before the last ten steps; there it looks back, or guesses among the digits."""

    def __init__(self, memory):
        super().__init__()
        self.memory = memory

    def forward(self, x):
        logits = torch.full((len(x), 10, x.shape[2]), -1e9)
        logits[:, 0, :-10] = 0
        if self.memory:
            logits[..., -10:].scatter_(1, x[:, :, :10].long(), 0.0)
        else:
            logits[:, 1:9, -10:] = 0
        return logits


def test_digits_silence_delimiter():
    task = CopyMemory(**SIZES)
    batch = task.batch("train", 0)
    (x,), target = batch.inputs, batch.target
    assert x.shape == (32, 1, T + 20)
    assert target.shape == (32, T + 20)
    digits = x[:, 0, :10]
    assert set(digits.unique().tolist()) == set(range(1, 9))
    assert (x[:, 0, 10 : 10 + T - 1] == 0).all()
    assert (x[:, 0, 10 + T - 1 :] == 9).all()
    assert (target[:, :-10] == 0).all()
    assert torch.equal(target[:, -10:], digits.long())
    assert task.spec.inputs == (Real((1, T + 20)),)
    assert task.spec.target == Classes(10, (T + 20,))


def test_without_memory_a_digit_costs_log_eight():
    found = score(Scripted(memory=False), CopyMemory(**SIZES), "test")
    assert found["nll"] == pytest.approx(10 * math.log(8) / (T + 20))
    assert found["recall"] == pytest.approx(1 / 8, abs=5 * (7 / 64 / 20000) ** 0.5)


def test_with_memory_it_costs_nothing():
    task = CopyMemory(**SIZES)
    assert score(Scripted(memory=True), task, "test") == {"nll": 0.0, "recall": 1.0}
    assert (task.main.metric, task.main.direction) == ("nll", "min")


def test_predictions_are_the_ten_digits():
    task = CopyMemory(**SIZES)
    table = predict(Scripted(memory=True), task, [task.batch("valid", 0)])
    assert table["sample"] == list(range(30))
    assert table["prediction"] == table["target"]
    assert all(len(row.split()) == 10 for row in table["target"])


def test_data_depend_on_their_own_seed_only():
    one, other = CopyMemory(**SIZES), CopyMemory(**SIZES | {"order": 5})
    assert torch.equal(one.batch("test", 0).target, other.batch("test", 0).target)
    assert not torch.equal(one.batch("train", 0).target, other.batch("train", 0).target)
    changed = CopyMemory(**SIZES | {"data_seed": 5})
    assert not torch.equal(one.batch("test", 0).target, changed.batch("test", 0).target)


@pytest.mark.parametrize("key", ["length", "train", "valid", "test", "batch"])
def test_small_numbers_are_refused(key):
    with pytest.raises(UsageError) as error:
        CopyMemory(**SIZES | {key: 0})
    assert f"task.{key}" in str(error.value)
