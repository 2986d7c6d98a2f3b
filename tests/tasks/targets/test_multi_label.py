"""Multi-label targets against numbers computed by hand."""

import itertools
import math

import pytest
import torch
from torch import nn

from dlcli.core.metric import per_sample
from dlcli.core.task import Batch
from dlcli.tasks.targets.multi_label import MultiLabel
from dlcli.tasks.targets.protocol import OutputRule

TARGETS = MultiLabel(["a", "b", "c"])


def batch_of(output, target):
    rows = torch.arange(len(target))
    return Batch((output,), target, rows == 0, 0, 0, rows)


def scores_of(output, target):
    return per_sample(TARGETS.available, nn.Identity(), batch_of(output, target), output)


def mean(score):
    return (score.total.sum() / score.weight.sum()).item()


def test_the_loss_is_the_mean_over_classes_and_rows():
    assert isinstance(TARGETS, OutputRule)
    logits = torch.tensor([[math.log(3), 0.0, -math.log(3)], [0.0, 0.0, 0.0]])
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    nats = [(-math.log(0.75) - math.log(0.5) - math.log(0.25)) / 3, math.log(2)]
    value, weight = TARGETS.loss(logits, target)
    assert value.item() == pytest.approx(sum(nats) / 2)
    assert weight == 2.0
    score = scores_of(logits, target)["nll"]
    assert score.total.tolist() == pytest.approx(nats)
    assert score.weight.tolist() == [1.0, 1.0]


def test_accuracy_is_that_the_k_highest_are_the_labels_and_confident_that_those_above_one_half_are():
    logits = torch.tensor([[2.0, 1.0, -1.0], [2.0, -1.0, -2.0], [-1.0, -2.0, -3.0], [1.0, 2.0, 3.0]])
    target = torch.tensor([[1.0, 1, 0], [1.0, 1, 0], [1.0, 0, 0], [1.0, 1, 0]])
    scores = scores_of(logits, target)
    assert scores["accuracy"].total.tolist() == [1, 1, 1, 0]
    assert scores["confident"].total.tolist() == [1, 0, 0, 0]
    assert mean(scores["accuracy"]) == 0.75


def test_accuracy_equals_sorting_for_every_set_of_labels():
    output = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    for labels in itertools.product((0.0, 1.0), repeat=3):
        target = torch.tensor(labels).expand(50, 3)
        k = int(sum(labels))
        wanted = [set(row.topk(k).indices.tolist()) == {i for i in range(3) if labels[i]} for row in output]
        assert scores_of(output, target)["accuracy"].total.tolist() == [float(right) for right in wanted]


def test_equal_scores_and_no_numbers_are_not_right():
    target = torch.tensor([[1.0, 0.0, 0.0]])
    for logits in ([1.0, 1.0, 0.0], [math.nan, 0.0, 0.0], [1.0, math.nan, 0.0]):
        assert scores_of(torch.tensor([logits]), target)["accuracy"].total.item() == 0


def test_predictions_name_what_is_there():
    columns = TARGETS.columns(
        torch.tensor([[1.0, 0.0, 2.0], [-1.0, -1.0, -1.0]]), torch.tensor([[1.0, 1, 0], [0, 0, 1]])
    )
    assert columns["prediction"] == ["a c", ""]
    assert columns["target"] == ["a b", "c"]
    assert columns["probability_b"] == pytest.approx([0.5, 1 / (1 + math.e)])
