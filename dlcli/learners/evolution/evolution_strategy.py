"""Evolution strategies: gradient estimates from antithetic (mirrored) noise."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.population import Genome, Rating
from dlcli.core.rng import normal_vector
from dlcli.core.task import Task
from dlcli.learners.evolution.evolution import Evolution, Generation, check_positive
from dlcli.learners.evolution.selection import SelectionScore

_PAIR, _CHOICE, _ARCHIVE = 0x9A14, 0xC401, 0xA4C1


class EvolutionStrategy(Evolution):
    """Evolution strategy: the optimizer follows an estimate of the gradient of the mean rank around a center.

    Noise vectors come in mirrored pairs; the center is also evaluated and may be the best individual. With the score
    `Novelty` this is NS-ES, with `Blend` NSR-ES: several centers, of which one is selected per generation with
    probability proportional to its novelty, after each has been selected once. Weight decay is that of the optimizer,
    as in the paper; in the authors' code, which does not divide the estimate by sigma, it is sigma times as large.

    Paper: Salimans et al. 2017, arXiv:1703.03864, algorithm 1; Conti et al. 2017, arXiv:1712.06560, section 3. Differs:
    pairs with a failed individual are ignored; a center enters the archive when it is evaluated instead of immediately
    after its update.

    Args:
        model, task, chunk, seed, candidates, elite_batches, output_std: see `Evolution`.
        population: individuals in addition to the center, two per pair.
        sigma: standard deviation of the noise.
        score: ranking of the individuals.
        optimizer: factory of the optimizer from the parameters.
        meta_population: number of centers.

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
        score: SelectionScore,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        meta_population: int,
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
        if population % 2:
            must = "even (noise comes in mirrored pairs)"
            raise UsageError("invalid_value", key="learner.population", must=must, got=population)
        check_positive(sigma=sigma, meta_population=meta_population)
        self._sigma, self._score = sigma, score
        self._centres = [nn.Parameter(self.start(number)) for number in range(meta_population)]
        self._optimizers = [optimizer([centre]) for centre in self._centres]
        self._behaviour: list[Tensor] = []

    def sizes(self) -> dict[str, int]:
        return {"meta_population": len(self._centres)}

    def ask(self) -> Generation:
        chosen = self._select_centre()
        seeds = [self.draw(_PAIR, pair) for pair in range(self.population // 2)]
        genomes = [Genome((seed,), (sign * self._sigma,), chosen) for seed in seeds for sign in (1, -1)]
        genomes.append(Genome((), (), chosen))
        return Generation(genomes, [None] * len(genomes), {chosen: self._centres[chosen].detach()})

    def _select_centre(self) -> int:
        """Number of the center of this generation."""
        if len(self._behaviour) < len(self._centres):
            return len(self._behaviour)
        novelty = self._score.novelty(torch.stack(self._behaviour))
        share = (novelty if novelty.sum() > 0 else torch.ones_like(novelty)).cumsum(0)
        threshold = self.draw(_CHOICE) / 2**64 * share[-1]
        return min(int((share <= threshold).sum()), len(share) - 1)

    def tell(self, asked: Generation, rating: Rating) -> dict[str, Tensor]:
        chosen = asked.genomes[-1].centre
        assert chosen is not None
        pairs = Rating(rating.fitness[:-1], rating.behaviour[:-1], rating.cost[:-1])
        self._remember(chosen, rating.behaviour[-1], bool(rating.fitness[-1].isnan()))
        ranks, values = self._score.rank(pairs)
        centre = self._centres[chosen]
        if not pairs.fitness.view(-1, 2).isnan().any(1).all():
            centre.grad = -self.gradient(asked.genomes[:-1], ranks)
            self._optimizers[chosen].step()
        return values | {"centre_norm": centre.detach().norm()}

    def gradient(self, genomes: Sequence[Genome], worth: Tensor) -> Tensor:
        """1 / (2 n sigma) sum over n pairs of (rank(+noise) - rank(-noise)) noise, float32 [size]."""
        difference = worth.view(-1, 2).double() @ torch.tensor([1.0, -1.0], dtype=torch.float64)
        count = int((~difference.isnan()).sum())
        weights = (difference.nan_to_num(nan=0.0) / (2 * max(1, count) * self._sigma)).tolist()
        total = torch.zeros(self.size)
        for genome, weight in zip(genomes[::2], weights, strict=True):
            if weight:
                total.add_(normal_vector(genome.seeds[0], self.size).mul_(weight))
        return total

    def _remember(self, chosen: int, behaviour: Tensor, failed: bool) -> None:
        """Store the behavior characterization of the center."""
        if chosen == len(self._behaviour):
            self._behaviour.append(behaviour)
        if not failed:
            self._behaviour[chosen] = behaviour
            self._score.remember(behaviour[None], self.seed, self.generation, _ARCHIVE)

    def memory(self) -> dict[str, Any]:
        return {
            "centres": [centre.detach() for centre in self._centres],
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "behaviour": list(self._behaviour),
            "score": self._score.state_dict(),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        for centre, optimizer, vector, state in zip(
            self._centres, self._optimizers, memory["centres"], memory["optimizers"], strict=True
        ):
            centre.data.copy_(vector)
            optimizer.load_state_dict(state)
        self._behaviour = list(memory["behaviour"])
        self._score.load_state_dict(memory["score"])
