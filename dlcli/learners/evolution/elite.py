"""The best individual so far, by more than the luck of one batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.population import Genome, Rating
from dlcli.core.rng import normal_vector

_OWN = -1  # the number of the centre that an elite starts from
_FIRST = 1 << 32  # training batches from here on are the elections'

Rate = Callable[[Sequence[Genome], Mapping[int, Tensor], Sequence[int]], Rating]


@dataclass(frozen=True)
class Elite:
    """An individual, what it was elected with, and the vector it starts from, if it starts from one."""

    genome: Genome
    fitness: float
    centre: Tensor | None

    @property
    def centres(self) -> dict[int, Tensor]:
        """The elite's own centre by the number its genome has for it."""
        return {} if self.centre is None else {_OWN: self.centre}


class Election:
    """Rates the best of a generation and the elite before them on further batches, the same for all of them.

    Paper: Such et al. 2017, arXiv:1712.06567, algorithm 1. Differs: the elite before is a candidate beside the best
    `candidates`, not in place of the last of them.

    Args:
        candidates: best individuals of a generation.
        batches: training batches that no generation is rated on, others in each election; their mean decides. With 0
            the generation's own batch is believed: right where every batch is the same.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(self, candidates: int, batches: int) -> None:
        if candidates < 1:
            raise UsageError(f"learner.candidates is at least 1, not {candidates}")
        if batches < 0:
            raise UsageError(f"learner.elite_batches is at least 0, not {batches}")
        self._candidates, self._batches = candidates, batches
        self.elite: Elite | None = None

    def hold(
        self, number: int, genomes: Sequence[Genome], centres: Mapping[int, Tensor], rating: Rating, rate: Rate
    ) -> bool:
        """Elect from generation `number`; whether the elite is another one than before. Failed ones never win."""
        standing = [] if self.elite is None else [self.elite]
        standing += self._best(genomes, centres, rating)
        if not standing:
            return False
        believed = torch.tensor([one.fitness for one in standing], dtype=torch.float64)
        fitness = self._again(number, standing, rate) if self._batches else believed
        winner = int(fitness.nan_to_num(nan=-torch.inf).argmax())
        if fitness[winner].isnan():
            return False
        before, chosen = self.elite, standing[winner]
        self.elite = Elite(chosen.genome, float(fitness[winner]), chosen.centre)
        return chosen is not before

    def _best(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], rating: Rating) -> list[Elite]:
        """The best of the generation, the elite itself not among them."""
        fit = rating.fitness.nan_to_num(nan=-torch.inf)
        order = fit.sort(descending=True, stable=True).indices[: self._candidates + 1].tolist()
        old = None if self.elite is None or self.elite.genome.centre is not None else self.elite.genome
        challengers = [place for place in order if genomes[place] != old and not rating.fitness[place].isnan()]
        return [_own(genomes[place], float(fit[place]), centres) for place in challengers[: self._candidates]]

    def _again(self, number: int, standing: Sequence[Elite], rate: Rate) -> Tensor:
        """Their mean fitness on the election's batches. Each has the number of its place for its centre."""
        centres = {place: one.centre for place, one in enumerate(standing) if one.centre is not None}
        genomes = [
            one.genome if one.centre is None else Genome(one.genome.seeds, one.genome.sigmas, place)
            for place, one in enumerate(standing)
        ]
        first = _FIRST + number * self._batches
        return rate(genomes, centres, range(first, first + self._batches)).fitness

    def state_dict(self) -> dict[str, Any]:
        if self.elite is None:
            return {}
        return {"genome": plain(self.elite.genome), "fitness": self.elite.fitness, "centre": self.elite.centre}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.elite = Elite(genome(state["genome"]), state["fitness"], state["centre"]) if state else None


def _own(genome: Genome, fitness: float, centres: Mapping[int, Tensor]) -> Elite:
    if genome.centre is None:
        return Elite(genome, fitness, None)
    if genome.scale is not None:
        return Elite(Genome((), (), _OWN), fitness, _scaled(genome, centres))
    return Elite(Genome(genome.seeds, genome.sigmas, _OWN), fitness, centres[genome.centre].clone())


def _scaled(genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
    """The vector of a genome whose noise is scaled value by value, which outlives both of its centres."""
    assert genome.centre is not None
    assert genome.scale is not None
    vector = centres[genome.centre].clone()
    for seed, sigma in zip(genome.seeds, genome.sigmas, strict=True):
        vector.add_(normal_vector(seed, len(vector)) * centres[genome.scale] * sigma)
    return vector


def plain(genome: Genome) -> list[Any]:
    """A genome as lists and numbers."""
    return [list(genome.seeds), list(genome.sigmas), genome.centre]


def genome(state: Sequence[Any]) -> Genome:
    """What `plain` made."""
    return Genome(tuple(state[0]), tuple(state[1]), state[2])
