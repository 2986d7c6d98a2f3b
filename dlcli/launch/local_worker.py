"""A process that does jobs for another one, and ends with it."""

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from dlcli.core.executor import Job, Perform

_GRACE = 60.0
"""Seconds in which a job may save itself when nobody is left to report to."""


def work(perform: Perform, pipe: Connection, environment: Mapping[str, str], said: Path | None) -> None:
    """Do the jobs that come through the pipe, until it closes. Its closing in the middle of a job stops the job."""
    os.environ.update(environment)
    if said is not None:
        _write_to(said)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches everybody; our coordinator says what to do
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # so does the end of a terminal, and then the pipe closes
    signal.signal(signal.SIGTERM, _leave)
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(pipe, jobs), daemon=True).start()
    while (job := jobs.get()) is not None:
        _send(pipe, perform(job, lambda news: _send(pipe, news)))


def _write_to(said: Path) -> None:
    """Whatever is printed goes to a file, not into the coordinator's table."""
    handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _read(pipe: Connection, jobs: "queue.SimpleQueue[Job | None]") -> None:
    """Hand on what comes; when the other side is gone, stop as SIGTERM does."""
    try:
        while True:
            jobs.put(pipe.recv())
    except (EOFError, OSError):
        jobs.put(None)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
        os._exit(143)


def _send(pipe: Connection, what: Any) -> None:
    try:
        pipe.send(what)
    except OSError:
        return  # nobody is there any more; the reader stops the job
