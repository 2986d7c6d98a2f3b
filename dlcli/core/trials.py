"""Trials: runs that a strategy asks for and is told of. What it may know of them, and who carries them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dlcli.core.metric import Goal
from dlcli.core.space import Architecture, Space


@dataclass(frozen=True)
class Trial:
    """A run to be: the recipe of the search, changed.

    Args:
        number: counted from 0; asked again with a later stop it is the same run, which goes on.
        words: overrides beside the architecture: `lr=0.01`.
        architecture: a member of the space; None where the search is not over architectures.
        until: limits by counter; empty are those of the search's configuration.
    """

    number: int
    words: tuple[str, ...] = ()
    architecture: Architecture | None = None
    until: Mapping[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a trial ended.

    Args:
        trial: what was asked.
        value: the main metric on valid at the selected checkpoint; NaN when it has none.
        status: completed, or how it failed: diverged, failed, "out of memory" ... A failure ends the trial, no search.
        steps: learner steps that it has taken, all its stops together.
        seconds: of them.
        run: path of its run directory, empty where there is none.
        error: what went wrong, in a line.
    """

    trial: Trial
    value: float
    status: str
    steps: int = 0
    seconds: float = 0.0
    run: str = ""
    error: str = ""


class Interrupted(KeyboardInterrupt):
    """Trials were asked to stop, and saved themselves; carried out again, they go on.

    Args:
        exit_code: 128 and the signal's number, or 75.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__("interrupted")
        self.exit_code = exit_code


@runtime_checkable
class Trials(Protocol):
    """Carries trials out, however many at a time; a function of what is asked, whoever does it."""

    @property
    def goal(self) -> Goal:
        """The metric of `Outcome.value`, and where it should go."""

    @property
    def space(self) -> Space | None:
        """What architectures are drawn from."""

    def carry_out(self, asked: Sequence[Trial]) -> list[Outcome]:
        """All of them to their ends, in their order.

        Raises:
            Interrupted: somebody stopped them.
        """
