"""Successive halving: many short trials, of which the best are continued."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.core.trials import Trial, TrialResult, TrialRunner
from dlcli.learners.strategies.random_trials import Random
from dlcli.learners.strategies.rungs import rung_limits
from dlcli.learners.strategies.strategy import Strategy, check_at_least_one


class SuccessiveHalving(Strategy):
    """Successive halving: the best 1 / `reduction` of each rung are continued to a limit `reduction` times as high.

    A continued trial resumes its run with a higher limit. Its steps are counted once.

    Paper: Jamieson & Talwalkar 2016, arXiv:1502.07943, figure 3; with a reduction eta as in Li et al. 2018,
    arXiv:1603.06560. Differs: the number of continued trials is rounded down, and at least one.

    Args:
        trials, candidates, batch, seed: see `Strategy`; the first rung has all candidates.
        over: keys to search over in addition to the architecture space; see `distributions.py`.
        rungs: number of rungs.
        reduction: eta, at least 2.
        until: limits of a complete trial.

    Raises:
        UsageError: a number is out of range, or `until` is too small for the rungs.
        Mismatch: there is neither an architecture space nor a key to search over.
    """

    def __init__(
        self,
        trials: TrialRunner,
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
        check_at_least_one(rungs=rungs, reduction=reduction - 1)
        self._first = Random(trials, candidates=candidates, batch=batch, seed=seed, over=over)
        self._stops = rung_limits(until, rungs, reduction)
        self._reduction = reduction

    def ask(self) -> list[Trial]:
        for rung, stop in enumerate(self._stops):
            finished = {outcome.trial.number for outcome in self._outcomes(rung)}
            remaining = [number for number in self._members(rung) if number not in finished]
            if remaining:
                return [self._trial(number, stop) for number in remaining[: self.batch]]
        return []

    def unfinished(self) -> int:
        """Trials that may be continued: the members of the first incomplete rung."""
        for rung in range(len(self._stops)):
            members, outcomes = self._members(rung), self._outcomes(rung)
            if len(outcomes) < len(members):
                last = rung + 1 == len(self._stops)
                finished = {outcome.trial.number for outcome in outcomes}
                waiting = [number for number in members if number not in finished] if rung else []
                return len(waiting) + (0 if last else len(outcomes))
        return 0

    def _trial(self, number: int, stop: Mapping[str, int | float]) -> Trial:
        first = self._first.trial(number)
        return Trial(number, first.words, first.architecture, stop)

    def _outcomes(self, rung: int) -> list[TrialResult]:
        return [outcome for outcome in self.history if outcome.trial.until == self._stops[rung]]

    def _members(self, rung: int) -> list[int]:
        """Trials of a rung, final once the previous rung is complete; failed trials are not continued."""
        if rung == 0:
            return list(range(self.candidates))
        previous = self._outcomes(rung - 1)
        successful = [outcome for outcome in self.ranked(previous) if outcome.value == outcome.value]
        count = max(1, len(previous) // self._reduction)
        return sorted(outcome.trial.number for outcome in successful[:count])
