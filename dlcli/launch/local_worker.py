"""Worker process of the local executor; it ends with its coordinator."""

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

from dlcli.core.executor import Job, JobRunner

_GRACE = 60.0
"""Seconds in which a job may save a checkpoint after its coordinator died."""


def run_worker(perform: JobRunner, pipe: Connection, environment: Mapping[str, str], output: Path | None) -> None:
    """Execute the jobs that arrive through the pipe until it closes, which also stops a running job.

    Args:
        perform: executes a job.
        pipe: receives jobs; sends events and reports.
        environment: additional environment variables.
        output: file for standard output and error.
    """
    os.environ.update(environment)
    if output is not None:
        _redirect_output(output)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the coordinator decides
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal closes the pipe as well
    signal.signal(signal.SIGTERM, _exit)
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(pipe, jobs), daemon=True).start()
    while (job := jobs.get()) is not None:
        _send(pipe, perform(job, lambda event: _send(pipe, event)))


def _redirect_output(path: Path) -> None:
    """Redirect standard output and error to a file: the terminal belongs to the coordinator's table."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _read(pipe: Connection, jobs: "queue.SimpleQueue[Job | None]") -> None:
    """Queue the jobs that arrive; when the coordinator is gone, stop as on SIGTERM."""
    try:
        while True:
            jobs.put(pipe.recv())
    except (EOFError, OSError):
        jobs.put(None)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE)
        os._exit(143)


def _send(pipe: Connection, event: Any) -> None:
    try:
        pipe.send(event)
    except OSError:
        return  # the coordinator is gone; _read stops the job
