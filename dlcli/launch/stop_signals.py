"""Signal handlers that stop an executor."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlcli.core.executor import Executor


@contextmanager
def stop_on_signals(executor: Executor) -> Iterator[list[int]]:
    """Stop the executor on SIGINT, SIGTERM and SIGUSR1; a second SIGINT interrupts at once.

    Yields:
        The numbers of the received signals.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if number == signal.SIGINT and len(received) > 1:
            raise KeyboardInterrupt
        executor.stop()

    try:
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        previous = {number: signal.signal(number, receive) for number in signals}
    except ValueError:  # not the main thread
        previous = {}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
