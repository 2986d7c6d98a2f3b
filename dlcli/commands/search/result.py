"""What a search found, and what it cost: by trials, or among networks that share weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

from dlcli.config.build import Built
from dlcli.core.artifacts import encode
from dlcli.core.evaluation import score
from dlcli.core.learner import Rows
from dlcli.core.metric import Goal
from dlcli.core.space import Architecture, OneShotModel, SharesWeights, word
from dlcli.core.trials import Outcome, Trial
from dlcli.learners.gradient import derive
from dlcli.learners.strategies.random_trials import Random
from dlcli.learners.strategies.strategy import Strategy
from dlcli.runs.run import Run


@dataclass(frozen=True)
class Cost:
    """What was spent: trials, learner steps, and seconds of computing."""

    trials: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Candidate:
    """A member of the space with the score that the search gave it."""

    words: tuple[str, ...]
    value: float
    architecture: Architecture | None = None


@runtime_checkable
class Search(Protocol):
    """A search that is over."""

    def candidates(self) -> list[Candidate]:
        """The best first; empty when all failed."""

    def cost(self) -> Cost:
        """Of all of it."""

    def words(self, trial: Trial) -> tuple[str, ...]:
        """Overrides of the network of a trial that stands alone."""

    def hand_made(self) -> tuple[str, ...]:
        """Overrides of the network that nobody searched for."""

    def keep(self, alone: Mapping[int, Sequence[Outcome]]) -> None:
        """Write how candidates came out that were trained alone, by place, beside what the search made of them."""

    def shared(self, architecture: Architecture) -> float | None:
        """The score of a member with the weights of all; None where none are shared."""

    is_random: bool
    shares: bool
    until: Mapping[str, int | float]
    """When a candidate that is trained from scratch stops, where it is not as the search's words say."""


@runtime_checkable
class Decided(Protocol):
    """A network that is all members at once, and says which one it comes to."""

    def best(self) -> Architecture:
        """The member."""


class Tried:
    """A strategy that was told of all its trials."""

    shares = False
    until: Mapping[str, int | float] = {}

    def __init__(self, strategy: Strategy, config: Mapping[str, Any]) -> None:
        self._strategy = strategy
        self.is_random = type(strategy) is Random

    def candidates(self) -> list[Candidate]:
        sound = [one for one in self._strategy.latest.values() if one.value == one.value]
        return [
            Candidate(self.words(one.trial), one.value, one.trial.architecture) for one in self._strategy.ranked(sound)
        ]

    def cost(self) -> Cost:
        told = list(self._strategy.latest.values())
        return Cost(len(told), sum(one.steps for one in told), sum(one.seconds for one in told))

    def words(self, trial: Trial) -> tuple[str, ...]:
        return (*trial.words, *([] if trial.architecture is None else [word(trial.architecture)]))

    def hand_made(self) -> tuple[str, ...]:
        return ()

    def keep(self, alone: Mapping[int, Sequence[Outcome]]) -> None:
        """Its scores are of networks that stand alone."""

    def shared(self, architecture: Architecture) -> float | None:
        return None


class Shared:
    """A network that was trained in place of all.

    Args:
        goal: what members are ranked by.
    """

    is_random = False
    shares = True

    def __init__(self, run: Run, config: Mapping[str, Any], built: Built, goal: Goal) -> None:
        assert isinstance(built.model, OneShotModel)
        self._run, self._config, self._built, self._model, self._goal = run, config, built, built.model, goal
        self.until: Mapping[str, int | float] = config["retrain"]["until"]
        self._scored: list[tuple[Architecture, float]] = []

    def candidates(self) -> list[Candidate]:
        self._scored = self._drawn()
        self.keep({})
        return [Candidate(self._alone(one), value, one) for one, value in self._scored if value == value]

    def _drawn(self) -> list[tuple[Architecture, float]]:
        """What the controller draws; without one, the one that the network itself stands for."""
        model, task = self._built.model, self._built.task
        if isinstance(model, SharesWeights):
            return derive.candidates(model, task, self._goal, self._config["candidates"], self._config["seed"])
        assert isinstance(model, Decided)
        return [(tuple(model.best()), score(model, task, "valid")[self._goal.metric])]

    def shared(self, architecture: Architecture) -> float | None:
        if not isinstance(self._built.model, SharesWeights):
            return None
        return score(self._built.model.child(architecture), self._built.task, "valid")[self._goal.metric]

    def keep(self, alone: Mapping[int, Sequence[Outcome]]) -> None:
        columns = ("candidate", "architecture", "shared", "alone", "trainings", "steps", "seconds", "status")
        rows = [(place, *_row(*one, alone.get(place, ()))) for place, one in enumerate(self._scored)]
        ending, content = encode(Rows(columns, rows))
        self._run.keep(f"architectures{ending}", content)

    def cost(self) -> Cost:
        """A step of two players is several updates of the shared weights, each on a batch of train."""
        counted = self._run.info.get("counters") or {}
        return Cost(0, int(counted.get("batches", self._run.info["steps"])), float(self._run.info["seconds"]))

    def words(self, trial: Trial) -> tuple[str, ...]:
        assert trial.architecture is not None
        return self._alone(trial.architecture)

    def hand_made(self) -> tuple[str, ...]:
        first = self._alone((0,) * len(self._model.space.decisions))
        return tuple(word for word in first if not word.startswith("model.architecture="))

    def _alone(self, architecture: Architecture) -> tuple[str, ...]:
        return tuple(self._model.standalone_overrides(architecture))


def _row(architecture: Architecture, value: float, alone: Sequence[Outcome]) -> tuple[Any, ...]:
    """A candidate in the table, from its architecture on."""
    failed = [one.status for one in alone if one.status != "completed"]
    status = failed[0] if failed else "completed" if value == value else "not a number"
    spent = (sum(one.steps for one in alone), round(sum(one.seconds for one in alone), 3)) if alone else ("", "")
    return " ".join(map(str, architecture)), value, mean_value(alone), len(alone), *spent, status


def mean_value(alone: Sequence[Outcome]) -> float | str:
    """The mean of several trainings; empty without any."""
    return fmean(one.value for one in alone) if alone else ""
