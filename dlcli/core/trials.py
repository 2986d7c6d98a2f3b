"""Trials of a search: the runs that a strategy proposes, their results, and the protocol that runs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dlcli.core.metric import Goal
from dlcli.core.space import Architecture, Space


@dataclass(frozen=True)
class Trial:
    """Proposed run: the recipe of the search with overrides.

    Args:
        number: index of the trial, from 0; the same number with a later limit resumes the run.
        words: overrides other than the architecture, such as `lr=0.01`.
        architecture: a member of the space; None if the search is not over architectures.
        until: limits by counter; empty for those of the search's configuration.
    """

    number: int
    words: tuple[str, ...] = ()
    architecture: Architecture | None = None
    until: Mapping[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialResult:
    """Result of a trial.

    Args:
        trial: the proposed run.
        value: main metric on the validation split at the selected checkpoint; NaN without one.
        status: "completed", or the reason of failure: "diverged", "failed", "out of memory" ... A failed trial does not
            end the search.
        steps: total number of learner steps, including earlier limits.
        seconds: duration of these steps.
        run: path of its run directory; empty if it was not created.
        error: error message in one line; empty without an error.
    """

    trial: Trial
    value: float
    status: str
    steps: int = 0
    seconds: float = 0.0
    run: str = ""
    error: str = ""


class TrialsInterrupted(KeyboardInterrupt):
    """Trials were stopped after saving checkpoints; running them again resumes them.

    Args:
        exit_code: 128 and the signal's number, or 75.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__("interrupted")
        self.exit_code = exit_code


@runtime_checkable
class TrialRunner(Protocol):
    """Runner of trials: results are a function of the trials, independent of the parallelism."""

    @property
    def goal(self) -> Goal:
        """The metric of `Outcome.value` and its direction."""

    @property
    def space(self) -> Space | None:
        """The search space of architectures; None if the search is not over architectures."""

    def carry_out(self, asked: Sequence[Trial]) -> list[TrialResult]:
        """Run trials until their limits and return their results in the same order.

        Raises:
            Interrupted: the trials were stopped by a signal or a time limit.
        """
