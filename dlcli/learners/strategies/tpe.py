"""Tree-structured Parzen estimator over any keys, by Optuna's ask and tell."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.core.errors import Mismatch, Missing, UsageError
from dlcli.core.rng import mix
from dlcli.core.trials import Outcome, Trial, Trials
from dlcli.learners.strategies.distributions import Choices, Distribution, distributions
from dlcli.learners.strategies.rungs import stops
from dlcli.learners.strategies.strategy import Strategy, at_least_one

_DRAW = 0x79E
_STATES = 2**31


class TPE(Strategy):
    """Values are drawn where those of good trials lie dense, and those of bad ones thin.

    Optuna's study is made anew for every trial: an in-memory one, filled with the history, whose sampler is seeded
    by (seed, trial). So the history is the only storage. Trials of a batch that are not told yet count as running.
    With `stages` above 1 a trial whose value at a stop is worse than the median of those before it goes no further.

    Paper: Bergstra, Bardenet, Bengio & Kegl 2011, NIPS. Differs: what Optuna's TPESampler does differently.

    Args:
        trials, candidates, batch, seed: see `Strategy`.
        over: keys to search over; see `over.py`. The decisions of a space, where there is one, come beside them.
        startup: trials drawn at random before the estimate begins.
        multivariate: one estimate of all keys together, not one a key.
        stages: stops of a trial, the last one its end.
        reduction: how many times longer each stage ends than the one before.
        until: of a whole trial.

    Raises:
        Missing: Optuna is not installed.
        UsageError: a number is out of range.
        Mismatch: there is nothing to search over.
    """

    def __init__(
        self,
        trials: Trials,
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
        at_least_one(startup=startup, stages=stages, reduction=reduction - 1)
        self._optuna = _import()
        self._over = distributions(over)
        if not over and trials.space is None:
            raise Mismatch("tpe has nothing to search: give --over 'lr=interval(1e-4,1e-2)', or a model with a space")
        if len({one.key for one in self._over}) < len(over):
            raise UsageError("--over names a key twice")
        self._startup, self._multivariate = startup, multivariate
        self._stops: list[dict[str, int | float]] = stops(until, stages, reduction)[:-1]
        self._stops.append({} if stages == 1 else dict(until))

    def ask(self) -> list[Trial]:
        asked = [self._later(one) for one in self._going_on()][: self.batch]
        return self._new(list(self.fresh)[: self.batch - len(asked)], asked)

    def unfinished(self) -> int:
        return len(self._going_on())

    def _new(self, numbers: Sequence[int], asked: list[Trial]) -> list[Trial]:
        for number in numbers:
            asked.append(self._draw(number, asked))
        return asked

    def _going_on(self) -> list[Outcome]:
        """Trials at a stop that is not their last, and not worse there than the median of the others."""
        places = {one.trial.number: place for place, one in enumerate(self.history)}
        ahead = [place for place in places.values() if self.history[place].trial.until != self._stops[-1]]
        return [self.history[place] for place in sorted(ahead) if self._holds(place)]

    def _holds(self, place: int) -> bool:
        """Decided once for all, by those that were told before."""
        one = self.history[place]
        if one.value != one.value:
            return False
        before = [other.value for other in self.history[: place + 1] if other.trial.until == one.trial.until]
        sound = [value for value in before if value == value]
        if len(sound) <= self._startup:
            return True
        middle = statistics.median(sound)
        return one.value >= middle if self.trials.goal.direction == "max" else one.value <= middle

    def _later(self, one: Outcome) -> Trial:
        place = self._stops.index(dict(one.trial.until))
        return Trial(one.trial.number, one.trial.words, one.trial.architecture, self._stops[place + 1])

    def _draw(self, number: int, running: Sequence[Trial]) -> Trial:
        study = self._study(mix(self.seed, _DRAW, number) % _STATES)
        for trial in running:
            self._tell(study, trial, None)
        found = study.ask(fixed_distributions=self._distributions()).params
        words = tuple(_word(one, found[one.key]) for one in self._over)
        space = self.trials.space
        names = [] if space is None else [f"decision {place}" for place in range(len(space.decisions))]
        return Trial(number, words, tuple(found[name] for name in names) if space else None, self._stops[0])

    def _study(self, seed: int) -> Any:
        """A study that knows the history."""
        optuna = self._optuna
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=self._startup, multivariate=self._multivariate, constant_liar=self.batch > 1
        )
        direction = "maximize" if self.trials.goal.direction == "max" else "minimize"
        study = optuna.create_study(sampler=sampler, direction=direction)
        for outcome in self.latest.values():
            self._tell(study, outcome.trial, outcome)
        return study

    def _tell(self, study: Any, trial: Trial, outcome: Outcome | None) -> None:
        states = self._optuna.trial.TrialState
        sound = outcome is not None and math.isfinite(outcome.value)
        state = states.COMPLETE if sound else states.RUNNING if outcome is None else states.FAIL
        study.add_trial(
            self._optuna.trial.create_trial(
                state=state,
                value=outcome.value if sound and outcome is not None else None,
                params=self._params(trial),
                distributions=self._distributions(),
            )
        )

    def _params(self, trial: Trial) -> dict[str, Any]:
        """What a trial took, read from its words."""
        values = [word.partition("=")[2] for word in trial.words]
        found = {one.key: _read(one, value) for one, value in zip(self._over, values, strict=True)}
        return found | {f"decision {place}": number for place, number in enumerate(trial.architecture or ())}

    def _distributions(self) -> dict[str, Any]:
        kinds = self._optuna.distributions
        found = {one.key: _as_optuna(kinds, one) for one in self._over}
        decisions = self.trials.space.decisions if self.trials.space is not None else ()
        return found | {
            f"decision {place}": kinds.CategoricalDistribution(list(range(len(one.choices))))
            for place, one in enumerate(decisions)
        }


def _word(one: Distribution, value: Any) -> str:
    return one.word(str(value)) if isinstance(one, Choices) else one.word(float(value))


def _read(one: Distribution, value: str) -> Any:
    if isinstance(one, Choices):
        return value
    return int(value) if one.whole else float(value)


def _as_optuna(kinds: Any, one: Distribution) -> Any:
    if isinstance(one, Choices):
        return kinds.CategoricalDistribution(one.choices)
    if one.whole:
        return kinds.IntDistribution(int(one.low), int(one.high), log=one.log, step=int(one.step or 1))
    return kinds.FloatDistribution(one.low, one.high, log=one.log, step=one.step)


def _import() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise Missing(f"strategy=tpe needs optuna ({error})\nGet it: pip install 'dlcli[search]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
