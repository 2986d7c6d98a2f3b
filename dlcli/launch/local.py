"""Executor that runs jobs in parallel in processes of this machine."""

import atexit
import contextlib
import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dlcli.core.executor import EventCallback, Job, JobResult, JobRunner, ProgressEvent, ignore_events
from dlcli.launch.local_worker import run_worker
from dlcli.launch.queue import JobQueue

_POLL = 0.2  # seconds between checks of the stop flag


@dataclass
class _Worker:
    """A worker process, this end of its pipe, and the number of its job."""

    process: BaseProcess
    pipe: Connection
    slot: int
    number: int | None = None


class LocalExecutor:
    """Executor with up to `count` worker processes, forked from a preloaded server; a process that dies is replaced.

    Args:
        perform: executes a job; a module-level function, whose module is imported once for all processes.
        count: maximum number of processes.
        listen: called with (job number, event) for every event.
        devices: GPUs as CUDA_VISIBLE_DEVICES names them, assigned round-robin.
        output: file for the standard output and error of the processes.
    """

    def __init__(
        self,
        perform: JobRunner,
        count: int,
        listen: EventCallback = ignore_events,
        devices: Sequence[str] = (),
        output: Path | None = None,
    ) -> None:
        self._perform, self._devices, self._output = perform, devices, output
        self._ledger = JobQueue(listen)
        self._free = list(range(count))[::-1]
        self._count = count
        self._workers: list[_Worker] = []
        self._stopping = self._stop_sent = False
        atexit.register(self._close_pipes)  # before multiprocessing waits for its children
        self._context = start_process_server(getattr(perform, "__module__", __name__))

    def submit(self, job: Job) -> int:
        return self._ledger.add(job)

    def workers(self) -> Sequence[str]:
        return tuple(f"process {slot}" for slot in range(self._count))

    def stop(self) -> None:
        self._stopping = True

    def wait(self) -> tuple[int, JobResult]:
        while (result := self._ledger.next_report()) is None:
            self._send_stop() if self._stopping else self._assign()
            self._receive()
        return result

    def _assign(self) -> None:
        """Assign waiting jobs to idle processes; start processes while there are fewer than `count`."""
        idle = [worker for worker in self._workers if worker.number is None]
        while self._ledger.waiting and (idle or self._free):
            worker = idle.pop() if idle else self._start()
            worker.number, job = self._ledger.begin()
            with contextlib.suppress(OSError):  # the process has just died; _receive notices
                worker.pipe.send(job)

    def _start(self) -> _Worker:
        slot = self._free.pop()
        own_end, worker_end = self._context.Pipe()
        process: Any = self._context.Process(
            target=run_worker, args=(self._perform, worker_end, self._environment(slot), self._output), daemon=False
        )
        process.start()
        worker_end.close()
        self._workers.append(_Worker(process, own_end, slot))
        return self._workers[-1]

    def _environment(self, slot: int) -> Mapping[str, str]:
        return {"CUDA_VISIBLE_DEVICES": self._devices[slot % len(self._devices)]} if self._devices else {}

    def _receive(self) -> None:
        """Wait up to `_POLL` seconds for events of the workers and record them."""
        if not self._workers:
            return
        ready = wait([worker.pipe for worker in self._workers], _POLL)
        for worker in [worker for worker in self._workers if worker.pipe in ready]:
            try:
                self._record(worker, worker.pipe.recv())
            except (EOFError, OSError):
                self._remove(worker)

    def _record(self, worker: _Worker, event: ProgressEvent | JobResult) -> None:
        assert worker.number is not None
        if isinstance(event, ProgressEvent):
            self._ledger.heard(worker.number, event)
            return
        number, worker.number = worker.number, None
        self._ledger.ended(number, event)

    def _remove(self, worker: _Worker) -> None:
        """Remove a dead process and return its job to the queue."""
        self._workers.remove(worker)
        self._free.append(worker.slot)
        worker.pipe.close()
        worker.process.join()
        if worker.number is not None:
            self._ledger.died(worker.number, _cause(worker.process.exitcode))

    def _send_stop(self) -> None:
        self._ledger.abandon()
        if self._stop_sent:
            return
        self._stop_sent = True
        for worker in self._workers:
            if worker.number is not None and worker.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid, signal.SIGTERM)

    def close(self) -> None:
        """End the processes by closing their pipes."""
        self._close_pipes()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()
        atexit.unregister(self._close_pipes)

    def _close_pipes(self) -> None:
        for worker in self._workers:
            worker.pipe.close()


def start_process_server(module: str) -> ForkServerContext:
    """Start the server from which worker processes are forked, and let it import a module; started once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module, "torch._dynamo"])  # PyTorch's optimizers import it at their first step
    forkserver.ensure_running()
    return context


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"the worker was killed ({name}{', out of memory?' if name == 'SIGKILL' else ''})"
    return f"the worker exited with code {exit_code}"
