"""Where jobs run. One interface, `core/executor.py`, whatever the engine."""

from collections import deque
from collections.abc import Callable, Sequence

from dlcli.core.executor import Job, Report


class InProcess:
    """One job after another in this process, each when its report is asked for.

    Args:
        perform: does a job.
    """

    def __init__(self, perform: Callable[[Job], Report]) -> None:
        self._perform = perform
        self._waiting: deque[tuple[int, Job]] = deque()
        self._submitted = 0

    def submit(self, job: Job) -> int:
        self._submitted += 1
        self._waiting.append((self._submitted, job))
        return self._submitted

    def wait(self) -> tuple[int, Report]:
        number, job = self._waiting.popleft()
        return number, self._perform(job)

    def workers(self) -> Sequence[str]:
        return ("this process",)
