"""The adding problem: two marks, their sum, and what not looking costs."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import score
from dlcli.core.spec import Real
from dlcli.tasks.sequence.adding import Adding

SIZES = {"length": 30, "train": 200, "valid": 4000, "test": 50, "batch": 32, "data_seed": 0, "order": 0}


def adding(**other):
    return Adding(**(SIZES | other))


def whole(task, split):
    batches = [task.batch(split, i) for i in range(task.size(split))]
    return torch.cat([batch.inputs[0] for batch in batches]), torch.cat([batch.target for batch in batches])


def test_two_steps_are_marked_and_the_target_is_their_sum():
    x, target = whole(adding(), "valid")
    values, marks = x[:, 0], x[:, 1]
    assert x.shape == (4000, 2, 30)
    assert ((marks == 0) | (marks == 1)).all()
    assert (marks.sum(1) == 2).all()
    marked = values[marks == 1].view(-1, 2)
    assert torch.allclose(marked.sum(1, keepdim=True), target)
    assert values.min() >= 0
    assert values.max() <= 1


def test_every_pair_of_steps_is_as_likely():
    marks = whole(adding(length=4, valid=12000), "valid")[0][:, 1]
    pairs = torch.bincount((marks * torch.tensor([1, 2, 4, 8])).sum(1).long(), minlength=16)
    found = pairs[[3, 5, 9, 6, 10, 12]]
    assert found.sum() == 12000
    assert (found - 2000).abs().max() < 5 * (12000 * 1 / 6 * 5 / 6) ** 0.5


def test_answering_one_without_looking_costs_a_sixth():
    class One(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 1)

    found = score(One(), adding(valid=20000), "valid")["mse"]
    # The square of a sum of two centred uniform values has variance 7/180.
    assert found == pytest.approx(1 / 6, abs=5 * (7 / 180 / 20000) ** 0.5)


def test_adding_what_is_marked_costs_nothing():
    class Sum(nn.Module):
        def forward(self, x):
            return (x[:, 0] * x[:, 1]).sum(1, keepdim=True)

    task = adding()
    assert task.main.metric == "mse"
    assert task.main.direction == "min"
    assert score(Sum(), task, "test")["mse"] == pytest.approx(0, abs=1e-12)


def test_data_depend_on_their_own_seed_only_and_splits_differ():
    one, other = adding(order=0), adding(order=9, batch=8)
    assert torch.equal(whole(one, "test")[0], whole(other, "test")[0])
    assert not torch.equal(whole(one, "test")[0], whole(adding(data_seed=1), "test")[0])
    assert not torch.equal(whole(one, "valid")[0][:50], whole(one, "test")[0])
    assert one.spec.inputs == (Real((2, 30)),)
    assert one.spec.target == Real((1,))


@pytest.mark.parametrize(("key", "least"), [("length", 2), ("train", 1), ("valid", 1), ("test", 1), ("batch", 1)])
def test_small_numbers_are_refused(key, least):
    with pytest.raises(UsageError) as error:
        adding(**{key: least - 1})
    assert f"task.{key}" in str(error.value)
