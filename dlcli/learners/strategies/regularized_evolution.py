"""Regularized (aging) evolution."""

import torch

from dlcli.core.errors import UsageError
from dlcli.core.rng import generator
from dlcli.core.space import mutate, sample
from dlcli.core.trials import Trial, TrialRunner
from dlcli.learners.strategies.architectures import require_space
from dlcli.learners.strategies.strategy import Strategy, check_at_least_one

_DRAW = 0x4E0A


class RegularisedEvolution(Strategy):
    """Aging evolution: the winner of a tournament produces a mutated child, and the oldest member is removed.

    Failed members age like others, and lose every tournament against members that did not fail.

    Paper: Real, Aggarwal, Huang & Le 2019, arXiv:1802.01548, algorithm 1. Differs: the parents of the children of a
    batch are sampled from the same population, as with parallel workers; a mutation always changes one decision.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        population: number of most recent trials from which parents are sampled; the first ones are random.
        sample: tournament size, sampled with replacement.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the model has no architecture space.
    """

    def __init__(
        self, trials: TrialRunner, *, candidates: int, batch: int, seed: int, population: int, sample: int
    ) -> None:
        super().__init__(trials, candidates=candidates, batch=batch, seed=seed)
        check_at_least_one(population=population, sample=sample)
        if sample > population:
            must = f"at most strategy.population ({population})"
            raise UsageError("invalid_value", key="strategy.sample", must=must, got=sample)
        self._space = require_space(trials, "evolution")
        self._population, self._sample = population, sample

    def ask(self) -> list[Trial]:
        return [self._trial(number) for number in self.fresh]

    def _trial(self, number: int) -> Trial:
        source = generator(self.seed, _DRAW, number)
        population = self.history[-self._population :]
        if number < self._population or not population:
            return Trial(number, architecture=sample(self._space, 1, source)[0])
        indices = torch.randint(len(population), (self._sample,), generator=source).tolist()
        parent = self.ranked([population[index] for index in indices])[0].trial.architecture
        assert parent is not None
        return Trial(number, architecture=mutate(self._space, parent, source))
