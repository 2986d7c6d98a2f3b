"""Tree-structured Parzen estimator (TPE) with Optuna's ask-and-tell interface."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.core.errors import Mismatch, Missing, UsageError, install_command
from dlcli.core.rng import hash_integers
from dlcli.core.trials import Trial, TrialResult, TrialRunner
from dlcli.learners.strategies.distributions import Choices, Distribution, distributions
from dlcli.learners.strategies.rungs import rung_limits
from dlcli.learners.strategies.strategy import Strategy, check_at_least_one

_DRAW = 0x79E
_STATES = 2**31


class TPE(Strategy):
    """Tree-structured Parzen estimator: sample values with a high density ratio of good to bad trials.

    For every trial a new in-memory Optuna study is built from the history, with a sampler seeded by (seed, trial), so
    that the history is the only state. Trials of the current batch count as running. With `stages` above 1, a trial
    whose value at a limit is worse than the median of the previous ones is pruned.

    Paper: Bergstra, Bardenet, Bengio & Kegl 2011, NIPS. Differs: as Optuna's TPESampler.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        over: keys to search over in addition to the decisions of an architecture space; see `distributions.py`.
        startup: number of random trials before the first estimate.
        multivariate: estimate the joint density of all keys instead of one density per key.
        stages: number of limits of a trial, including its end.
        reduction: ratio of consecutive limits, at least 2.
        until: limits of a complete trial.

    Raises:
        Missing: Optuna is not installed.
        UsageError: a number is out of range.
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
        startup: int,
        multivariate: bool,
        stages: int,
        reduction: int,
        until: Mapping[str, int | float],
    ) -> None:
        super().__init__(trials, candidates=candidates, batch=batch, seed=seed)
        check_at_least_one(startup=startup, stages=stages, reduction=reduction - 1)
        self._optuna = _import()
        self._over = distributions(over)
        if not over and trials.space is None:
            raise Mismatch(
                "requires",
                key="strategy=tpe",
                requirement="a key to search over or a model with an architecture space",
                hint="--over 'lr=interval(1e-4,1e-2)'",
            )
        keys = [distribution.key for distribution in self._over]
        if len(set(keys)) < len(keys):
            raise UsageError("invalid_value", key="--over", must="given once per key", got=", ".join(keys))
        self._startup, self._multivariate = startup, multivariate
        self._stops: list[dict[str, int | float]] = rung_limits(until, stages, reduction)[:-1]
        self._stops.append({} if stages == 1 else dict(until))

    def ask(self) -> list[Trial]:
        proposals = [self._continued(outcome) for outcome in self._unfinished()][: self.batch]
        for number in list(self.fresh)[: self.batch - len(proposals)]:
            proposals.append(self._draw(number, proposals))
        return proposals

    def unfinished(self) -> int:
        return len(self._unfinished())

    def _unfinished(self) -> list[TrialResult]:
        """Trials before their last limit that are not pruned."""
        latest = {outcome.trial.number: index for index, outcome in enumerate(self.history)}
        running = [index for index in latest.values() if self.history[index].trial.until != self._stops[-1]]
        return [self.history[index] for index in sorted(running) if self._not_pruned(index)]

    def _not_pruned(self, index: int) -> bool:
        """Compare with the median of the earlier outcomes at the same limit; later outcomes have no effect."""
        outcome = self.history[index]
        if outcome.value != outcome.value:  # NaN
            return False
        limit = outcome.trial.until
        earlier = [other.value for other in self.history[: index + 1] if other.trial.until == limit]
        values = [value for value in earlier if value == value]
        if len(values) <= self._startup:
            return True
        median = statistics.median(values)
        return outcome.value >= median if self.trials.goal.direction == "max" else outcome.value <= median

    def _continued(self, outcome: TrialResult) -> Trial:
        trial, level = outcome.trial, self._stops.index(dict(outcome.trial.until))
        return Trial(trial.number, trial.words, trial.architecture, self._stops[level + 1])

    def _draw(self, number: int, running: Sequence[Trial]) -> Trial:
        study = self._study(hash_integers(self.seed, _DRAW, number) % _STATES)
        for trial in running:
            self._tell(study, trial, None)
        values = study.ask(fixed_distributions=self._distributions()).params
        overrides = tuple(_override(distribution, values[distribution.key]) for distribution in self._over)
        space = self.trials.space
        names = [] if space is None else [f"decision {index}" for index in range(len(space.decisions))]
        return Trial(number, overrides, tuple(values[name] for name in names) if space else None, self._stops[0])

    def _study(self, seed: int) -> Any:
        """Optuna study with the history."""
        optuna = self._optuna
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=self._startup, multivariate=self._multivariate, constant_liar=self.batch > 1
        )
        direction = "maximize" if self.trials.goal.direction == "max" else "minimize"
        study = optuna.create_study(sampler=sampler, direction=direction)
        for outcome in self.latest.values():
            self._tell(study, outcome.trial, outcome)
        return study

    def _tell(self, study: Any, trial: Trial, outcome: TrialResult | None) -> None:
        states = self._optuna.trial.TrialState
        succeeded = outcome is not None and math.isfinite(outcome.value)
        state = states.COMPLETE if succeeded else states.RUNNING if outcome is None else states.FAIL
        study.add_trial(
            self._optuna.trial.create_trial(
                state=state,
                value=outcome.value if succeeded and outcome is not None else None,
                params=self._params(trial),
                distributions=self._distributions(),
            )
        )

    def _params(self, trial: Trial) -> dict[str, Any]:
        """Parameters of a trial, parsed from its overrides."""
        texts = [override.partition("=")[2] for override in trial.words]
        values = {entry.key: _parsed(entry, text) for entry, text in zip(self._over, texts, strict=True)}
        return values | {f"decision {index}": choice for index, choice in enumerate(trial.architecture or ())}

    def _distributions(self) -> dict[str, Any]:
        types = self._optuna.distributions
        entries = {entry.key: _as_optuna(types, entry) for entry in self._over}
        decisions = self.trials.space.decisions if self.trials.space is not None else ()
        return entries | {
            f"decision {index}": types.CategoricalDistribution(list(range(len(decision.choices))))
            for index, decision in enumerate(decisions)
        }


def _override(distribution: Distribution, value: Any) -> str:
    return distribution.word(str(value)) if isinstance(distribution, Choices) else distribution.word(float(value))


def _parsed(distribution: Distribution, text: str) -> Any:
    if isinstance(distribution, Choices):
        return text
    return int(text) if distribution.whole else float(text)


def _as_optuna(types: Any, distribution: Distribution) -> Any:
    if isinstance(distribution, Choices):
        return types.CategoricalDistribution(distribution.choices)
    low, high, log, step = distribution.low, distribution.high, distribution.log, distribution.step
    if distribution.whole:
        return types.IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return types.FloatDistribution(low, high, log=log, step=step)


def _import() -> Any:
    try:
        import optuna
    except ImportError as error:
        hint = f"Install it: {install_command('search')} ({error})"
        raise Missing("missing_package", feature="strategy=tpe", package="optuna", hint=hint) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
