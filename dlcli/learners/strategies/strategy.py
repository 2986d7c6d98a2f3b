"""A strategy: which runs to try next, told what became of those before."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, final

import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Growing, Leaf, Row
from dlcli.core.space import Space, size
from dlcli.core.trials import Outcome, Trial, Trials

_COLUMNS = ("trial", "architecture", "words", "value", "status", "steps", "seconds", "run", "error")


class Strategy(ABC):
    """Each step asks for a batch of trials, has them carried out, and remembers how they ended.

    What is asked is a function of the seed and of the history alone, so the history is all of the state, and neither
    how many trials run at once nor a stop in between changes anything. Trials that fail have the value NaN, and
    never win.

    Args:
        trials: carries them out.
        candidates: different trials of the whole search.
        batch: trials asked for at once.
        seed: of all draws.

    Raises:
        UsageError: a number is below 1, or the space has a single member.
    """

    counters = ("trials", "trial_steps")

    def __init__(self, trials: Trials, *, candidates: int, batch: int, seed: int) -> None:
        at_least_one(batch=batch)
        if candidates < 1:
            raise UsageError(f"candidates={candidates} pays for no candidate: it is at least 1")
        if trials.space is not None and size(trials.space) < 2:
            raise UsageError("the space has a single member: there is nothing to search")
        self.trials, self.candidates, self.batch, self.seed = trials, candidates, batch, seed
        self.history: list[Outcome] = []
        self._left = 0

    @abstractmethod
    def ask(self) -> Sequence[Trial]:
        """At most `batch` trials, a function of the seed and the history; none when the search is over."""

    def unfinished(self) -> int:
        """Trials of the history that will be asked for again, with a later stop."""
        return 0

    @final
    @property
    def model(self) -> nn.Module | None:
        return None

    @final
    @property
    def best(self) -> Outcome | None:
        """The best outcome so far."""
        found = None
        for outcome in self.history:
            if self.trials.goal.better(outcome.value, found.value if found else None):
                found = outcome
        return found

    @final
    @property
    def fresh(self) -> range:
        """Numbers of the next batch of trials that were never asked for."""
        begun = 1 + max((one.trial.number for one in self.history), default=-1)
        return range(begun, min(self.candidates, begun + self.batch))

    @final
    @property
    def latest(self) -> dict[int, Outcome]:
        """By trial, how it ended at its latest stop."""
        return {one.trial.number: one for one in self.history}

    @final
    def ranked(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The best first, equal ones in their order, failures last."""
        return sorted(outcomes, key=lambda one: self.trials.goal.rank(one.value))

    @final
    def step(self) -> Row:
        before = {number: one.steps for number, one in self.latest.items()}
        done = len(before) - self.unfinished()
        asked = self.ask()
        if not asked:
            raise RuntimeError(f"{type(self).__name__} has nothing left to ask for")
        outcomes = self.trials.carry_out(asked)
        self.history += outcomes
        spent = sum(max(0, one.steps - before.get(one.trial.number, 0)) for one in outcomes)
        finished = len(self.latest) - self.unfinished() - done
        return Row(self._values(outcomes), {"trials": finished, "trial_steps": spent})

    def _values(self, outcomes: Sequence[Outcome]) -> dict[str, torch.Tensor]:
        values = torch.tensor([one.value for one in outcomes], dtype=torch.float64)
        best = torch.tensor(self.best.value if self.best else torch.nan, dtype=torch.float64)
        return {"best": best, "mean": values.nanmean(), "failed": values.isnan().sum().double()}

    @final
    def leave(self) -> Mapping[str, Leaf]:
        """architectures.csv: a row a stop of a trial."""
        rows = [_row(one) for one in self.history[self._left :]]
        self._left = len(self.history)
        return {"architectures": Growing(_COLUMNS, rows)} if rows else {}

    @final
    def state_dict(self) -> dict[str, Any]:
        return {
            "kind": type(self).__name__,
            "space": described(self.trials.space),
            "history": [_plain(one) for one in self.history],
            "left": self._left,
        }

    @final
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        kind = type(self).__name__
        if state["kind"] != kind:
            raise Mismatch(f"the checkpoint is of {state['kind']}, not of {kind}")
        if state["space"] != described(self.trials.space):
            raise Mismatch("the checkpoint is of a search over another space: begin a new search")
        self.history = [_outcome(one) for one in state["history"]]
        self._left = state["left"]


def described(space: Space | None) -> list[list[str]]:
    """A space as plain values: each decision, then its choices."""
    return [] if space is None else [[one.name, *one.choices] for one in space.decisions]


def at_least_one(**numbers: int) -> None:
    """Raises UsageError where a keyword of the strategy is below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise UsageError(f"strategy.{name} is at least 1, not {number}")


def _row(one: Outcome) -> list[Any]:
    trial = one.trial
    architecture = "" if trial.architecture is None else " ".join(map(str, trial.architecture))
    words = " ".join(trial.words)
    return [trial.number, architecture, words, one.value, one.status, one.steps, one.seconds, one.run, one.error]


def _plain(one: Outcome) -> dict[str, Any]:
    plain = asdict(one)
    trial = plain["trial"]
    trial["words"] = list(trial["words"])
    trial["architecture"] = None if trial["architecture"] is None else list(trial["architecture"])
    return plain


def _outcome(plain: Mapping[str, Any]) -> Outcome:
    trial = dict(plain["trial"])
    trial["words"] = tuple(trial["words"])
    trial["architecture"] = None if trial["architecture"] is None else tuple(trial["architecture"])
    return Outcome(**{**plain, "trial": Trial(**trial)})
