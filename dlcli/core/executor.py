"""Executor protocol: runs jobs in this process, in local processes or on a cluster."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Job:
    """A run as plain data: it can be pickled, sent, and submitted again with a later limit.

    Args:
        verb: "train", "search" ...
        overrides: arguments after the command, preceded by the recipe if there is one.
        options: keyword options of the command (out, name, tag, threads ...).
        run: path of the run directory to resume; None creates a new one.
    """

    verb: str
    overrides: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None


@dataclass(frozen=True)
class ProgressEvent:
    """Progress of a running job.

    Args:
        run: path of its run directory; empty before it exists.
        step: number of completed steps.
        done: completed fraction, in [0, 1].
        metric: name of the latest metric.
        value: its value; None before the first evaluation.
        note: reason why the job is started again; empty otherwise.
    """

    run: str = ""
    step: int = 0
    done: float = 0.0
    metric: str = ""
    value: float | None = None
    note: str = ""


@dataclass(frozen=True)
class JobResult:
    """Result of a job.

    Args:
        exit_code: exit code of dlcli; 0 is success.
        run: path of the run directory; None if it was not created.
        metrics: {split: {name: value}} of the selected checkpoint.
        error: last line of the error message; empty without an error.
    """

    exit_code: int
    run: str | None = None
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    error: str = ""


NOT_STARTED = JobResult(130, error="not started")
"""Result of a job that was waiting when the executor was stopped."""

ProgressCallback = Callable[[ProgressEvent], None]
"""Callback that receives the progress of a job."""
JobRunner = Callable[[Job, ProgressCallback], JobResult]
"""Runs a job and reports its progress."""
EventCallback = Callable[[int, ProgressEvent | JobResult], None]
"""Callback that receives progress and results by job id as they occur, in any order."""


def ignore_events(number: int, what: ProgressEvent | JobResult) -> None:
    """Ignore progress and results."""


@runtime_checkable
class Executor(Protocol):
    """Runs jobs; results are returned in the order of submission, so that they do not depend on the parallelism."""

    def submit(self, job: Job) -> int:
        """Submit a job and return its id."""

    def wait(self) -> tuple[int, JobResult]:
        """Return id and result of the next job in the order of submission.

        Raises:
            IndexError: all submitted jobs have been returned.
        """

    def workers(self) -> Sequence[str]:
        """Return the names of the workers."""

    def stop(self) -> None:
        """Start no further job, and request running jobs to save a checkpoint and stop.

        `wait` still returns their results.
        """
