"""The linearity gap: nothing for a linear classifier of probabilities, and by hand for another."""

import torch
from torch import nn

from dlcli.tasks.image.digits import Digits
from dlcli.tasks.image.linearity import linearity_gap


class Step(nn.Module):
    """Quite certain of class 0 below a mean of 0.5, of class 1 above."""

    def forward(self, x):
        above = (x.flatten(1).mean(1) - 0.5) * 1e4
        return torch.stack((-above, above), 1)


class Lines(nn.Module):
    """Probabilities that are linear in the mean of the image."""

    def forward(self, x):
        mean = x.flatten(1).mean(1) * 0.8 + 0.1
        return torch.stack((mean, 1 - mean), 1).log()


def rows(*means):
    return torch.tensor(means)[:, None, None, None].expand(-1, 1, 2, 2)


def gap(model, x):
    batch = Digits(batch=1, order=0).batch("train", 0).with_inputs(x)
    return linearity_gap(model, batch, model(x))


def test_nothing_where_probabilities_are_linear():
    torch.testing.assert_close(gap(Lines(), torch.rand(7, 1, 2, 2)).total, torch.zeros(7), atol=1e-6, rtol=0.0)


def test_by_hand_neighbours_and_the_last_with_the_first():
    """(0, 1): halfway is .6, so class 1, where the mean of the answers is half and half: 1. The same class: 0."""
    score = gap(Step(), rows(0.1, 1.0, 0.9, 0.0))
    torch.testing.assert_close(score.total, torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert torch.equal(score.weight, torch.ones(4))
    assert gap(Step(), rows(0.3)).total == 0


def test_digits_score_it_when_asked():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with_gap, without = Digits(batch=32, order=0, gap=True), Digits(batch=32, order=0)
    batch = without.batch("valid", 0)
    assert set(without.metrics(model, batch).values) == {"nll", "accuracy"}
    scores = with_gap.metrics(model, batch).values
    assert set(scores) == {"nll", "accuracy", "linearity_gap"}
    assert (scores["linearity_gap"].total <= 2).all()
