"""Where jobs run: in this process, local processes, a cluster. Learners see only this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Job:
    """A run as plain data: it can be pickled, sent and submitted again with a later stop.

    Args:
        verb: "train", "search" ...
        overrides: the words after the verb, recipe first where there is one.
        options: keyword options of the verb (out, name, tag, resume ...).
    """

    verb: str
    overrides: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


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


@runtime_checkable
class Executor(Protocol):
    """Reports come in the order the jobs were submitted in, so that how many run at once changes nothing."""

    def submit(self, job: Job) -> int:
        """Hand over a job; its id."""

    def wait(self) -> tuple[int, Report]:
        """The next report in submission order; IndexError when nothing was submitted."""

    def workers(self) -> Sequence[str]:
        """Where jobs run, one name a worker."""
