"""Where jobs run: in this process, local processes, a cluster. Learners see only this."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Job:
    """A run as plain data: it can be pickled, sent and submitted again with a later stop.

    Args:
        verb: "train", "search" ...
        overrides: the words after the verb, recipe first where there is one.
        options: keyword options of the verb (out, name, tag, threads ...).
        run: path of the run directory to go on with; None makes a new one.
    """

    verb: str
    overrides: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None


@dataclass(frozen=True)
class News:
    """What a job tells while it runs.

    Args:
        run: path of its run directory; empty while there is none yet.
        step: how far it is.
        done: the part of the way, in [0, 1].
        metric: name of the latest value.
        value: the latest value; None before there is one.
        note: what a reader should know of a job that begins once more.
    """

    run: str = ""
    step: int = 0
    done: float = 0.0
    metric: str = ""
    value: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Report:
    """How a job ended.

    Args:
        exit_code: dlcli's exit codes; 0 is good.
        run: path of the run directory, None when there is none.
        metrics: {split: {name: value}} of the selected checkpoint.
        error: the last line of what went wrong, empty when nothing did.
    """

    exit_code: int
    run: str | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    error: str = ""


NOT_BEGUN = Report(130, error="not begun")
"""Of a job that was still waiting when everything was stopped."""

Tell = Callable[[News], None]
Perform = Callable[[Job, Tell], Report]
"""Does a job, telling how it goes."""
Listener = Callable[[int, News | Report], None]
"""Told of news and reports by job id at the moment they happen, in whatever order."""


def deaf(number: int, what: News | Report) -> None:
    """A listener that does not listen."""


@runtime_checkable
class Executor(Protocol):
    """Reports come in the order the jobs were submitted in, so that how many run at once changes nothing."""

    def submit(self, job: Job) -> int:
        """Hand over a job; its id."""

    def wait(self) -> tuple[int, Report]:
        """The next report in submission order; IndexError when there is none to come."""

    def workers(self) -> Sequence[str]:
        """Where jobs run, one name a worker."""

    def stop(self) -> None:
        """Begin nothing more, and ask what runs to save itself and end; their reports still come."""
