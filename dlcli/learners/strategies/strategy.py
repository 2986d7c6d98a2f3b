"""Search strategies with an ask-and-tell interface."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, final

import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import AppendTable, Artifact, Row
from dlcli.core.space import Space, size
from dlcli.core.trials import Trial, TrialResult, TrialRunner

_COLUMNS = ("trial", "architecture", "words", "value", "status", "steps", "seconds", "run", "error")


class Strategy(ABC):
    """Search strategy whose steps propose a batch of trials, run them, and record their outcomes.

    Proposals are a function of the seed and the history, so that the history is the complete state, and neither
    parallelism nor interruptions change the results. Failed trials have the value NaN and are never the best.

    Args:
        trials: executor of trials.
        candidates: number of distinct trials of the search.
        batch: trials per step.
        seed: seed of all random numbers.

    Raises:
        UsageError: a number is below 1, or the space has only one member.
    """

    counters = ("trials", "trial_steps")

    def __init__(self, trials: TrialRunner, *, candidates: int, batch: int, seed: int) -> None:
        check_at_least_one(batch=batch)
        if candidates < 1:
            raise UsageError("invalid_value", key="candidates", must="at least 1", got=candidates)
        if trials.space is not None and size(trials.space) < 2:
            raise UsageError("invalid_value", key="architecture space", must="at least two members", got=1)
        self.trials, self.candidates, self.batch, self.seed = trials, candidates, batch, seed
        self.history: list[TrialResult] = []
        self._written = 0

    @abstractmethod
    def ask(self) -> Sequence[Trial]:
        """Propose at most `batch` trials as a function of the seed and the history; none when the search is over."""

    def unfinished(self) -> int:
        """Number of trials in the history that will be continued to a higher limit."""
        return 0

    @final
    @property
    def model(self) -> nn.Module | None:
        return None

    @final
    @property
    def best(self) -> TrialResult | None:
        """The best outcome so far."""
        best = None
        for outcome in self.history:
            if self.trials.goal.better(outcome.value, best.value if best else None):
                best = outcome
        return best

    @final
    @property
    def fresh(self) -> range:
        """Numbers of the next batch of new trials."""
        first = 1 + max((outcome.trial.number for outcome in self.history), default=-1)
        return range(first, min(self.candidates, first + self.batch))

    @final
    @property
    def latest(self) -> dict[int, TrialResult]:
        """Outcome of each trial at its latest limit, by number."""
        return {outcome.trial.number: outcome for outcome in self.history}

    @final
    def ranked(self, outcomes: Sequence[TrialResult]) -> list[TrialResult]:
        """Sort from best to worst; ties keep their order, failures are last."""
        return sorted(outcomes, key=lambda outcome: self.trials.goal.rank(outcome.value))

    @final
    def step(self) -> Row:
        steps = {number: outcome.steps for number, outcome in self.latest.items()}
        done = len(steps) - self.unfinished()
        proposals = self.ask()
        if not proposals:
            raise RuntimeError(f"{type(self).__name__}: search space exhausted")
        outcomes = self.trials.carry_out(proposals)
        self.history += outcomes
        spent = sum(max(0, outcome.steps - steps.get(outcome.trial.number, 0)) for outcome in outcomes)
        finished = len(self.latest) - self.unfinished() - done
        counts = {"trials": finished, "trial_steps": spent}
        return Row(self._values(outcomes), counts, optimized=())  # NaN: no trial of the round has a value

    def _values(self, outcomes: Sequence[TrialResult]) -> dict[str, torch.Tensor]:
        values = torch.tensor([outcome.value for outcome in outcomes], dtype=torch.float64)
        best = torch.tensor(self.best.value if self.best else torch.nan, dtype=torch.float64)
        return {"best": best, "mean": values.nanmean(), "failed": values.isnan().sum().double()}

    @final
    def leave(self) -> Mapping[str, Artifact]:
        """Rows of architectures.csv: one per trial and limit."""
        rows = [_row(outcome) for outcome in self.history[self._written :]]
        self._written = len(self.history)
        return {"architectures": AppendTable(_COLUMNS, rows)} if rows else {}

    @final
    def state_dict(self) -> dict[str, Any]:
        return {
            "kind": type(self).__name__,
            "space": plain_space(self.trials.space),
            "history": [_plain(outcome) for outcome in self.history],
            "left": self._written,
        }

    @final
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        kind = type(self).__name__
        if state["kind"] != kind:
            raise Mismatch("mismatch", subject="the checkpoint", requirement=f"strategy {state['kind']}", got=kind)
        if state["space"] != plain_space(self.trials.space):
            hint = "start a new search"
            requirement = "the architecture space of its search"
            raise Mismatch("mismatch", subject="the checkpoint", requirement=requirement, got="another one", hint=hint)
        self.history = [_outcome(plain) for plain in state["history"]]
        self._written = state["left"]


def plain_space(space: Space | None) -> list[list[str]]:
    """A space as plain values: the name of each decision, followed by its choices."""
    return [] if space is None else [[decision.name, *decision.choices] for decision in space.decisions]


def check_at_least_one(**numbers: int) -> None:
    """Check that options of the strategy are at least 1.

    Raises:
        UsageError: a number is below 1.
    """
    for name, number in numbers.items():
        if number < 1:
            raise UsageError("invalid_value", key=f"strategy.{name}", must="at least 1", got=number)


def _row(outcome: TrialResult) -> list[Any]:
    trial = outcome.trial
    architecture = "" if trial.architecture is None else " ".join(map(str, trial.architecture))
    return [
        trial.number, architecture, " ".join(trial.words), outcome.value, outcome.status, outcome.steps,
        outcome.seconds, outcome.run, outcome.error,
    ]  # fmt: skip


def _plain(outcome: TrialResult) -> dict[str, Any]:
    plain = asdict(outcome)
    trial = plain["trial"]
    trial["words"] = list(trial["words"])
    trial["architecture"] = None if trial["architecture"] is None else list(trial["architecture"])
    return plain


def _outcome(plain: Mapping[str, Any]) -> TrialResult:
    trial = dict(plain["trial"])
    trial["words"] = tuple(trial["words"])
    trial["architecture"] = None if trial["architecture"] is None else tuple(trial["architecture"])
    return TrialResult(**{**plain, "trial": Trial(**trial)})
