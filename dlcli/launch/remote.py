"""Jobs on other machines: what Ray and Slurm have in common."""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcli.core.executor import Job, Listener, Report
from dlcli.launch.messages import Mailbox
from dlcli.launch.queue import Ledger

_PREEMPTED = 75


class Lost(Exception):
    """The worker of a job is gone; the job has no report."""


class Remote(ABC):
    """Jobs that are handed to a cluster and looked at now and then; news come by mail.

    Args:
        jobs: how many are with the cluster at a time.
        listen: told how it goes.
        folder: for the mail; workers see it too.
    """

    def __init__(self, jobs: int, listen: Listener, folder: Path) -> None:
        self._jobs = jobs
        self._ledger = Ledger(listen)
        self._mail = Mailbox(folder.absolute() / "news")
        self._running: dict[int, Any] = {}
        self._stopping = self._asked = False

    @abstractmethod
    def _hand_over(self, job: Job, box: Path) -> Any:
        """Give a job to the cluster; what it is called there."""

    @abstractmethod
    def _pause(self, handles: Sequence[Any]) -> None:
        """Wait for a moment, or until one of them ended."""

    @abstractmethod
    def _result(self, handle: Any) -> Report | None:
        """The report of a job; None while it has none.

        Raises:
            Lost: its worker died.
        """

    @abstractmethod
    def _cancel(self, handle: Any) -> None:
        """Ask a job to save itself and end."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the cluster."""

    def submit(self, job: Job) -> int:
        return self._ledger.add(job)

    def workers(self) -> Sequence[str]:
        return tuple(f"worker {number}" for number in range(self._jobs))

    def stop(self) -> None:
        self._stopping = True

    def wait(self) -> tuple[int, Report]:
        while (found := self._ledger.next_report()) is None:
            self._ask_to_stop() if self._stopping else self._assign()
            if self._running:
                self._pause(list(self._running.values()))
            for number in list(self._running):
                self._look_after(number)
        return found

    def _assign(self) -> None:
        while self._ledger.waiting and len(self._running) < self._jobs:
            number, job = self._ledger.begin()
            self._mail.empty(number)
            self._running[number] = self._hand_over(job, self._mail.path(number))

    def _look_after(self, number: int) -> None:
        """Read a job's mail, and its report when it ended."""
        handle = self._running[number]
        try:
            report = self._result(handle)
            lost = ""
        except Lost as error:
            report, lost = None, str(error)
        for news in self._mail.news(number):
            self._ledger.heard(number, news)
        if report is None and not lost:
            return
        del self._running[number]
        if report is None:
            self._ledger.died(number, lost)
        elif report.exit_code == _PREEMPTED and not self._stopping:
            self._ledger.preempted(number, report)
        else:
            self._ledger.ended(number, report)

    def _ask_to_stop(self) -> None:
        self._ledger.abandon()
        if self._asked:
            return
        self._asked = True
        for handle in self._running.values():
            with contextlib.suppress(Exception):
                self._cancel(handle)


def pause(seconds: float) -> None:
    time.sleep(seconds)
