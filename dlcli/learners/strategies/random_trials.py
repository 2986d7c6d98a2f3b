"""Random search: what every strategy is measured against."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.core.errors import Mismatch
from dlcli.core.rng import generator
from dlcli.core.space import draw
from dlcli.core.trials import Trial, Trials
from dlcli.learners.strategies.distributions import distributions
from dlcli.learners.strategies.strategy import Strategy

_DRAW = 0x4A4D


class Random(Strategy):
    """Members drawn uniformly, with replacement, from the space, from what `over` lists, or from both.

    Paper: Bergstra & Bengio 2012, JMLR 13; as a baseline of architectures Li & Talwalkar 2019, arXiv:1902.07638.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        over: keys to search over; see `over.py`.

    Raises:
        Mismatch: there is nothing to draw from.
    """

    def __init__(
        self, trials: Trials, *, candidates: int, batch: int, seed: int, over: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(trials, candidates=candidates, batch=batch, seed=seed)
        self._over = distributions(over)
        if trials.space is None and not over:
            raise Mismatch("there is nothing to search: the model has no space, and no --over KEY=... is given")

    def ask(self) -> list[Trial]:
        return [self.trial(number) for number in self.fresh]

    def trial(self, number: int) -> Trial:
        """The trial of a number, whatever the history."""
        source = generator(self.seed, _DRAW, number)
        words = tuple(one.draw(source) for one in self._over)
        space = self.trials.space
        return Trial(number, words, None if space is None else draw(space, 1, source)[0])
