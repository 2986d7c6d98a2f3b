"""Result of a search: ranked candidates and cost, of separate trials or of a weight-sharing network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Protocol, runtime_checkable

from dlcli.config.build import Built
from dlcli.core.artifacts import encode
from dlcli.core.evaluation import score
from dlcli.core.learner import TableArtifact
from dlcli.core.metric import Goal
from dlcli.core.space import Architecture, OneShotModel, SharesWeights, architecture_override
from dlcli.core.trials import Trial, TrialResult
from dlcli.learners.gradient import derive
from dlcli.learners.strategies.random_trials import Random
from dlcli.learners.strategies.strategy import Strategy
from dlcli.runs.run import Run


@dataclass(frozen=True)
class Cost:
    """Cost of a search: trials, optimization steps and seconds of computation."""

    trials: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Candidate:
    """A configuration or architecture with its search score.

    Args:
        words: overrides of its configuration.
        value: score of the search on the validation split.
        architecture: chosen operation of each decision, for architecture search.
    """

    words: tuple[str, ...]
    value: float
    architecture: Architecture | None = None


@runtime_checkable
class CompletedSearch(Protocol):
    """Protocol of a completed search."""

    def candidates(self) -> list[Candidate]:
        """Return the candidates, best first; empty if all failed."""

    def cost(self) -> Cost:
        """Return the total cost."""

    def words(self, trial: Trial) -> tuple[str, ...]:
        """Return the overrides that train the network of a trial from scratch."""

    def hand_made(self) -> tuple[str, ...]:
        """Return the overrides of the hand-designed network."""

    def write_scores(self, alone: Mapping[int, Sequence[TrialResult]]) -> None:
        """Write the scores of the candidates, and of those trained from scratch, by index of the candidate."""

    def shared(self, architecture: Architecture) -> float | None:
        """Return the score of an architecture with shared weights; None if weights are not shared."""

    is_random: bool
    shares: bool
    until: Mapping[str, int | float]
    """Stopping rule of candidates trained from scratch, if it differs from that of the search."""


@runtime_checkable
class Derivable(Protocol):
    """Continuous relaxation of a search space that derives a discrete architecture, such as DARTS."""

    def best(self) -> Architecture:
        """Return the derived architecture."""


class TrialSearch:
    """Result of a strategy that trains every candidate separately."""

    shares = False
    until: Mapping[str, int | float] = {}

    def __init__(self, strategy: Strategy, config: Mapping[str, Any]) -> None:
        self._strategy = strategy
        self.is_random = type(strategy) is Random

    def candidates(self) -> list[Candidate]:
        scored = [outcome for outcome in self._strategy.latest.values() if outcome.value == outcome.value]
        return [
            Candidate(self.words(outcome.trial), outcome.value, outcome.trial.architecture)
            for outcome in self._strategy.ranked(scored)
        ]

    def cost(self) -> Cost:
        outcomes = list(self._strategy.latest.values())
        seconds = sum(outcome.seconds for outcome in outcomes)
        return Cost(len(outcomes), sum(outcome.steps for outcome in outcomes), seconds)

    def words(self, trial: Trial) -> tuple[str, ...]:
        return (*trial.words, *([] if trial.architecture is None else [architecture_override(trial.architecture)]))

    def hand_made(self) -> tuple[str, ...]:
        return ()

    def write_scores(self, alone: Mapping[int, Sequence[TrialResult]]) -> None:
        """Write nothing: every score already belongs to a network trained from scratch."""

    def shared(self, architecture: Architecture) -> float | None:
        return None


class OneShotSearch:
    """Result of a weight-sharing network that was trained once for all candidates.

    Args:
        run: run of the search.
        config: its configuration.
        built: its task, model and learner.
        goal: metric that ranks the candidates.
    """

    is_random = False
    shares = True

    def __init__(self, run: Run, config: Mapping[str, Any], built: Built, goal: Goal) -> None:
        assert isinstance(built.model, OneShotModel)
        self._run, self._config, self._built, self._model, self._goal = run, config, built, built.model, goal
        self.until: Mapping[str, int | float] = config["retrain"]["until"]
        self._scored: list[tuple[Architecture, float]] = []

    def candidates(self) -> list[Candidate]:
        self._scored = self._sample()
        self.write_scores({})
        return [
            Candidate(self._standalone(architecture), value, architecture)
            for architecture, value in self._scored
            if value == value
        ]

    def _sample(self) -> list[tuple[Architecture, float]]:
        """Architectures sampled from the controller, with scores; without controller the derived architecture."""
        model, task = self._built.model, self._built.task
        if isinstance(model, SharesWeights):
            return derive.derive_architectures(
                model, task, self._goal, self._config["candidates"], self._config["seed"]
            )
        assert isinstance(model, Derivable)
        return [(tuple(model.best()), score(model, task, "valid")[self._goal.metric])]

    def shared(self, architecture: Architecture) -> float | None:
        if not isinstance(self._built.model, SharesWeights):
            return None
        return score(self._built.model.child(architecture), self._built.task, "valid")[self._goal.metric]

    def write_scores(self, alone: Mapping[int, Sequence[TrialResult]]) -> None:
        columns = ("candidate", "architecture", "shared", "alone", "trainings", "steps", "seconds", "status")
        rows = [(index, *_row(*scored, alone.get(index, ()))) for index, scored in enumerate(self._scored)]
        ending, content = encode(TableArtifact(columns, rows))
        self._run.keep(f"architectures{ending}", content)

    def cost(self) -> Cost:
        """Return the training batches: a step of two players updates the shared weights several times."""
        counters = self._run.info.get("counters") or {}
        return Cost(0, int(counters.get("batches", self._run.info["steps"])), float(self._run.info["seconds"]))

    def words(self, trial: Trial) -> tuple[str, ...]:
        assert trial.architecture is not None
        return self._standalone(trial.architecture)

    def hand_made(self) -> tuple[str, ...]:
        first = self._standalone((0,) * len(self._model.space.decisions))
        return tuple(word for word in first if not word.startswith("model.architecture="))

    def _standalone(self, architecture: Architecture) -> tuple[str, ...]:
        return tuple(self._model.standalone_overrides(architecture))


def _row(architecture: Architecture, value: float, alone: Sequence[TrialResult]) -> tuple[Any, ...]:
    """Row of architectures.csv without the index."""
    failed = [outcome.status for outcome in alone if outcome.status != "completed"]
    status = failed[0] if failed else "completed" if value == value else "not a number"
    steps = sum(outcome.steps for outcome in alone) if alone else ""
    seconds = round(sum(outcome.seconds for outcome in alone), 3) if alone else ""
    return " ".join(map(str, architecture)), value, mean_value(alone), len(alone), steps, seconds, status


def mean_value(alone: Sequence[TrialResult]) -> float | str:
    """Return the mean score of the trainings; empty without any."""
    return fmean(outcome.value for outcome in alone) if alone else ""
