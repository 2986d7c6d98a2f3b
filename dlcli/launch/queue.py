"""Which jobs wait, run and ended. A job whose worker died waits again, to go on with its run directory."""

from collections import deque
from dataclasses import dataclass, replace

from dlcli.core.executor import NOT_BEGUN, Job, Listener, News, Report

TRIES = 3
"""How often a job is run again whose worker died."""
_CONTINUATIONS = 1000
"""How often a preempted job goes on: it comes further each time."""


@dataclass
class _Entry:
    job: Job
    deaths: int = 0
    died_of: str = ""
    continued: int = 0


class Ledger:
    """The books of an executor with several workers.

    Args:
        listen: told of everything as it happens.
    """

    def __init__(self, listen: Listener) -> None:
        self._listen = listen
        self._entries: dict[int, _Entry] = {}
        self._waiting: deque[int] = deque()
        self._reports: dict[int, Report] = {}
        self._submitted = self._told = 0

    def add(self, job: Job) -> int:
        self._submitted += 1
        self._entries[self._submitted] = _Entry(job)
        self._waiting.append(self._submitted)
        return self._submitted

    @property
    def waiting(self) -> int:
        """How many have not begun."""
        return len(self._waiting)

    def begin(self) -> tuple[int, Job]:
        """The next job that waits, as begun."""
        number = self._waiting.popleft()
        entry = self._entries[number]
        job, why = entry.job, entry.died_of
        entry.died_of = ""
        goes_on = "it goes on from its checkpoint" if job.run else "it begins anew"
        self._listen(number, News(job.run or "", note=f"{why}; {goes_on}" if why else ""))
        return number, job

    def heard(self, number: int, news: News) -> None:
        entry = self._entries[number]
        if news.run:
            entry.job = replace(entry.job, run=news.run)
        self._listen(number, news)

    def ended(self, number: int, report: Report) -> None:
        self._reports[number] = report
        self._listen(number, report)

    def died(self, number: int, why: str) -> None:
        """Its worker is gone: the job waits again, in front, unless that happened too often."""
        entry = self._entries[number]
        entry.deaths += 1
        if entry.deaths > TRIES:
            self.ended(number, Report(1, entry.job.run, error=f"{why}, {entry.deaths} times"))
        else:
            entry.died_of = why
            self._waiting.appendleft(number)

    def preempted(self, number: int, report: Report) -> None:
        """It was told to make room, and saved itself: it waits again, behind the others."""
        entry = self._entries[number]
        entry.continued += 1
        if entry.continued > _CONTINUATIONS:
            self.ended(number, report)
        else:
            self._waiting.append(number)

    def abandon(self) -> None:
        """What waits is not begun any more."""
        while self._waiting:
            self.ended(self._waiting.popleft(), NOT_BEGUN)

    def next_report(self) -> tuple[int, Report] | None:
        """The next report in submission order, when it is there.

        Raises:
            IndexError: none is to come.
        """
        if self._told == self._submitted:
            raise IndexError("nothing was submitted")
        if self._told + 1 not in self._reports:
            return None
        self._told += 1
        del self._entries[self._told]
        return self._told, self._reports.pop(self._told)
