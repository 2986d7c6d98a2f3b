"""Executor that runs jobs sequentially in this process."""

from collections import deque
from collections.abc import Sequence
from functools import partial

from dlcli.core.executor import NOT_STARTED, EventCallback, Job, JobResult, JobRunner, ProgressEvent, ignore_events

_SIGNAL_EXIT_CODES = (130, 143, 75)


class InProcessExecutor:
    """Executor that runs jobs sequentially in this process, each when its report is requested.

    Args:
        perform: executes a job.
        listen: called with (job number, event) for every event.
    """

    def __init__(self, perform: JobRunner, listen: EventCallback = ignore_events) -> None:
        self._perform, self._listen = perform, listen
        self._waiting: deque[tuple[int, Job]] = deque()
        self._submitted = 0
        self._stopped = self._busy = False

    def submit(self, job: Job) -> int:
        self._submitted += 1
        self._waiting.append((self._submitted, job))
        return self._submitted

    def wait(self) -> tuple[int, JobResult]:
        number, job = self._waiting.popleft()
        report = NOT_STARTED if self._stopped else self._execute(number, job)
        self._listen(number, report)
        return number, report

    def _execute(self, number: int, job: Job) -> JobResult:
        self._listen(number, ProgressEvent(job.run or ""))
        self._busy = True
        try:
            report = self._perform(job, partial(self._listen, number))
        except KeyboardInterrupt:
            report = JobResult(130, job.run, error="interrupted")
        finally:
            self._busy = False
        if report.exit_code in _SIGNAL_EXIT_CODES:  # the signal stops this process and so all of its jobs
            self._stopped = True
        return report

    def workers(self) -> Sequence[str]:
        return ("this process",)

    def stop(self) -> None:
        """Start no more jobs; a running job without its own signal handlers is interrupted."""
        self._stopped = True
        if self._busy:
            raise KeyboardInterrupt
