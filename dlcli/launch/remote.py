"""Base class of the cluster executors, Ray and Slurm."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcli.core.executor import EventCallback, Job, JobResult
from dlcli.launch.messages import EventReader
from dlcli.launch.queue import JobQueue

_PREEMPTED = 75


class WorkerDied(Exception):
    """Raised if the worker of a job died without a report."""


class ClusterExecutor(ABC):
    """Executor that submits jobs to a cluster and polls them; events arrive through files.

    Args:
        jobs: maximum number of jobs submitted to the cluster at a time.
        listen: called with (job number, event) for every event.
        folder: for the event files, on a file system that all workers share.
    """

    def __init__(self, jobs: int, listen: EventCallback, folder: Path) -> None:
        self._jobs = jobs
        self._ledger = JobQueue(listen)
        self._events = EventReader(folder.absolute() / "news")
        self._running: dict[int, Any] = {}
        self._stopping = self._stop_sent = False

    @abstractmethod
    def _submit(self, job: Job, box: Path) -> Any:
        """Submit a job to the cluster and return its handle."""

    @abstractmethod
    def _pause(self, handles: Sequence[Any]) -> None:
        """Wait briefly, or until one of the jobs has ended."""

    @abstractmethod
    def _result(self, handle: Any) -> JobResult | None:
        """Return the report of a job; None while it is running.

        Raises:
            Lost: the worker died.
        """

    @abstractmethod
    def _cancel(self, handle: Any) -> None:
        """Request a job to save a checkpoint and end."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect from the cluster."""

    def submit(self, job: Job) -> int:
        return self._ledger.add(job)

    def workers(self) -> Sequence[str]:
        return tuple(f"worker {number}" for number in range(self._jobs))

    def stop(self) -> None:
        self._stopping = True

    def wait(self) -> tuple[int, JobResult]:
        while (result := self._ledger.next_report()) is None:
            self._send_stop() if self._stopping else self._assign()
            if self._running:
                self._pause(list(self._running.values()))
            for number in list(self._running):
                self._poll(number)
        return result

    def _assign(self) -> None:
        while self._ledger.waiting and len(self._running) < self._jobs:
            number, job = self._ledger.begin()
            self._events.empty(number)
            self._running[number] = self._submit(job, self._events.path(number))

    def _poll(self, number: int) -> None:
        """Record the new events of a job, and its report if it has ended."""
        handle = self._running[number]
        try:
            report = self._result(handle)
            cause = ""
        except WorkerDied as error:
            report, cause = None, str(error)
        for event in self._events.news(number):
            self._ledger.heard(number, event)
        if report is None and not cause:
            return
        del self._running[number]
        if report is None:
            self._ledger.died(number, cause)
        elif report.exit_code == _PREEMPTED and not self._stopping:
            self._ledger.preempted(number, report)
        else:
            self._ledger.ended(number, report)

    def _send_stop(self) -> None:
        self._ledger.abandon()
        if self._stop_sent:
            return
        self._stop_sent = True
        for handle in self._running.values():
            with contextlib.suppress(Exception):
                self._cancel(handle)
