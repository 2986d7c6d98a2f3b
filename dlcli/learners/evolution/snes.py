"""Separable natural evolution strategies."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.population import Genome, Rating
from dlcli.core.rng import normal_vector
from dlcli.core.task import Task
from dlcli.learners.evolution.evolution import Evolution, Generation, check_positive

_NOISE = 0x54E5
_MIN_POPULATION = 4


class SNES(Evolution):
    """Natural gradient ascent on a normal distribution with a separate deviation for every parameter.

    Paper: Schaul, Glasmachers & Schmidhuber 2011, GECCO, with its rank-based utilities and
    learning rates. Differs: failed individuals have the lowest utility.

    Args:
        model, task, population, chunk, seed, candidates, elite_batches, output_std: see `Evolution`.
        sigma: initial standard deviation of every parameter.
        learning_rate: learning rate of the mean.

    Raises:
        UsageError: a number is out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        population: int,
        sigma: float,
        learning_rate: float,
        chunk: int,
        seed: int,
        candidates: int,
        elite_batches: int,
        output_std: float,
    ) -> None:
        super().__init__(
            model,
            task,
            population=population,
            chunk=chunk,
            seed=seed,
            candidates=candidates,
            elite_batches=elite_batches,
            output_std=output_std,
        )
        check_positive(sigma=sigma, learning_rate=learning_rate)
        if population < _MIN_POPULATION:
            must = f"at least {_MIN_POPULATION} for SNES"
            raise UsageError("invalid_value", key="learner.population", must=must, got=population)
        self._rate_of_mean = learning_rate
        self._rate_of_deviation = (3 + math.log(self.size)) / (5 * math.sqrt(self.size))
        self._mean, self._deviation = self.start(), torch.full((self.size,), float(sigma))

    def ask(self) -> Generation:
        seeds = [self.draw(_NOISE, number) for number in range(self.population)]
        genomes = [Genome((seed,), (1.0,), centre=0, scale=1) for seed in seeds]
        return Generation(genomes, [None] * self.population, {0: self._mean, 1: self._deviation})

    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        fit = int((~rating.fitness.isnan()).sum())
        order = rating.fitness.nan_to_num(nan=-torch.inf).sort(descending=True, stable=True).indices.tolist()
        first, second = torch.zeros(self.size), torch.zeros(self.size)
        for number, weight in zip(order, utilities(self.population).tolist() if fit else (), strict=bool(fit)):
            noise = normal_vector(asked.genomes[number].seeds[0], self.size)
            first.add_(noise, alpha=weight)
            second.add_(noise.square_().sub_(1.0), alpha=weight)
        self._mean = self._mean + self._rate_of_mean * self._deviation * first
        self._deviation = self._deviation * (self._rate_of_deviation / 2 * second).exp()
        return {"centre_norm": self._mean.norm(), "deviation": self._deviation.mean()}

    def memory(self) -> dict[str, Any]:
        return {"mean": self._mean, "deviation": self._deviation}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self._mean, self._deviation = memory["mean"], memory["deviation"]


def utilities(count: int) -> Tensor:
    """Rank-based utilities of `count` individuals from best to worst, float64 [count], with zero sum."""
    rank = torch.arange(1, count + 1, dtype=torch.float64)
    raw = (math.log(count / 2 + 1) - rank.log()).clamp(min=0.0)
    return raw / raw.sum() - 1 / count
