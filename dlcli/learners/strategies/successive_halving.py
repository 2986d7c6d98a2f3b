"""Successive halving: many short trials, of which the best go on."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.core.trials import Outcome, Trial, Trials
from dlcli.learners.strategies.random_trials import Random
from dlcli.learners.strategies.rungs import stops
from dlcli.learners.strategies.strategy import Strategy, at_least_one


class SuccessiveHalving(Strategy):
    """All candidates run to a first stop; of each rung the best 1 / `reduction` go on, `reduction` times as far.

    A trial that goes on is the same run with a later stop. Its steps are counted once.

    Paper: Jamieson & Talwalkar 2016, arXiv:1502.07943, figure 3; with a reduction eta as in Li et al. 2018,
    arXiv:1603.06560. Differs: a rung keeps the part rounded down, and at least one.

    Args:
        trials, candidates, batch, seed: see `Strategy`; the first rung has all candidates.
        over: keys to search over, beside the space; see `over.py`.
        rungs: stops of those that go all the way.
        reduction: eta.
        until: of a whole trial.

    Raises:
        UsageError: a number is out of range, or `until` too short for the rungs.
        Mismatch: there is nothing to draw from.
    """

    def __init__(
        self,
        trials: Trials,
        *,
        candidates: int,
        batch: int,
        seed: int,
        over: Sequence[Mapping[str, Any]],
        rungs: int,
        reduction: int,
        until: Mapping[str, int | float],
    ) -> None:
        super().__init__(trials, candidates=candidates, batch=batch, seed=seed)
        at_least_one(rungs=rungs, reduction=reduction - 1)
        self._first = Random(trials, candidates=candidates, batch=batch, seed=seed, over=over)
        self._stops = stops(until, rungs, reduction)
        self._reduction = reduction

    def ask(self) -> list[Trial]:
        for rung, stop in enumerate(self._stops):
            told = {one.trial.number for one in self._told(rung)}
            rest = [number for number in self._members(rung) if number not in told]
            if rest:
                return [self._trial(number, stop) for number in rest[: self.batch]]
        return []

    def unfinished(self) -> int:
        """Those that may go on: all of the rung that is not whole yet, and of the next."""
        for rung in range(len(self._stops)):
            members, told = self._members(rung), self._told(rung)
            if len(told) < len(members):
                last = rung + 1 == len(self._stops)
                begun = {one.trial.number for one in told}
                waiting = [number for number in members if number not in begun] if rung else []
                return len(waiting) + (0 if last else len(told))
        return 0

    def _trial(self, number: int, stop: Mapping[str, int | float]) -> Trial:
        drawn = self._first.trial(number)
        return Trial(number, drawn.words, drawn.architecture, stop)

    def _told(self, rung: int) -> list[Outcome]:
        return [one for one in self.history if one.trial.until == self._stops[rung]]

    def _members(self, rung: int) -> list[int]:
        """The trials of a rung; known once the rung before is whole. Failures do not go on."""
        if rung == 0:
            return list(range(self.candidates))
        before = self._told(rung - 1)
        sound = [one for one in self.ranked(before) if one.value == one.value]
        keep = max(1, len(before) // self._reduction)
        return sorted(one.trial.number for one in sound[:keep])
