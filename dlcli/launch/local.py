"""Several jobs at a time in processes of this machine."""

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

from dlcli.core.executor import Job, Listener, News, Perform, Report, deaf
from dlcli.launch.local_worker import work
from dlcli.launch.queue import Ledger

_LOOK = 0.2  # seconds between two looks whether to stop


@dataclass
class _Worker:
    """A process, our end of its pipe, and the job it has."""

    process: BaseProcess
    pipe: Connection
    slot: int
    number: int | None = None


class Local:
    """Up to `count` jobs at a time, each in a process of its own; a process that dies is replaced.

    Args:
        perform: does a job; a function of a module, which is loaded once for all processes.
        count: processes at a time.
        listen: told how it goes.
        devices: GPUs as CUDA_VISIBLE_DEVICES names them; the processes take them in turn.
        said: a file for what the processes print.
    """

    def __init__(
        self,
        perform: Perform,
        count: int,
        listen: Listener = deaf,
        devices: Sequence[str] = (),
        said: Path | None = None,
    ) -> None:
        self._perform, self._devices, self._said = perform, devices, said
        self._ledger = Ledger(listen)
        self._free = list(range(count))[::-1]
        self._count = count
        self._workers: list[_Worker] = []
        self._stopping = self._asked = False
        atexit.register(self._hang_up)  # before multiprocessing waits for its children
        self._context = prepare(getattr(perform, "__module__", __name__))

    def submit(self, job: Job) -> int:
        return self._ledger.add(job)

    def workers(self) -> Sequence[str]:
        return tuple(f"process {slot}" for slot in range(self._count))

    def stop(self) -> None:
        self._stopping = True

    def wait(self) -> tuple[int, Report]:
        while (found := self._ledger.next_report()) is None:
            self._ask_to_stop() if self._stopping else self._assign()
            self._hear()
        return found

    def _assign(self) -> None:
        """A job for every idle process, and a process for every job while there may be more."""
        idle = [worker for worker in self._workers if worker.number is None]
        while self._ledger.waiting and (idle or self._free):
            worker = idle.pop() if idle else self._start()
            worker.number, job = self._ledger.begin()
            with contextlib.suppress(OSError):  # it died just now, which is heard of next
                worker.pipe.send(job)

    def _start(self) -> _Worker:
        slot = self._free.pop()
        ours, theirs = self._context.Pipe()
        process: Any = self._context.Process(
            target=work, args=(self._perform, theirs, self._environment(slot), self._said), daemon=False
        )
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours, slot))
        return self._workers[-1]

    def _environment(self, slot: int) -> Mapping[str, str]:
        return {"CUDA_VISIBLE_DEVICES": self._devices[slot % len(self._devices)]} if self._devices else {}

    def _hear(self) -> None:
        """Wait for a moment for somebody to say something, and take it down."""
        if not self._workers:
            return
        ready = wait([worker.pipe for worker in self._workers], _LOOK)
        for worker in [worker for worker in self._workers if worker.pipe in ready]:
            try:
                self._take(worker, worker.pipe.recv())
            except (EOFError, OSError):
                self._bury(worker)

    def _take(self, worker: _Worker, what: News | Report) -> None:
        assert worker.number is not None
        if isinstance(what, News):
            self._ledger.heard(worker.number, what)
            return
        number, worker.number = worker.number, None
        self._ledger.ended(number, what)

    def _bury(self, worker: _Worker) -> None:
        """A process is gone."""
        self._workers.remove(worker)
        self._free.append(worker.slot)
        worker.pipe.close()
        worker.process.join()
        if worker.number is not None:
            self._ledger.died(worker.number, _cause(worker.process.exitcode))

    def _ask_to_stop(self) -> None:
        self._ledger.abandon()
        if self._asked:
            return
        self._asked = True
        for worker in self._workers:
            if worker.number is not None and worker.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid, signal.SIGTERM)

    def close(self) -> None:
        """Let go of the processes: they end when their pipe does."""
        self._hang_up()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()
        atexit.unregister(self._hang_up)

    def _hang_up(self) -> None:
        for worker in self._workers:
            worker.pipe.close()


def prepare(module: str) -> ForkServerContext:
    """Start the server that processes are forked from, which loads a module meanwhile; it is started once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module, "torch._dynamo"])  # PyTorch's optimizers load it at their first step
    forkserver.ensure_running()
    return context


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        return f"its worker was killed ({name}{', out of memory?' if name == 'SIGKILL' else ''})"
    return f"its worker ended by itself with exit code {exit_code}"
