"""Jobs one after another in this process."""

from collections import deque
from collections.abc import Sequence
from functools import partial

from dlcli.core.executor import NOT_BEGUN, Job, Listener, News, Perform, Report, deaf

_ENDED_BY_SIGNAL = (130, 143, 75)


class InProcess:
    """One job after another in this process, each when its report is asked for.

    Args:
        perform: does a job.
        listen: told how it goes.
    """

    def __init__(self, perform: Perform, listen: Listener = deaf) -> None:
        self._perform, self._listen = perform, listen
        self._waiting: deque[tuple[int, Job]] = deque()
        self._submitted = 0
        self._stopped = self._busy = False

    def submit(self, job: Job) -> int:
        self._submitted += 1
        self._waiting.append((self._submitted, job))
        return self._submitted

    def wait(self) -> tuple[int, Report]:
        number, job = self._waiting.popleft()
        report = NOT_BEGUN if self._stopped else self._do(number, job)
        self._listen(number, report)
        return number, report

    def _do(self, number: int, job: Job) -> Report:
        self._listen(number, News(job.run or ""))
        self._busy = True
        try:
            report = self._perform(job, partial(self._listen, number))
        except KeyboardInterrupt:
            report = Report(130, job.run, error="interrupted")
        finally:
            self._busy = False
        if report.exit_code in _ENDED_BY_SIGNAL:  # it was meant for this process, and so for all of its jobs
            self._stopped = True
        return report

    def workers(self) -> Sequence[str]:
        return ("this process",)

    def stop(self) -> None:
        """Begin nothing more; a job that is underway, and does not listen to signals itself, is interrupted."""
        self._stopped = True
        if self._busy:
            raise KeyboardInterrupt
