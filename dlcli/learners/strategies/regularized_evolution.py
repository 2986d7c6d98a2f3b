"""Regularised evolution: tournaments among the young."""

import torch

from dlcli.core.errors import UsageError
from dlcli.core.rng import generator
from dlcli.core.space import draw, neighbour
from dlcli.core.trials import Trial, Trials
from dlcli.learners.strategies.architectures import space_of
from dlcli.learners.strategies.strategy import Strategy, at_least_one

_DRAW = 0x4E0A


class RegularisedEvolution(Strategy):
    """The best of a few members of the population has a mutated child, and the oldest member dies.

    Members that failed age as others do, and lose every tournament against one that did not.

    Paper: Real, Aggarwal, Huang & Le 2019, arXiv:1802.01548, algorithm 1. Differs: children of a batch have their
    parents drawn from the same population, as if as many workers ran at once; a mutation always changes one decision.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        population: the youngest of all trials, from which parents are drawn; the first ones are random.
        sample: members of a tournament, drawn with replacement.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the model has no space.
    """

    def __init__(self, trials: Trials, *, candidates: int, batch: int, seed: int, population: int, sample: int) -> None:
        super().__init__(trials, candidates=candidates, batch=batch, seed=seed)
        at_least_one(population=population, sample=sample)
        if sample > population:
            raise UsageError(f"strategy.sample is at most the population of {population}, not {sample}")
        self._space = space_of(trials, "evolution")
        self._population, self._sample = population, sample

    def ask(self) -> list[Trial]:
        return [self._trial(number) for number in self.fresh]

    def _trial(self, number: int) -> Trial:
        source = generator(self.seed, _DRAW, number)
        living = self.history[-self._population :]
        if number < self._population or not living:
            return Trial(number, architecture=draw(self._space, 1, source)[0])
        places = torch.randint(len(living), (self._sample,), generator=source).tolist()
        parent = self.ranked([living[place] for place in places])[0].trial.architecture
        assert parent is not None
        return Trial(number, architecture=neighbour(self._space, parent, source))
