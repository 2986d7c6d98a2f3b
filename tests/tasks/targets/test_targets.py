"""Classification and regression targets against numbers computed by hand."""

import math

import pytest
import torch
from torch import nn

from dlcli.core.metric import per_sample
from dlcli.core.spec import IGNORED
from dlcli.core.task import Batch
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.regression import Regression


def batch_of(output, target):
    rows = torch.arange(len(target))
    return Batch((output,), target, rows == 0, 0, 0, rows)


def scores_of(targets, output, target):
    return per_sample(targets.available, nn.Identity(), batch_of(output, target), output)


def mean(score):
    return (score.total.sum() / score.weight.sum()).item()


def test_guessing_among_n_classes_costs_log_n():
    targets = Classification(["a", "b", "c"])
    output, target = torch.zeros(4, 3), torch.tensor([0, 1, 2, 0])
    value, weight = targets.loss(output, target)
    scores = scores_of(targets, output, target)
    assert value.item() == pytest.approx(math.log(3))
    assert weight == 4
    assert mean(scores["nll"]) == pytest.approx(math.log(3))
    assert mean(scores["accuracy"]) == 0.5


def test_padding_counts_nowhere():
    targets = Classification(["a", "b"])
    logits = torch.tensor([[[2.0, 0.0, 9.0], [0.0, 1.0, -9.0]], [[0.0, 5.0, 5.0], [1.0, 0.0, 0.0]]])
    target = torch.tensor([[0, 0, IGNORED], [1, IGNORED, IGNORED]])
    nats = [math.log1p(math.exp(-2)), math.log1p(math.exp(1)), math.log1p(math.exp(-1))]
    value, weight = targets.loss(logits, target)
    scores = scores_of(targets, logits, target)
    assert value.item() == pytest.approx(sum(nats) / 3)
    assert weight == 3
    assert scores["nll"].total.tolist() == pytest.approx([nats[0] + nats[1], nats[2]])
    assert scores["nll"].weight.tolist() == [2, 1]
    assert mean(scores["accuracy"]) == pytest.approx(2 / 3)


def test_columns_of_steps_leave_padding_out():
    logits = torch.tensor([[[2.0, 0.0, 9.0], [0.0, 1.0, -9.0]]])
    columns = Classification(["a", "b"]).columns(logits, torch.tensor([[0, 0, IGNORED]]))
    assert columns == {"prediction": ["a b"], "target": ["a a"]}


def test_columns_of_samples_have_the_probability_of_the_guess_even_without_a_target():
    logits = torch.tensor([[0.0, math.log(3)], [math.log(4), 0.0]])
    columns = Classification(["a", "b"]).columns(logits, torch.tensor([1, IGNORED]))
    assert columns["prediction"] == ["b", "a"]
    assert columns["target"] == ["b", ""]
    assert columns["probability"] == pytest.approx([0.75, 0.8])


def test_regression_scores_are_in_the_units_of_the_data():
    targets = Regression(scale=(10.0,), shift=(100.0,))
    output, target = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.1], [0.7]])
    value, weight = targets.loss(output, target)
    scores = scores_of(targets, output, target)
    assert value.item() == pytest.approx((0.1**2 + 0.3**2) / 2)
    assert weight == 2
    assert mean(scores["mse"]) == pytest.approx((1 + 9) / 2)
    assert mean(scores["mae"]) == pytest.approx(2)
    (rmse,) = (metric for metric in targets.available if metric.name == "rmse")
    assert rmse.compute.compute({"mse": 25.0}) == 5.0
    assert targets.columns(output, target)["prediction"] == [100.0, 110.0]


def test_each_target_channel_has_its_own_units():
    targets = Regression(scale=(1.0, 10.0), shift=(0.0, 0.0))
    output, target = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    assert mean(scores_of(targets, output, target)["mse"]) == pytest.approx((1 + 100) / 2)
    assert len(targets.columns(output, target)) == 12
