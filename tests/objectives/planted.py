"""A space with a planted optimum, and a network that shares weights nobody needs."""

from typing import ClassVar

import torch
from torch import nn

from dlcli.core.metric import Goal
from dlcli.core.space import Decision, Graph
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Loss, Metrics, Score

OPERATIONS = ("a", "b", "c", "d", "e", "f")


class Planted:
    """Four decisions between six operations."""

    decisions = tuple(Decision(f"layer {number} operation", OPERATIONS) for number in range(4))

    def graph(self, architecture):
        return Graph((), ())


class Member(nn.Module):
    """Adds up the weights of its choices, one a decision."""

    def __init__(self, weights, architecture):
        super().__init__()
        self.weights, self.architecture = weights, architecture

    def forward(self, x):
        return x * sum(row[choice] for row, choice in zip(self.weights, self.architecture, strict=True))


class Shares(nn.Module):
    """A weight for every choice of every decision."""

    def __init__(self, controller):
        super().__init__()
        self.space = Planted()
        self.shared = nn.ParameterList(torch.zeros(6) for _ in self.space.decisions)
        self.controller = controller(self.space)

    def child(self, architecture):
        return Member(self.shared, architecture)

    def standalone_overrides(self, architecture):
        return (f"model.architecture={list(architecture)}",)

    def forward(self, x):
        return self.child(self.controller.best())(x)


class Right:
    """The metric is the part of the decisions that are as planted; the loss is of the output against 1."""

    spec = Spec((Real((1,)),), Real((1,)))
    fitted: ClassVar = {}
    planted = (3, 0, 5, 1)

    def __init__(self, direction="max"):
        self.main = Goal("right", direction)
        self.asked = []

    def size(self, split):
        return 2

    def rows(self, split):
        return sum(len(self.batch(split, index)) for index in range(self.size(split)))

    def batch(self, split, index):
        self.asked.append((split, index))
        rows = torch.ones(2, 1)
        return Batch((rows,), rows, torch.ones(2, dtype=torch.bool), index, 0, torch.arange(2))

    def loss(self, model, batch, carry=None):
        return Loss((model(*batch.inputs) - batch.target).square().mean(), {}, 2.0)

    def metrics(self, model, batch, carry=None):
        assert not torch.is_grad_enabled()
        assert not model.training
        right = [one == other for one, other in zip(model.architecture, self.planted, strict=True)]
        return Metrics({"right": Score(torch.full((2,), sum(right) / 4), torch.ones(2))})

    def summary(self, means):
        return {}

    def to(self, device):
        return self
