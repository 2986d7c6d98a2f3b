"""Covariance matrix adaptation, by its author's library `cma`."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import Missing, UsageError
from dlcli.core.population import Genome, Rating
from dlcli.core.rng import mix
from dlcli.core.task import Task
from dlcli.learners.evolution.evolution import Evolution, Generation, above_zero

_MOST = 2000  # parameters
_LIBRARY = 0xC3A5


class CMA(Evolution):
    """CMA-ES: a normal distribution whose whole covariance is learned.

    The library keeps its state to itself, so a checkpoint has the fitness of all generations, and resuming replays
    them. Those that failed count as the worst of their generation; one in which all failed is not learned from.

    Paper: Hansen 2016, arXiv:1604.00772.

    Args:
        model, task, population, chunk, seed, candidates, elite_batches, output_std: see `Evolution`.
        sigma: first step size.

    Raises:
        UsageError: a number is out of range, or the model has more than 2,000 parameters.
        Missing: the library is not installed.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        population: int,
        sigma: float,
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
        above_zero(sigma=sigma)
        if population < 4:
            raise UsageError(f"learner.population of CMA is at least 4, not {population}")
        if not 2 <= self.size <= _MOST:
            raise UsageError(
                f"CMA learns a matrix over all pairs of parameters: 2 to {_MOST:,}, not {self.size:,}; "
                "learner=snes or learner=evolution_strategy take any number"
            )
        self._sigma = sigma
        self._told: list[Tensor] = []
        self._asked: list[np.ndarray] = []
        self._library = self._begin()

    def _begin(self) -> Any:
        try:
            import cma
        except ImportError:
            raise Missing("learner=cma needs the library cma: pip install 'dlcli[evolve]'") from None
        draws = np.random.RandomState(mix(self.seed, _LIBRARY) % 2**32)
        own = {"popsize": self.population, "randn": draws.randn, "seed": math.nan, "verbose": -9}
        return cma.CMAEvolutionStrategy(self.start().double().numpy(), self._sigma, own)

    def ask(self) -> Generation:
        self._asked = self._library.ask()
        centres = {number: torch.from_numpy(x).float() for number, x in enumerate(self._asked)}
        return Generation([Genome((), (), number) for number in centres], [None] * self.population, centres)

    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        self._told.append(rating.fitness)
        self._learn(rating.fitness)
        return {"centre_norm": torch.tensor(float(np.linalg.norm(self._library.mean)))}

    def _learn(self, fitness: Tensor) -> None:
        fit = ~fitness.isnan()
        if fit.any():
            losses = (-torch.where(fit, fitness, fitness[fit].min())).tolist()
            self._library.tell(self._asked, losses)

    def memory(self) -> dict[str, Any]:
        return {"told": torch.stack(self._told) if self._told else torch.zeros(0, self.population)}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self._library, self._told = self._begin(), list(memory["told"])
        for fitness in self._told:
            self._asked = self._library.ask()
            self._learn(fitness)
