"""Deep genetic algorithm: mutation and truncation selection."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.population import Genome, Rating
from dlcli.core.task import Task
from dlcli.learners.evolution.elite import genome_from_plain, genome_to_plain
from dlcli.learners.evolution.evolution import Evolution, Generation, check_positive
from dlcli.learners.evolution.selection import SelectionScore

_FRESH, _PARENT, _MUTATION, _ARCHIVE = 0xF4E5, 0x9A4E, 0x3074, 0xA4C1


class Genetic(Evolution):
    """Genetic algorithm with truncation selection: children of the best `parents` by one mutation of all parameters.

    The elite, selected by fitness on further batches, joins the next generation unchanged; with selection by reward it
    is also a parent. With the score `Novelty` this is GA-NS.

    Paper: Such et al. 2017, arXiv:1712.06567, section 3.1 and algorithm 1.

    Args:
        model, task, population, chunk, seed, candidates, elite_batches, output_std: see `Evolution`.
        parents: number of parents of a generation.
        sigma: standard deviation of a mutation.
        score: selection criterion.

    Raises:
        UsageError: a number is out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        population: int,
        parents: int,
        sigma: float,
        score: SelectionScore,
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
        if not 1 <= parents < population:
            must = f"at least 1 and below learner.population ({population})"
            raise UsageError("invalid_value", key="learner.parents", must=must, got=parents)
        check_positive(sigma=sigma)
        self._parent_count, self._sigma, self._score = parents, sigma, score
        self._parents: list[Genome] = []
        self._numbers: list[int] = []
        self._elite_number: int | None = None

    def sizes(self) -> dict[str, int]:
        return {"parents": self._parent_count}

    def ask(self) -> Generation:
        if not self._parents:
            new_genomes = [Genome((self.draw(_FRESH, number),), ()) for number in range(self.population)]
            return Generation(new_genomes, [None] * self.population)
        genomes = [] if self.elite is None else [self.elite.genome]
        parents = [] if self.elite is None else [self._elite_number]
        for number in range(len(genomes), self.population):
            chosen = self.draw(_PARENT, number) % len(self._parents)
            genomes.append(self._parents[chosen].child(self.draw(_MUTATION, number), self._sigma))
            parents.append(self._numbers[chosen])
        return Generation(genomes, parents)

    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        ranks, values = self._score.rank(rating)
        fit = ~ranks.isnan()
        self._score.remember(rating.behaviour[fit], self.seed, self.generation, _ARCHIVE)
        order = ranks.nan_to_num(nan=-torch.inf).sort(descending=True, stable=True).indices[: int(fit.sum())].tolist()
        self._elite_number = None if self.elite is None else _number_of(self.elite.genome, asked)
        if self._score.by_reward and self._elite_number is not None and bool(fit[self._elite_number]):
            order = [self._elite_number, *(number for number in order if number != self._elite_number)]
        self._numbers = order[: self._parent_count]
        self._parents = [asked.genomes[number] for number in self._numbers]
        return values

    def memory(self) -> dict[str, Any]:
        return {
            "parents": [genome_to_plain(parent) for parent in self._parents],
            "numbers": self._numbers,
            "elite_number": self._elite_number,
            "score": self._score.state_dict(),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        self._parents = [genome_from_plain(parent) for parent in memory["parents"]]
        self._numbers, self._elite_number = list(memory["numbers"]), memory["elite_number"]
        self._score.load_state_dict(memory["score"])


def _number_of(genome: Genome, generation: Generation) -> int | None:
    return next((number for number, other in enumerate(generation.genomes) if other == genome), None)
