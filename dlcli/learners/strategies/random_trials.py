"""Random search, the baseline of search strategies."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.core.errors import Mismatch
from dlcli.core.rng import generator
from dlcli.core.space import sample
from dlcli.core.trials import Trial, TrialRunner
from dlcli.learners.strategies.distributions import distributions
from dlcli.learners.strategies.strategy import Strategy

_DRAW = 0x4A4D


class Random(Strategy):
    """Uniform samples, with replacement, from the architecture space, from the keys of `over`, or from both.

    Paper: Bergstra & Bengio 2012, JMLR 13; as a baseline of architectures Li & Talwalkar 2019, arXiv:1902.07638.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        over: keys to search over; see `distributions.py`.

    Raises:
        Mismatch: there is neither an architecture space nor a key to search over.
    """

    def __init__(
        self, trials: TrialRunner, *, candidates: int, batch: int, seed: int, over: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(trials, candidates=candidates, batch=batch, seed=seed)
        self._over = distributions(over)
        if trials.space is None and not over:
            raise Mismatch("requires", key="search", requirement="--over KEY=... or a model with an architecture space")

    def ask(self) -> list[Trial]:
        return [self.trial(number) for number in self.fresh]

    def trial(self, number: int) -> Trial:
        """The trial of a number; independent of the history."""
        source = generator(self.seed, _DRAW, number)
        overrides = tuple(distribution.draw(source) for distribution in self._over)
        space = self.trials.space
        return Trial(number, overrides, None if space is None else sample(space, 1, source)[0])
