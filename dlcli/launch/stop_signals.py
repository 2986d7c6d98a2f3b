"""Signals that stop an executor."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlcli.core.executor import Executor


@contextmanager
def heeding(executor: Executor) -> Iterator[list[int]]:
    """SIGINT, SIGTERM and SIGUSR1 stop the executor; a second SIGINT interrupts at once."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if number == signal.SIGINT and len(received) > 1:
            raise KeyboardInterrupt
        executor.stop()

    try:
        before = {one: signal.signal(one, receive) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    except ValueError:  # not the main thread
        before = {}
    try:
        yield received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
