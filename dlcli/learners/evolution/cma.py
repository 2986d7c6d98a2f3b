"""Covariance matrix adaptation (CMA-ES) with the library `cma` of its author."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import Missing, UsageError, install_command
from dlcli.core.population import Genome, Rating
from dlcli.core.rng import hash_integers
from dlcli.core.task import Task
from dlcli.learners.evolution.evolution import Evolution, Generation, check_positive

_MAX_PARAMETERS = 2000
_LIBRARY = 0xC3A5


class CMA(Evolution):
    """CMA-ES: normal distribution with an adapted full covariance matrix.

    The state of the library is not accessible, so a checkpoint contains the fitness of all generations, and resuming
    replays them. Failed individuals count as the worst of their generation; a generation in which all individuals
    failed is ignored.

    Paper: Hansen 2016, arXiv:1604.00772.

    Args:
        model, task, population, chunk, seed, candidates, elite_batches, output_std: see `Evolution`.
        sigma: initial step size.

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
        check_positive(sigma=sigma)
        if population < 4:
            raise UsageError("invalid_value", key="learner.population", must="at least 4 for CMA-ES", got=population)
        if not 2 <= self.size <= _MAX_PARAMETERS:
            raise UsageError(
                "mismatch",
                subject="learner=cma",
                requirement=f"a model of 2 to {_MAX_PARAMETERS:,} parameters",
                got=f"{self.size:,}",
                hint="learner=snes and learner=evolution_strategy support any number of parameters",
            )
        self._sigma = sigma
        self._ratings: list[Tensor] = []
        self._samples: list[np.ndarray] = []
        self._library = self._create()

    def _create(self) -> Any:
        try:
            import cma
        except ImportError:
            hint = f"Install it: {install_command('evolve')}"
            raise Missing("missing_package", feature="learner=cma", package="cma", hint=hint) from None
        draws = np.random.RandomState(hash_integers(self.seed, _LIBRARY) % 2**32)
        options = {"popsize": self.population, "randn": draws.randn, "seed": math.nan, "verbose": -9}
        return cma.CMAEvolutionStrategy(self.start().double().numpy(), self._sigma, options)

    def ask(self) -> Generation:
        self._samples = self._library.ask()
        centres = {number: torch.from_numpy(x).float() for number, x in enumerate(self._samples)}
        return Generation([Genome((), (), number) for number in centres], [None] * self.population, centres)

    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        self._ratings.append(rating.fitness)
        self._learn(rating.fitness)
        return {"centre_norm": torch.tensor(float(np.linalg.norm(self._library.mean)))}

    def _learn(self, fitness: Tensor) -> None:
        fit = ~fitness.isnan()
        if fit.any():
            losses = (-torch.where(fit, fitness, fitness[fit].min())).tolist()
            self._library.tell(self._samples, losses)

    def memory(self) -> dict[str, Any]:
        return {"told": torch.stack(self._ratings) if self._ratings else torch.zeros(0, self.population)}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self._library, self._ratings = self._create(), list(memory["told"])
        for fitness in self._ratings:
            self._samples = self._library.ask()
            self._learn(fitness)
