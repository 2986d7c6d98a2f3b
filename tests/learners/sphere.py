"""Toy tasks that rate parameters themselves, and a model that is nothing but parameters."""

import torch
from torch import nn

from dlcli.core.population import Rating
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Goal, Metrics, Score


class Vector(nn.Module):
    """`size` parameters as one matrix of a row."""

    def __init__(self, size=4):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, size))

    def forward(self, x):
        return x * self.weight


def sphere(x):
    return (x - 1.0).square().sum(-1)


def rastrigin(x):
    return (x.square() - 10 * (2 * torch.pi * x).cos() + 10).sum(-1)


class Valley:
    """Fitness is minus a function of the parameters; behaviour the first two of them. Each rating costs 3 steps."""

    counter = "env_steps"
    spec = Spec((Real((1,)),), Real((1,)))
    main = Goal("loss", "min")
    fitted = {}  # noqa: RUF012

    def __init__(self, function=sphere):
        self.function = function
        self.asked = []

    def size(self, split):
        return 1

    def batch(self, split, index):
        self.asked.append(index)
        return Batch((), torch.zeros(1), torch.ones(1, dtype=torch.bool), index, 0, torch.tensor([index]))

    def metrics(self, model, batch, carry=None):
        return Metrics({"loss": Score(self.function(model.weight.detach()[0])[None], torch.ones(1))})

    def summary(self, means):
        return {}

    def to(self, device):
        return self

    def fitness(self, x, index):
        return -self.function(x)

    def rate(self, model, parameters, batches):
        x = parameters["weight"][:, 0].double()
        fitness = torch.stack([self.fitness(x, int(batch.index)) for batch in batches]).mean(0)
        return Rating(fitness, x[:, :2].float(), torch.full((len(x),), 3 * len(batches)))


class Broken(Valley):
    """Those whose first parameter is above zero fail, though they would be the best."""

    def fitness(self, x, index):
        return torch.where(x[:, 0] > 0, torch.nan, x[:, 0] - 1e3)


class Lucky(Valley):
    """Fitness is minus the sphere and luck, which is of the batch and the parameters."""

    def fitness(self, x, index):
        luck = (x.sum(1) * 1e4 + index * 7.31).sin() * 5.0
        return -self.function(x) + luck
