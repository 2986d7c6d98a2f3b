"""Elite selection: re-evaluate the best individuals on further batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.population import Genome, Rating
from dlcli.core.rng import normal_vector

_ELITE_CENTRE = -1  # number of the start vector of an elite
_FIRST_BATCH = 1 << 32  # first training batch that is reserved for re-evaluation

Rate = Callable[[Sequence[Genome], Mapping[int, Tensor], Sequence[int]], Rating]


@dataclass(frozen=True)
class Elite:
    """Best individual: genome, fitness of its re-evaluation, and start vector, if any."""

    genome: Genome
    fitness: float
    centre: Tensor | None

    @property
    def centres(self) -> dict[int, Tensor]:
        """Start vector of the elite by the number in its genome."""
        return {} if self.centre is None else {_ELITE_CENTRE: self.centre}


class EliteSelection:
    """Re-evaluate the best individuals of a generation and the previous elite on the same further batches.

    Paper: Such et al. 2017, arXiv:1712.06567, algorithm 1. Differs: the previous elite is an additional candidate
    instead of replacing the last of the `candidates`.

    Args:
        candidates: number of best individuals of a generation that are re-evaluated.
        batches: number of further training batches, different in each generation, over which fitness is averaged. 0
            uses the fitness of the generation, which is sufficient if all batches are equal.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(self, candidates: int, batches: int) -> None:
        if candidates < 1:
            raise UsageError("invalid_value", key="learner.candidates", must="at least 1", got=candidates)
        if batches < 0:
            raise UsageError("invalid_value", key="learner.elite_batches", must="at least 0", got=batches)
        self._candidates, self._batches = candidates, batches
        self.elite: Elite | None = None

    def hold(
        self, number: int, genomes: Sequence[Genome], centres: Mapping[int, Tensor], rating: Rating, rate: Rate
    ) -> bool:
        """Select the elite after generation `number`; True if it has changed. Failed individuals are never selected."""
        contenders = [] if self.elite is None else [self.elite]
        contenders += self._best(genomes, centres, rating)
        if not contenders:
            return False
        rated = torch.tensor([contender.fitness for contender in contenders], dtype=torch.float64)
        fitness = self._rerate(number, contenders, rate) if self._batches else rated
        winner = int(fitness.nan_to_num(nan=-torch.inf).argmax())
        if fitness[winner].isnan():
            return False
        previous, selected = self.elite, contenders[winner]
        self.elite = Elite(selected.genome, float(fitness[winner]), selected.centre)
        return selected is not previous

    def _best(self, genomes: Sequence[Genome], centres: Mapping[int, Tensor], rating: Rating) -> list[Elite]:
        """Best individuals of the generation without the current elite."""
        fit = rating.fitness.nan_to_num(nan=-torch.inf)
        order = fit.sort(descending=True, stable=True).indices[: self._candidates + 1].tolist()
        old = None if self.elite is None or self.elite.genome.centre is not None else self.elite.genome
        challengers = [
            position for position in order if genomes[position] != old and not rating.fitness[position].isnan()
        ]
        return [
            _as_elite(genomes[position], float(fit[position]), centres) for position in challengers[: self._candidates]
        ]

    def _rerate(self, number: int, contenders: Sequence[Elite], rate: Rate) -> Tensor:
        """Mean fitness on the further batches; the start vector of each contender has the number of its position."""
        centres = {number: elite.centre for number, elite in enumerate(contenders) if elite.centre is not None}
        genomes = [
            elite.genome if elite.centre is None else Genome(elite.genome.seeds, elite.genome.sigmas, position)
            for position, elite in enumerate(contenders)
        ]
        first = _FIRST_BATCH + number * self._batches
        return rate(genomes, centres, range(first, first + self._batches)).fitness

    def state_dict(self) -> dict[str, Any]:
        if self.elite is None:
            return {}
        return {
            "genome": genome_to_plain(self.elite.genome),
            "fitness": self.elite.fitness,
            "centre": self.elite.centre,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.elite = Elite(genome_from_plain(state["genome"]), state["fitness"], state["centre"]) if state else None


def _as_elite(genome: Genome, fitness: float, centres: Mapping[int, Tensor]) -> Elite:
    if genome.centre is None:
        return Elite(genome, fitness, None)
    if genome.scale is not None:
        return Elite(Genome((), (), _ELITE_CENTRE), fitness, _scaled(genome, centres))
    return Elite(Genome(genome.seeds, genome.sigmas, _ELITE_CENTRE), fitness, centres[genome.centre].clone())


def _scaled(genome: Genome, centres: Mapping[int, Tensor]) -> Tensor:
    """Parameter vector of a genome with elementwise scaled noise, independent of later changes of both centers."""
    assert genome.centre is not None
    assert genome.scale is not None
    vector = centres[genome.centre].clone()
    for seed, sigma in zip(genome.seeds, genome.sigmas, strict=True):
        vector.add_(normal_vector(seed, len(vector)) * centres[genome.scale] * sigma)
    return vector


def genome_to_plain(genome: Genome) -> list[Any]:
    """Convert a genome to lists and numbers."""
    return [list(genome.seeds), list(genome.sigmas), genome.centre]


def genome_from_plain(state: Sequence[Any]) -> Genome:
    """Inverse of `plain`."""
    return Genome(tuple(state[0]), tuple(state[1]), state[2])
