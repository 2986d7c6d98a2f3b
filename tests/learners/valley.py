"""Toy tasks that rate parameters themselves, and a model that is nothing but parameters."""

import torch
from torch import nn

from dlcli.core.learner import Image
from dlcli.core.metric import Goal
from dlcli.core.population import Rating
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Metrics, Score
from dlcli.learners.evolution.cma import CMA
from dlcli.learners.evolution.evolution_strategy import EvolutionStrategy
from dlcli.learners.evolution.genetic import Genetic
from dlcli.learners.evolution.random_search import RandomSearch
from dlcli.learners.evolution.selection import Blend, Novelty, Reward
from dlcli.learners.evolution.snes import SNES

FINALS = ["genetic", "novelty", "evolution_strategy", "ns_es", "nsr_es", "random_search", "cma", "snes"]


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

    def rows(self, split):
        return sum(len(self.batch(split, index)) for index in range(self.size(split)))

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


class Pictured(Valley):
    """Its picture is how many behaviours there are, and the last generation."""

    def picture(self, behaviour, generation):
        assert len(behaviour) == len(generation)
        return Image(torch.tensor([[float(len(behaviour)), float(generation.max())]]))


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.05)


def novelty(generation):
    return Novelty(k=5, archive_probability=0.1 if generation else 1.0, exponent=2.0, generation=generation)


def learner(name, task, *, model=None, **changes):
    """A small one of each kind."""
    ga = {"parents": 5, "sigma": 0.2}
    es = {"sigma": 0.2, "optimizer": adam, "meta_population": 1}
    kinds = {
        "genetic": (Genetic, lambda: ga | {"score": Reward()}),
        "novelty": (Genetic, lambda: ga | {"score": novelty(True)}),
        "evolution_strategy": (EvolutionStrategy, lambda: es | {"score": Reward()}),
        "ns_es": (EvolutionStrategy, lambda: es | {"score": novelty(False), "meta_population": 3}),
        "nsr_es": (EvolutionStrategy, lambda: es | {"score": Blend(novelty=novelty(False), weight=0.5)}),
        "random_search": (RandomSearch, dict),
        "cma": (CMA, lambda: {"sigma": 0.5}),
        "snes": (SNES, lambda: {"sigma": 0.5, "learning_rate": 1.0}),
    }
    kind, own = kinds[name]
    common = {"population": 20, "chunk": 7, "seed": 1, "candidates": 3, "elite_batches": 1, "output_std": 1.0}
    return kind(Vector() if model is None else model, task, **(common | own() | changes))
