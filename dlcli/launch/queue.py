"""Job queue of the parallel executors; a job whose worker died is queued again and resumes its run directory."""

from collections import deque
from dataclasses import dataclass, replace

from dlcli.core.executor import NOT_STARTED, EventCallback, Job, JobResult, ProgressEvent

TRIES = 3
"""How often a job is retried after its worker died."""
_CONTINUATIONS = 1000
"""How often a preempted job is resumed; it makes progress each time."""


@dataclass
class _Entry:
    job: Job
    deaths: int = 0
    cause: str = ""
    preemptions: int = 0


class JobQueue:
    """Queue of jobs with their states and reports, for an executor with several workers.

    Args:
        listen: called with (job number, event) for every event.
    """

    def __init__(self, listen: EventCallback) -> None:
        self._listen = listen
        self._entries: dict[int, _Entry] = {}
        self._waiting: deque[int] = deque()
        self._reports: dict[int, JobResult] = {}
        self._submitted = self._reported = 0

    def add(self, job: Job) -> int:
        """Add a job and return its number."""
        self._submitted += 1
        self._entries[self._submitted] = _Entry(job)
        self._waiting.append(self._submitted)
        return self._submitted

    @property
    def waiting(self) -> int:
        """Number of jobs that have not started."""
        return len(self._waiting)

    def begin(self) -> tuple[int, Job]:
        """Return the next waiting job and mark it as started."""
        number = self._waiting.popleft()
        entry = self._entries[number]
        job, cause = entry.job, entry.cause
        entry.cause = ""
        consequence = "resumed from its last checkpoint" if job.run else "started again"
        self._listen(number, ProgressEvent(job.run or "", note=f"{cause}; {consequence}" if cause else ""))
        return number, job

    def heard(self, number: int, event: ProgressEvent) -> None:
        """Record an event of a running job."""
        entry = self._entries[number]
        if event.run:
            entry.job = replace(entry.job, run=event.run)
        self._listen(number, event)

    def ended(self, number: int, report: JobResult) -> None:
        """Record the report of a job."""
        self._reports[number] = report
        self._listen(number, report)

    def died(self, number: int, cause: str) -> None:
        """Queue a job whose worker died at the front, or report it as failed after `TRIES` retries."""
        entry = self._entries[number]
        entry.deaths += 1
        if entry.deaths > TRIES:
            self.ended(number, JobResult(1, entry.job.run, error=f"{cause}, {entry.deaths} times"))
        else:
            entry.cause = cause
            self._waiting.appendleft(number)

    def preempted(self, number: int, report: JobResult) -> None:
        """Queue a job that was preempted after saving a checkpoint at the back."""
        entry = self._entries[number]
        entry.preemptions += 1
        if entry.preemptions > _CONTINUATIONS:
            self.ended(number, report)
        else:
            self._waiting.append(number)

    def abandon(self) -> None:
        """Report all waiting jobs as not started."""
        while self._waiting:
            self.ended(self._waiting.popleft(), NOT_STARTED)

    def next_report(self) -> tuple[int, JobResult] | None:
        """Return the next report in submission order; None if that job is still running.

        Raises:
            IndexError: all reports have been returned.
        """
        if self._reported == self._submitted:
            raise IndexError("no job left")
        if self._reported + 1 not in self._reports:
            return None
        self._reported += 1
        del self._entries[self._reported]
        return self._reported, self._reports.pop(self._reported)
