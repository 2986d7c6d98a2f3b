"""Tasks over arrays: what a batch holds, and that averages do not depend on how a split is cut."""

import pytest
import torch
from helpers.errors import usage_error
from torch import nn

from dlcli.core.evaluation import predict, score
from dlcli.core.spec import Real, Spec
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.regression import Regression

SAMPLES = 23


def numbered(count, offset=0.0):
    x = torch.arange(count, dtype=torch.float32)[:, None, None] + offset
    return TensorSamples((x,), x[:, :, 0].square())


def task(batch=4, order=0, train=SAMPLES):
    splits = {"train": numbered(train), "valid": numbered(SAMPLES, 0.5), "test": numbered(0)}
    return InMemoryTask(splits, Spec((Real((1, 1)),), Real((1,))), Regression(), batch=batch, order=order)


class Identity(nn.Module):
    def forward(self, x):
        return x[:, :, 0]


def epoch_of(data, epoch):
    size = data.size("train")
    return torch.cat([data.batch("train", epoch * size + i).index for i in range(size)])


def test_an_epoch_holds_every_sample_once_and_the_next_in_another_order():
    data = task()
    first, second = epoch_of(data, 0), epoch_of(data, 1)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(SAMPLES))
    assert first.tolist() != second.tolist()
    assert first.tolist() != epoch_of(task(order=1), 0).tolist()


def test_a_batch_is_a_function_of_its_index():
    there_and_back = task()
    there_and_back.batch("train", 40)
    for index in (7, 0, 13):
        one, other = there_and_back.batch("train", index), task().batch("train", index)
        assert torch.equal(one.inputs[0], other.inputs[0])
        assert torch.equal(one.target, other.target)
        assert (one.step, one.epoch) == (index, index // 6)
        assert torch.equal(one.inputs[0][:, 0, 0].long(), one.index)
        assert one.first.all()


def test_scored_splits_are_read_in_order():
    data = task()
    rows = torch.cat([data.batch("valid", i).index for i in range(data.size("valid"))])
    assert rows.tolist() == list(range(SAMPLES))


@pytest.mark.parametrize("batch", [1, 4, 5, 100])
def test_scores_on_uneven_batches_are_the_mean_of_the_whole_split(batch):
    x = torch.arange(SAMPLES) + 0.5
    wanted = (x - x.square()).square().mean().item()
    found = score(Identity(), task(batch), "valid")
    assert found["mse"] == pytest.approx(wanted)
    assert found["rmse"] == pytest.approx(wanted**0.5)


def test_predictions_have_one_row_a_sample():
    data = task()
    table = predict(Identity(), data, (data.batch("valid", i) for i in range(data.size("valid"))))
    assert table["sample"] == list(range(SAMPLES))
    assert table["prediction"] == [i + 0.5 for i in range(SAMPLES)]
    assert table["target"] == [(i + 0.5) ** 2 for i in range(SAMPLES)]


def test_a_split_may_make_its_rows_when_they_are_asked_for():
    class Squares:
        def __len__(self):
            return SAMPLES

        def take(self, rows):
            x = torch.arange(SAMPLES, dtype=torch.float32)[rows, None, None]
            return (x,), x[:, :, 0].square()

        def to(self, device):
            return self

    lazy = InMemoryTask({"train": Squares()}, task().spec, Regression(), batch=4, order=0)
    assert torch.equal(lazy.batch("train", 3).inputs[0], task().batch("train", 3).inputs[0])


def test_what_is_wrong_is_said():
    with usage_error("invalid_value", key="task.batch", got=0):
        task(batch=0)
    with usage_error("not_found", name="test"):
        task().size("test")
    with usage_error("not_found", name="all"):
        task().batch("all", 0)
